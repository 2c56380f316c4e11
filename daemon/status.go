package daemon

import (
	"cmp"
	"context"
	"encoding/hex"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/o2fa/o2fa"
	"github.com/o2fa/o2fa/daemon/internal/keystore"
	"github.com/o2fa/o2fa/daemon/internal/vault"
	"github.com/o2fa/o2fa/internal/secret"
	"github.com/o2fa/o2fa/ipc"
	"github.com/o2fa/o2fa/server/syncapi"
)

// statusPatience is how long a status waits for an attempt that is under way,
// so that the first status after a start tells the state and not "starting".
const statusPatience = 2 * time.Second

// maxUUIDFile bounds open2fa.uuid: 36 characters, and room for a careless editor.
const maxUUIDFile = 1 << 10

func (d *Daemon) getStatus(r *http.Request) (any, error) {
	return d.status(r.Context(), r.URL.Query().Get("secrets") == "true"), nil
}

// status answers in every state, from what is known without opening a record.
func (d *Daemon) status(ctx context.Context, secrets bool) ipc.Status {
	ctx, cancel := context.WithTimeout(ctx, statusPatience)
	defer cancel()
	_ = d.keeper.check(ctx)
	p := d.cfg.Profile
	s := ipc.Status{
		Release: o2fa.Version(), API: ipc.Version, PID: os.Getpid(), Started: d.started.UTC().Format(time.RFC3339),
		Executable: d.exe.path, Profile: p.ID, Dir: p.Dir, Socket: p.Socket, Log: p.LogFile(),
		SecretsFile: d.intake.report(), Account: d.account(secrets),
		APIURL:   cmp.Or(d.cfg.APIURL, syncapi.DefaultAPIURL),
		Warnings: append([]ipc.Warning(nil), d.cfg.Warnings...),
	}
	s.State, s.Problem, s.Vault = d.keeper.status()
	s.Warnings = append(s.Warnings, warnings(s)...)
	return s
}

// status returns the state, what is wrong, and what the file tells of itself.
func (k *keeper) status() (ipc.State, *ipc.Error, *ipc.VaultStatus) {
	k.mu.RLock()
	defer k.mu.RUnlock()
	if k.vault == nil {
		return k.state, k.problem, nil
	}
	state, problem := k.state, k.problem
	vs, err := vaultStatus(k.vault, k.files.vault)
	if err != nil && problem == nil {
		problem = k.problemOf(err)
	}
	return state, problem, &vs
}

func vaultStatus(v *vault.Vault, path string) (ipc.VaultStatus, error) {
	id := v.ID()
	vs := ipc.VaultStatus{ID: hex.EncodeToString(id[:]), Path: path, Format: v.Format(), ReadOnly: v.ReadOnly(), Slots: []ipc.Slot{}}
	if v.Unlocked() {
		vs.Entries, vs.Trashed = v.Count()
	}
	slots, err := v.Slots()
	for _, slot := range slots {
		h, parseErr := keystore.ParseHeader(slot.Header)
		if parseErr != nil {
			err = parseErr
			continue
		}
		vs.Slots = append(vs.Slots, ipc.Slot{
			ID: hex.EncodeToString(h.ID[:]), Type: string(h.Type), Path: h.Path, Protected: h.Type != keystore.TypeKeyfile,
		})
	}
	return vs, err
}

// warnings are what status shows although everything works.
func warnings(s ipc.Status) []ipc.Warning {
	var list []ipc.Warning
	if v := s.Vault; v != nil {
		if len(v.Slots) == 1 {
			list = append(list, ipc.Warning{Code: "one_slot",
				Message: "one key slot alone opens the vault: losing it loses every entry, copies of vault.db too"})
		}
		for _, slot := range v.Slots {
			if !slot.Protected {
				list = append(list, ipc.Warning{Code: "unprotected_key",
					Message: "the vault's key lies unprotected in " + slot.Path + ": whoever reads the two files has every secret"})
			}
		}
		if v.ReadOnly {
			list = append(list, ipc.Warning{Code: "read_only", Message: "the file system is read-only: codes work, changes do not"})
		}
	}
	if f := s.SecretsFile; f != nil && f.Present && f.Rows > 0 {
		list = append(list, ipc.Warning{Code: "plaintext",
			Message: f.Path + " still holds secrets in clear", Hint: "o2fa list, to see that all are here; then remove the file"})
	}
	return list
}

// account is open2fa's identity of the profile: the environment's, else the file's.
func (d *Daemon) account(secrets bool) *ipc.Account {
	text, source := d.cfg.UUID, "OPEN2FA_UUID"
	if text == "" {
		source = filepath.Join(d.cfg.Profile.Dir, "open2fa.uuid")
		info, err := os.Stat(source)
		if err != nil || !info.Mode().IsRegular() || info.Size() > maxUUIDFile {
			return nil
		}
		data, err := os.ReadFile(source)
		if err != nil {
			return nil
		}
		text = string(data)
	}
	uuid, err := syncapi.ParseUUID(text)
	if err != nil {
		return nil
	}
	id, key := uuid.Open2FA()
	a := &ipc.Account{UUID: uuid.Text(), ID: id, Secret: key, Source: source}
	if !secrets {
		for _, field := range []*string{&a.UUID, &a.ID, &a.Secret} {
			*field = (*field)[:1] + "..."
		}
	}
	return a
}

func (d *Daemon) postInit(r *http.Request) (any, error) {
	req, err := decode[ipc.InitRequest](r)
	if err != nil {
		return nil, err
	}
	pass := secret.New([]byte(req.Passphrase))
	defer pass.Wipe()
	if err := d.keeper.create(r.Context(), req.Keystore, pass); err != nil {
		return nil, err
	}
	reply := ipc.InitReply{Taken: d.intake.look(r.Context())}
	if _, problem, vs := d.keeper.status(); vs != nil {
		reply.Vault = *vs
	} else if problem != nil {
		return nil, problem
	}
	return reply, nil
}

func (d *Daemon) postLock(r *http.Request) (any, error) {
	if err := d.keeper.lock(); err != nil {
		return nil, err
	}
	return d.status(r.Context(), false), nil
}

func (d *Daemon) postUnlock(r *http.Request) (any, error) {
	req, err := decode[ipc.UnlockRequest](r)
	if err != nil {
		return nil, err
	}
	pass := secret.New([]byte(req.Passphrase))
	defer pass.Wipe()
	if err := d.keeper.unlock(r.Context(), pass); err != nil {
		return nil, err
	}
	return d.status(r.Context(), false), nil
}

// postShutdown ends the daemon after the requests in flight. A hand-over is
// granted to a newer release alone, so that two installations never take the
// socket from each other in turns.
func (d *Daemon) postShutdown(r *http.Request) (any, error) {
	req, err := decode[ipc.ShutdownRequest](r)
	if err != nil {
		return nil, err
	}
	if req.Successor != "" && !ipc.NewerRelease(req.Successor, o2fa.Version()) {
		return nil, &ipc.Error{Code: ipc.CodeRefused,
			Message: "this daemon is " + o2fa.Version() + " and hands over to a newer release only"}
	}
	d.log.Info("asked to end", "successor", req.Successor)
	d.end()
	return struct{}{}, nil
}
