package daemon

import (
	"context"
	"net/http"

	"github.com/o2fa/o2fa/daemon/internal/vault"
	"github.com/o2fa/o2fa/internal/secret"
	"github.com/o2fa/o2fa/ipc"
)

// namesCompared is how many names a comparison tells of each kind.
const namesCompared = 10

func (d *Daemon) postBackupCompare(r *http.Request) (any, error) {
	req, err := decode[ipc.BackupRequest](r)
	if err != nil {
		return nil, err
	}
	pass := secret.New([]byte(req.Passphrase))
	defer pass.Wipe()
	p, err := d.backups.pick(req)
	if err != nil {
		return nil, err
	}
	o, err := d.openBackup(r.Context(), p, pass)
	if err != nil {
		return nil, err
	}
	defer o.Close()
	return d.compare(r.Context(), o)
}

// compare says what a restore of the backup would do.
func (d *Daemon) compare(ctx context.Context, o *openedBackup) (reply ipc.BackupComparison, err error) {
	if reply.Backup, err = o.verify(ctx); err != nil {
		return reply, err
	}
	backupState, err := o.State()
	if err != nil {
		return reply, err
	}
	id, known := d.keeper.knownID()
	reply.SameVault = known && id == o.ID()
	reply.State, _, _ = d.keeper.status()
	current := d.keeper.openVault()
	reply.Seen = d.seen(reply.Backup, backupState, current)
	list, err := o.List()
	if err != nil {
		return reply, err
	}
	if current == nil {
		reply.Back = len(list)
		if reply.State != ipc.StateUninitialized {
			for _, s := range list {
				if s.Type == "hotp" {
					reply.Counters++
				}
			}
		}
		reply.Compared = reply.State == ipc.StateUninitialized
		return reply, nil
	}
	now, err := current.List()
	if err != nil {
		return reply, err
	}
	reply.Compared = true
	tell(&reply, list, now)
	return reply, nil
}

// tell counts what is different between the entries of a backup and those of now.
func tell(reply *ipc.BackupComparison, then, now []vault.Summary) {
	had := make(map[vault.ID]int64, len(then)) // id → when it was edited
	for _, s := range then {
		had[s.ID] = s.Updated
	}
	note := func(n *int, names *[]string, name string) {
		if *n++; len(*names) < namesCompared {
			*names = append(*names, name)
		}
	}
	has := make(map[vault.ID]bool, len(now))
	for _, s := range now {
		updated, both := had[s.ID]
		switch {
		case !both:
			note(&reply.Lost, &reply.LostNames, s.Name)
			continue
		case s.Updated > updated:
			note(&reply.Older, &reply.OlderNames, s.Name)
		case s.Updated == updated:
			reply.Same++
		default:
			continue // the backup has a newer version
		}
		has[s.ID] = true
	}
	for _, s := range then {
		if !has[s.ID] {
			note(&reply.Back, &reply.BackNames, s.Name)
		}
	}
}
