package daemon

import (
	"net/http"
	"strings"

	"github.com/o2fa/o2fa/daemon/internal/vault"
	"github.com/o2fa/o2fa/ipc"
)

func (d *Daemon) getTrash(r *http.Request) (any, error) {
	reply := ipc.Entries{Entries: []ipc.Entry{}}
	err := d.keeper.use(r.Context(), func(v *vault.Vault) error {
		list, err := v.Trash()
		reply.Entries, reply.Total = wireEntries(list), len(list)
		life := d.keeper.policy().trashLife
		for i, s := range list {
			if life > 0 {
				reply.Entries[i].KeptUntil = wireTime(s.Trashed + life.Milliseconds())
			}
		}
		return err
	})
	return reply, err
}

// leastDigits is how many digits of an id name an entry of the trash.
const leastDigits = 6

// findTrashed returns what a name means in the trash: the entry with that id, or
// else those with that name, or else those whose ids begin so.
func findTrashed(v *vault.Vault, name string, secret []byte) ([]vault.Summary, error) {
	if len(secret) > 0 || name == "" {
		return nil, &ipc.Error{Code: ipc.CodeBadRequest, Message: "in the trash entries are found by name or id"}
	}
	list, err := v.Trash()
	if err != nil {
		return nil, err
	}
	digits := strings.ToLower(name)
	var begin []vault.Summary
	for _, s := range list {
		switch id := s.ID.String(); {
		case id == digits:
			return []vault.Summary{s}, nil
		case len(digits) >= leastDigits && strings.HasPrefix(id, digits):
			begin = append(begin, s)
		}
	}
	found := exactOrFolded(list, name)
	if found == nil && name == namelessName {
		found = exactOrFolded(list, "")
	}
	if found == nil {
		found = begin
	}
	return found, nil
}

func (d *Daemon) postRestore(r *http.Request) (any, error) {
	req, err := decode[ipc.RestoreRequest](r)
	if err != nil {
		return nil, err
	}
	ids, err := parseIDs(req.IDs)
	reply := ipc.RestoreReply{Restored: []ipc.Entry{}}
	if err != nil || len(ids) == 0 {
		return reply, err
	}
	err = d.keeper.use(r.Context(), func(v *vault.Vault) error {
		err := v.Update(opRestore, func(tx *vault.Tx) error {
			for _, id := range ids {
				if err := tx.Restore(id); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		d.note(r.Context(), event{What: ipc.LogRestore, IDs: idTexts(ids)})
		for _, id := range ids {
			s, err := v.Summary(id)
			if err != nil {
				return err
			}
			reply.Restored = append(reply.Restored, wireEntry(s))
		}
		return nil
	})
	return reply, err
}

func (d *Daemon) postEmpty(r *http.Request) (any, error) {
	req, err := decode[ipc.EmptyRequest](r)
	if err != nil {
		return nil, err
	}
	ids, err := parseIDs(req.IDs)
	if err != nil {
		return nil, err
	}
	var reply ipc.EmptyReply
	err = d.keeper.use(r.Context(), func(v *vault.Vault) (err error) {
		reply.Removed, err = v.Empty(ids)
		return err
	})
	if reply.Removed > 0 {
		d.note(r.Context(), event{What: ipc.LogEmpty, IDs: idTexts(ids), Count: reply.Removed})
	}
	return reply, err
}
