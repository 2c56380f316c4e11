package daemon

import (
	"cmp"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/o2fa/o2fa/daemon/internal/vault"
	"github.com/o2fa/o2fa/internal/secret"
	"github.com/o2fa/o2fa/ipc"
	"github.com/o2fa/o2fa/totp"
)

func (d *Daemon) getEntry(r *http.Request) (any, error) {
	query := r.URL.Query()
	name := query.Get("name")
	if name == "" {
		return nil, &ipc.Error{Code: ipc.CodeBadRequest, Message: "which entry? the name is empty", Hint: "o2fa show NAME"}
	}
	var reply ipc.EntryDetail
	secrets := query.Get("secrets") == "true"
	err := d.keeper.use(r.Context(), func(v *vault.Vault) error {
		s, err := resolve(v, name)
		if err != nil {
			return err
		}
		reply, err = d.detail(v, s.ID, secrets)
		return err
	})
	if err == nil && secrets {
		d.noteOnce(r.Context(), event{What: ipc.LogShow, IDs: []string{reply.ID}})
	}
	return reply, err
}

// detail is all that there is to say of an entry.
func (d *Daemon) detail(v *vault.Vault, id vault.ID, secrets bool) (ipc.EntryDetail, error) {
	versions, err := v.Versions(id)
	if err != nil {
		return ipc.EntryDetail{}, err
	}
	inFile, err := countInFile(v, []vault.ID{id})
	if err != nil {
		return ipc.EntryDetail{}, err
	}
	reply := ipc.EntryDetail{Versions: versions, InFile: inFile > 0}
	reply.FileFollows = reply.InFile && d.settings.secretsFile() == ipc.ModeMirror
	err = v.OpenSecret(id, func(e *vault.Entry) error {
		reply.Entry, reply.Note = wireEntry(e.Summary()), e.Note
		if secrets {
			reply.Secret = totp.EncodeSecret(e.Secret.Reveal())
			reply.URI = uriOf(e)
		}
		return nil
	})
	return reply, err
}

// uriOf returns an entry as otpauth:// URI; empty for a type that has none. The
// format knows no name: an entry without issuer and account lends it its own. It
// allows no colon either, as readers split at any.
func uriOf(e *vault.Entry) string {
	algorithm, err := totp.ParseAlgorithm(e.Algorithm)
	if err != nil {
		return ""
	}
	u := totp.NewCredential(e.Secret.Reveal(), totp.Options{Algorithm: algorithm, Digits: e.Digits, Period: time.Duration(e.Period) * time.Second})
	defer u.Wipe()
	switch e.Type {
	case "totp":
	case "hotp":
		u.Type, u.Counter = totp.HOTP, e.Counter
	default:
		return ""
	}
	u.Issuer, u.Account = e.Issuer, e.Account
	if e.Issuer == "" && e.Account == "" {
		var both bool
		if u.Issuer, u.Account, both = strings.Cut(e.Name, ":"); !both {
			u.Issuer, u.Account = "", e.Name
		}
	}
	u.Issuer, u.Account = strings.ReplaceAll(u.Issuer, ":", " "), strings.ReplaceAll(u.Account, ":", " ")
	text, err := u.URI()
	if err != nil { // a name that makes it longer than readers take
		return ""
	}
	return text
}

func (d *Daemon) postEdit(r *http.Request) (any, error) {
	req, err := decode[ipc.EditRequest](r)
	if err != nil {
		return nil, err
	}
	id, err := parseIDs([]string{req.ID})
	if err != nil {
		return nil, err
	}
	reply := ipc.EditReply{Changed: []string{}}
	err = d.keeper.use(r.Context(), func(v *vault.Vault) error {
		err := v.Update(opEdit, func(tx *vault.Tx) error {
			changed, err := edit(tx, id[0], req)
			reply.Changed = changed
			return err
		})
		if err != nil {
			return err
		}
		if len(reply.Changed) > 0 {
			d.note(r.Context(), event{What: ipc.LogEdit, IDs: []string{id[0].String()}, Detail: strings.Join(reply.Changed, ", ")})
		}
		if reply.Entry, err = d.detail(v, id[0], false); err != nil {
			return err
		}
		same, err := v.Lookup(reply.Entry.Name)
		reply.SameName = max(1, len(same)) // no index has an empty name
		return err
	})
	return reply, err
}

// edit applies a request to an entry and returns the fields that differ now.
func edit(tx *vault.Tx, id vault.ID, req ipc.EditRequest) ([]string, error) {
	before, err := tx.Get(id)
	if err != nil {
		return nil, err
	}
	defer before.Wipe()
	if err := tx.Edit(id, func(e *vault.Entry) error { return apply(req, e) }); err != nil {
		return nil, err
	}
	after, err := tx.Get(id)
	if err != nil {
		return nil, err
	}
	defer after.Wipe()
	return differences(&before, &after), nil
}

// apply changes what req names. Where that is how codes are made it makes sure
// that the entry still yields some; an entry of a newer o2fa can still be renamed.
func apply(req ipc.EditRequest, e *vault.Entry) error {
	set(&e.Name, req.Name)
	set(&e.Issuer, req.Issuer)
	set(&e.Account, req.Account)
	set(&e.Note, req.Note)
	set(&e.Pinned, req.Pinned)
	set(&e.Tags, req.Tags)
	e.Tags = editTags(e.Tags, req.AddTags, req.DropTags)
	e.Name = cmp.Or(e.Name, joinName(e.Issuer, e.Account))
	if req.Secret == nil && req.Type == nil && req.Algorithm == nil && req.Digits == nil && req.Period == nil && req.Counter == nil {
		return nil
	}
	return applyKey(req, e)
}

func applyKey(req ipc.EditRequest, e *vault.Entry) error {
	if req.Secret != nil {
		raw, err := totp.DecodeSecret(*req.Secret)
		if err != nil {
			return badSecret(err)
		}
		e.Secret.Wipe()
		e.Secret = secret.New(raw)
	}
	set(&e.Type, req.Type)
	set(&e.Algorithm, req.Algorithm)
	set(&e.Digits, req.Digits)
	set(&e.Counter, req.Counter)
	e.Type = strings.ToLower(e.Type)
	switch counts := e.Type == "hotp"; {
	case counts && req.Period != nil:
		return &ipc.Error{Code: ipc.CodeInvalid, Message: "codes by counter (hotp) have no period"}
	case !counts && req.Counter != nil:
		return &ipc.Error{Code: ipc.CodeInvalid, Message: "codes by time (totp) have no counter"}
	case !counts:
		e.Period = cmp.Or(e.Period, int(totp.DefaultPeriod/time.Second))
		set(&e.Period, req.Period)
		e.Counter = 0
	}
	checked, err := checkEntry(*e)
	if err != nil {
		return err
	}
	*e = checked
	return nil
}

func set[T any](field *T, value *T) {
	if value != nil {
		*field = *value
	}
}

// editTags returns tags with some more and some less, each once in any case.
func editTags(tags, add, drop []string) []string {
	var out []string
	in := func(list []string, tag string) bool {
		return slices.ContainsFunc(list, func(other string) bool { return vault.Fold(other) == vault.Fold(tag) })
	}
	for _, tag := range slices.Concat(tags, add) {
		if !in(drop, tag) && !in(out, tag) {
			out = append(out, tag)
		}
	}
	return out
}

// differences names the fields, as EditRequest does, in which two versions of an
// entry differ.
func differences(a, b *vault.Entry) []string {
	changed := []string{}
	for _, f := range []struct {
		name string
		same bool
	}{
		{"name", a.Name == b.Name}, {"issuer", a.Issuer == b.Issuer}, {"account", a.Account == b.Account},
		{"note", a.Note == b.Note}, {"tags", slices.Equal(a.Tags, b.Tags)}, {"pinned", a.Pinned == b.Pinned},
		{"secret", a.Secret.Equal(b.Secret)}, {"type", a.Type == b.Type}, {"algorithm", a.Algorithm == b.Algorithm},
		{"digits", a.Digits == b.Digits}, {"period", a.Period == b.Period}, {"counter", a.Counter == b.Counter},
	} {
		if !f.same {
			changed = append(changed, f.name)
		}
	}
	return changed
}
