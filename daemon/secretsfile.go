package daemon

import (
	"context"
	"net/http"
	"os"
	"slices"

	"github.com/o2fa/o2fa/daemon/internal/vault"
	"github.com/o2fa/o2fa/ipc"
)

func (d *Daemon) getSecretsFile(r *http.Request) (any, error) {
	return d.secretsFile(r.Context()), nil
}

// secretsFile is all that there is to say of open2fa's files.
func (d *Daemon) secretsFile(ctx context.Context) ipc.SecretsFile {
	reply := ipc.SecretsFile{SecretsFileStatus: *d.intake.report()}
	if _, err := os.Stat(d.intake.uuid.path); err == nil {
		reply.UUID = append(reply.UUID, "file")
	}
	d.intake.update(func() { reply.UUIDProblem = d.intake.uuidErr })
	_ = d.keeper.use(ctx, func(v *vault.Vault) error { // what is not open is not told
		s, err := lookAt(v)
		if err != nil {
			return err
		}
		_, stored, err := d.intake.uuid.stored(v)
		if stored {
			reply.UUID = append(reply.UUID, "vault")
		}
		others := s.unmirrored()
		reply.Open, reply.Others, reply.Mirrored = true, len(others), len(s.list)-len(others)
		reply.Unmirrored = others[:min(len(others), maxProblems)]
		return err
	})
	if d.cfg.UUID != "" {
		reply.UUID = append(reply.UUID, "environment")
	}
	reply.InClear = reply.Present && (reply.Rows > 0 || len(reply.Rejected) > 0 || reply.Problem != "")
	return reply
}

// postSecretsFile sets the mode, and looks at once.
func (d *Daemon) postSecretsFile(r *http.Request) (any, error) {
	req, err := decode[ipc.SecretsFileRequest](r)
	if err != nil {
		return nil, err
	}
	mode := req.Mode
	if mode == "" {
		mode = d.settings.secretsFile()
	}
	if !slices.Contains([]string{ipc.ModeWatch, ipc.ModeSeal, ipc.ModeMirror}, mode) {
		return nil, &ipc.Error{Code: ipc.CodeInvalid, Message: "the mode must be watch, seal or mirror", Hint: "o2fa secrets-file"}
	}
	if req.Accept {
		if mode == ipc.ModeWatch {
			return nil, &ipc.Error{Code: ipc.CodeInvalid, Message: "in mode watch there is nothing to accept", Hint: "o2fa secrets-file"}
		}
		if err := d.keeper.check(r.Context()); err != nil {
			return nil, err
		}
	}
	if mode != d.settings.secretsFile() {
		if err := d.settings.edit(ipc.ConfigRequest{Set: map[string]string{"secrets_file": mode}}); err != nil {
			return nil, err
		}
	}
	d.intake.look(r.Context(), order{create: mode != ipc.ModeWatch, accept: req.Accept, anew: mode == ipc.ModeMirror && !req.Accept})
	return d.getSecretsFile(r)
}
