package daemon

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/o2fa/o2fa/daemon/internal/vault"
	"github.com/o2fa/o2fa/ipc"
	"github.com/o2fa/o2fa/totp"
)

// postCode answers with one code. It is a POST because for an hotp entry it is
// a change: the counter is stored before the code leaves the vault.
func (d *Daemon) postCode(r *http.Request) (any, error) {
	query := r.URL.Query()
	name := query.Get("name")
	if name == "" {
		return nil, &ipc.Error{Code: ipc.CodeBadRequest, Message: "which entry? the name is empty", Hint: "o2fa code NAME"}
	}
	want, err := d.parseMinValid(query.Get("min_valid"))
	if err != nil {
		return nil, err
	}
	code, err := d.code(r.Context(), name, want)
	if err != nil {
		return nil, err
	}
	if made := (event{What: ipc.LogCode, IDs: []string{code.ID}}); code.Type == "totp" {
		d.noteOnce(r.Context(), made)
	} else {
		d.note(r.Context(), made)
	}
	if strings.HasPrefix(r.Header.Get("Accept"), "text/plain") {
		return plainText(code.Code + "\n"), nil
	}
	return code, nil
}

// validity is how long a code has to be valid.
type validity struct {
	min   time.Duration
	usual bool // nobody asked for it: where no code lives so long, the freshest will do
}

// parseMinValid reads what a request asks for; the configuration decides where
// it asks for nothing.
func (d *Daemon) parseMinValid(text string) (validity, error) {
	if text == "" {
		return validity{d.settings.minValid(), true}, nil
	}
	min, err := time.ParseDuration(text)
	if err != nil || min < 0 {
		return validity{}, &ipc.Error{Code: ipc.CodeBadRequest, Message: "min_valid must be a duration such as 5s"}
	}
	return validity{min: min}, nil
}

// code makes one code that is valid for as long as want. If the code of this
// moment is not, it waits for the next step.
func (d *Daemon) code(ctx context.Context, name string, want validity) (ipc.Code, error) {
	for waited := false; ; waited = true {
		d.autolock.settle(ctx) // which may be due since this began to wait
		var code ipc.Code
		var left time.Duration
		err := d.keeper.use(ctx, func(v *vault.Vault) error {
			s, err := resolve(v, name)
			if err != nil {
				return err
			}
			if period := time.Duration(s.Period) * time.Second; s.Type == "totp" && want.min >= period && !want.usual {
				return &ipc.Error{Code: ipc.CodeInvalid, Message: fmt.Sprintf("codes of %q live %s: ask for less", s.Name, period)}
			}
			code, left, err = d.compute(v, s)
			return err
		})
		// Once is enough: after it the code is as fresh as a code can be.
		if err != nil || code.Type != "totp" || left >= want.min || waited {
			return code, err
		}
		timer := time.NewTimer(left)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return ipc.Code{}, ctx.Err()
		case <-d.stop:
			timer.Stop()
			if err := d.keeper.check(ctx); err != nil {
				return ipc.Code{}, err // it was locked
			}
			return ipc.Code{}, errShuttingDown
		}
	}
}

// namelessName is what lists show, as open2fa does, for an entry without a name.
const namelessName = "None"

// resolve finds the entry that a person means. "None" means the one without a
// name, unless one is called so.
func resolve(v *vault.Vault, name string) (vault.Summary, error) {
	s, err := v.Resolve(name)
	if name != namelessName || !errors.Is(err, vault.ErrNotFound) {
		return s, err
	}
	found, listErr := nameless(v)
	switch {
	case listErr != nil || len(found) == 0:
		return s, err
	case len(found) > 1:
		return s, &vault.AmbiguousError{Candidates: found}
	}
	return found[0], nil
}

// nameless returns the entries without a name, which no index has.
func nameless(v *vault.Vault) ([]vault.Summary, error) {
	list, err := v.List()
	return slices.DeleteFunc(slices.Clone(list), func(s vault.Summary) bool { return s.Name != "" }), err
}

// compute opens the one secret and makes the code, and how long it is valid.
func (d *Daemon) compute(v *vault.Vault, s vault.Summary) (code ipc.Code, left time.Duration, err error) {
	code = codeOf(s)
	switch s.Type {
	case "totp":
		left, err = timed(v, &code, s.ID, d.now)
	case "hotp":
		var used uint64
		err = v.Step(s.ID, func(e *vault.Entry, counter uint64) error {
			key, err := prepare(e)
			if err != nil {
				return err
			}
			code.Code, used = key.HOTP(counter), counter
			return nil
		})
		code.Counter = &used
	default:
		err = &ipc.Error{Code: ipc.CodeInvalid, Message: fmt.Sprintf("entries of type %.10q yield no codes in this release", s.Type)}
	}
	return code, left, err
}

// timed fills in the code of an entry that goes by time, and returns how long it
// is valid.
func timed(v *vault.Vault, code *ipc.Code, id vault.ID, clock func() time.Time) (left time.Duration, err error) {
	err = v.OpenSecret(id, func(e *vault.Entry) error {
		key, err := prepare(e)
		if err != nil {
			return err
		}
		now := clock()
		token := key.Token(now)
		left = token.Expiry.Sub(now)
		code.Code, code.Next = token.Code, key.HOTP(token.Counter+1)
		code.SecondsLeft = left.Seconds()
		code.ValidUntil = token.Expiry.UTC().Format(time.RFC3339)
		return nil
	})
	return left, err
}

// getCodes answers with many codes, all of one moment. It changes nothing: an
// entry that counts is told by its counter.
func (d *Daemon) getCodes(r *http.Request) (any, error) {
	want, err := parseFilter(r.URL.Query())
	if err != nil {
		return nil, err
	}
	now := d.now()
	reply := ipc.Codes{At: now.UTC().Format(time.RFC3339Nano)}
	err = d.keeper.use(r.Context(), func(v *vault.Vault) error {
		list, err := v.List()
		if err != nil {
			return err
		}
		list, reply.Total = want.pick(list)
		reply.Codes = make([]ipc.Code, 0, len(list))
		for _, s := range list {
			code := codeOf(s)
			switch s.Type {
			case "totp":
				_, err = timed(v, &code, s.ID, func() time.Time { return now })
			case "hotp":
				code.Counter = &s.Counter
			}
			if err != nil {
				return fmt.Errorf("opening entry %s: %w", s.ID, err)
			}
			reply.Codes = append(reply.Codes, code)
		}
		return nil
	})
	if err == nil {
		d.noteOnce(r.Context(), event{What: ipc.LogCodes, Count: len(reply.Codes)})
	}
	return reply, err
}

// codeOf is a code without its digits.
func codeOf(s vault.Summary) ipc.Code {
	return ipc.Code{ID: s.ID.String(), Name: s.Name, Issuer: s.Issuer, Type: s.Type, Period: s.Period}
}

// prepare makes the key of an opened entry.
func prepare(e *vault.Entry) (*totp.Key, error) {
	algorithm, err := totp.ParseAlgorithm(e.Algorithm)
	if err != nil {
		return nil, err
	}
	return totp.NewKey(e.Secret.Reveal(), totp.Options{
		Algorithm: algorithm, Digits: e.Digits, Period: time.Duration(e.Period) * time.Second,
	})
}
