package daemon

import (
	"fmt"
	"net/http"
	"time"

	"github.com/o2fa/o2fa/daemon/internal/vault"
	"github.com/o2fa/o2fa/ipc"
	"github.com/o2fa/o2fa/totp"
)

// The names of changes, as undo reports them and the journal keeps them.
const (
	opAdd         = "add"
	opDelete      = "delete"
	opEdit        = "edit"
	opRestore     = "restore"
	opSecretsFile = "secrets-file"
)

func (d *Daemon) getEntries(r *http.Request) (any, error) {
	query := r.URL.Query()
	want, err := parseFilter(query)
	if err != nil {
		return nil, err
	}
	secrets := query.Get("secrets") == "true"
	var reply encoded
	var count int
	err = d.keeper.use(r.Context(), func(v *vault.Vault) error {
		list, err := v.List()
		if err != nil {
			return err
		}
		found, total := want.pick(list)
		count = len(found)
		reply, err = encodeEntries(found, total, func(e *ipc.Entry, id vault.ID) error {
			if !secrets {
				return nil
			}
			if err := v.OpenSecret(id, func(full *vault.Entry) error {
				e.Secret = totp.EncodeSecret(full.Secret.Reveal())
				return nil
			}); err != nil {
				return fmt.Errorf("opening entry %s: %w", id, err)
			}
			return nil
		})
		return err
	})
	if err == nil && secrets {
		d.noteOnce(r.Context(), event{What: ipc.LogSecrets, Count: count})
	}
	return reply, err
}

func (d *Daemon) postFind(r *http.Request) (any, error) {
	req, err := decode[ipc.FindRequest](r)
	if err != nil {
		return nil, err
	}
	var raw []byte
	if req.Secret != "" {
		if raw, err = totp.DecodeSecret(req.Secret); err != nil {
			return nil, badSecret(err)
		}
		defer clear(raw)
	}
	reply := ipc.Entries{Entries: []ipc.Entry{}}
	err = d.keeper.use(r.Context(), func(v *vault.Vault) error {
		search := find
		if req.Trashed {
			search = findTrashed
		}
		found, err := search(v, req.Name, raw)
		reply.Entries, reply.Total = wireEntries(found), len(found)
		return err
	})
	return reply, err
}

// find returns the entries with that secret, that name, or both. A name in the
// very same letters wins over the same name in other case.
func find(v *vault.Vault, name string, raw []byte) ([]vault.Summary, error) {
	if len(raw) > 0 {
		found, err := v.FindSecret(raw)
		if name == "" || err != nil {
			return found, err
		}
		return exactOrFolded(found, name), nil
	}
	found, err := v.Lookup(name)
	if err == nil && len(found) == 0 && name == namelessName {
		return nameless(v)
	}
	return exactOrFolded(found, name), err
}

func exactOrFolded(list []vault.Summary, name string) []vault.Summary {
	var exact, folded []vault.Summary
	for _, s := range list {
		if s.Name == name {
			exact = append(exact, s)
		}
		if vault.Fold(s.Name) == vault.Fold(name) {
			folded = append(folded, s)
		}
	}
	if len(exact) > 0 {
		return exact
	}
	return folded
}

func (d *Daemon) postDelete(r *http.Request) (any, error) {
	req, err := decode[ipc.DeleteRequest](r)
	if err != nil {
		return nil, err
	}
	ids, err := parseIDs(req.IDs)
	var reply ipc.DeleteReply
	if err != nil || len(ids) == 0 {
		return reply, err
	}
	err = d.keeper.use(r.Context(), func(v *vault.Vault) error {
		err := v.Update(opDelete, func(tx *vault.Tx) error {
			for _, id := range ids {
				if err := tx.Trash(id); err != nil {
					return err
				}
			}
			if d.settings.secretsFile() != ipc.ModeMirror { // which follows
				reply.InFile, err = countInFile(tx, ids)
			}
			return err
		})
		reply.Deleted = len(ids)
		return err
	})
	if err == nil {
		d.note(r.Context(), event{What: ipc.LogDelete, IDs: req.IDs})
	}
	return reply, err
}

func (d *Daemon) postUndo(r *http.Request) (any, error) {
	var reply ipc.UndoReply
	err := d.keeper.use(r.Context(), func(v *vault.Vault) error {
		u, err := v.Undo()
		if err != nil {
			return err
		}
		d.note(r.Context(), event{What: ipc.LogUndo, IDs: idTexts(u.IDs), Detail: u.Op})
		reply = ipc.UndoReply{Undone: u.Op, At: wireTime(u.At), Count: len(u.IDs), Names: u.Names}
		if len(reply.Names) > 10 {
			reply.Names = reply.Names[:10]
		}
		return nil
	})
	return reply, err
}

// wireEntry is a summary as the API shows it.
func wireEntry(s vault.Summary) ipc.Entry {
	e := ipc.Entry{
		ID: s.ID.String(), Type: s.Type, Name: s.Name, Issuer: s.Issuer, Account: s.Account,
		Algorithm: s.Algorithm, Digits: s.Digits, Period: s.Period, Tags: s.Tags, Pinned: s.Pinned,
		Source: s.Source, Mask: s.Mask, Created: wireTime(s.Created), Updated: wireTime(s.Updated),
	}
	if s.Type == "hotp" {
		counter := s.Counter
		e.Counter = &counter
	}
	if s.Trashed != 0 {
		e.Trashed = wireTime(s.Trashed)
	}
	return e
}

// parseIDs reads the ids of a request.
func parseIDs(texts []string) ([]vault.ID, error) {
	ids := make([]vault.ID, 0, len(texts))
	for _, text := range texts {
		id, err := vault.ParseID(text)
		if err != nil {
			return nil, &ipc.Error{Code: ipc.CodeBadRequest, Message: "an id is 32 hex digits"}
		}
		ids = append(ids, id)
	}
	return ids, nil
}

// wireTime formats Unix milliseconds as RFC 3339 in UTC.
func wireTime(ms int64) string { return time.UnixMilli(ms).UTC().Format(time.RFC3339Nano) }
