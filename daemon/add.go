package daemon

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/o2fa/o2fa/daemon/internal/vault"
	"github.com/o2fa/o2fa/internal/secret"
	"github.com/o2fa/o2fa/ipc"
	"github.com/o2fa/o2fa/totp"
)

// sourceAdded marks entries that a person or program added through the API.
const sourceAdded = "added"

func (d *Daemon) postEntries(r *http.Request) (any, error) {
	req, err := decode[ipc.AddRequest](r)
	if err != nil {
		return nil, err
	}
	entry, err := newEntry(req)
	if err != nil {
		return nil, err
	}
	defer entry.Secret.Wipe()
	var reply ipc.AddReply
	err = d.keeper.change(r.Context(), req.Keystore, func(v *vault.Vault) error {
		var id vault.ID
		err := v.Update(opAdd, func(tx *vault.Tx) (err error) {
			id, reply.Existed, err = tx.Add(entry)
			return err
		})
		if err != nil {
			return err
		}
		if !reply.Existed {
			d.note(r.Context(), event{What: ipc.LogAdd, IDs: []string{id.String()}})
		}
		s, err := v.Summary(id)
		if err != nil {
			return err
		}
		reply.Entry = wireEntry(s)
		reply.Total, _ = v.Count()
		same, err := v.Lookup(s.Name)
		reply.SameName = max(1, len(same)) // no index has an empty name
		return err
	})
	if err == nil {
		d.intake.retry()
	}
	return reply, err
}

// newEntry reads an AddRequest. Its errors never repeat what might be a secret.
func newEntry(req ipc.AddRequest) (vault.Entry, error) {
	if err := sortWords(&req); err != nil {
		return vault.Entry{}, err
	}
	if req.URI != "" {
		return entryFromURI(req)
	}
	raw, err := totp.DecodeSecret(req.Secret)
	if err != nil {
		return vault.Entry{}, badSecret(err)
	}
	return checkEntry(vault.Entry{
		Type: cmp.Or(req.Type, "totp"), Name: req.Name, Issuer: req.Issuer, Account: req.Account,
		Algorithm: cmp.Or(req.Algorithm, "SHA1"), Digits: cmp.Or(req.Digits, 6), Period: cmp.Or(req.Period, 30),
		Counter: req.Counter, Secret: secret.New(raw), Tags: req.Tags, Note: req.Note, Pinned: req.Pinned, Source: sourceAdded,
	})
}

// checkEntry completes an entry and makes sure that it yields codes.
func checkEntry(e vault.Entry) (vault.Entry, error) {
	invalid := func(text string) error { return &ipc.Error{Code: ipc.CodeInvalid, Message: text} }
	switch e.Type {
	case "totp":
	case "hotp":
		e.Period = 0
	default:
		return e, invalid("the type must be totp or hotp")
	}
	algorithm, err := totp.ParseAlgorithm(e.Algorithm)
	if err != nil {
		return e, invalid("the algorithm must be SHA1, SHA256 or SHA512")
	}
	e.Algorithm = algorithm.String()
	key, err := prepare(&e)
	if err != nil {
		return e, invalid(err.Error())
	}
	key.Wipe()
	e.Name = cmp.Or(e.Name, joinName(e.Issuer, e.Account))
	return e, e.Valid()
}

// badSecret says what is wrong with a secret, and where, without repeating it.
func badSecret(err error) error {
	text := "the secret is not base32"
	if s := (*totp.SecretError)(nil); errors.As(err, &s) && s.Position > 0 {
		text = fmt.Sprintf("the secret is not base32: character %d: %v", s.Position, s.Err)
	} else if errors.Is(err, totp.ErrEmpty) {
		text = "the secret is empty"
	}
	return &ipc.Error{Code: ipc.CodeInvalid, Message: text}
}

// joinName is the name of an entry that has only issuer and account.
func joinName(issuer, account string) string {
	if issuer != "" && account != "" {
		return issuer + ":" + account
	}
	return issuer + account
}

// weakSecret is how many characters of base32 make 80 bits. Something shorter
// that happens to be base32 ("mail", "data") is a name when a real secret
// stands beside it; RFC 4226 wants 128 bits at least.
const weakSecret = 16

// sortWords finds out which word is the secret and which the name: the first
// that is a valid secret is the secret, as in open2fa.
func sortWords(req *ipc.AddRequest) error {
	if len(req.Words) == 0 {
		return nil
	}
	if req.Secret != "" || req.URI != "" || len(req.Words) > 2 {
		return &ipc.Error{Code: ipc.CodeBadRequest, Message: "one secret and one name are wanted", Hint: `o2fa add SECRET "NAME WITH BLANKS"`}
	}
	at := -1
	for i, word := range req.Words {
		if isSecret(word) && (at < 0 || len(req.Words[at]) < weakSecret && len(word) >= weakSecret) {
			at = i
		}
	}
	if at == 0 && len(req.Words) == 1 && len(req.Words[0]) < weakSecret && req.Name == "" {
		return &ipc.Error{Code: ipc.CodeInvalid, Message: "one short word alone could be a secret or a name",
			Hint: "o2fa add - NAME, which reads the secret from standard input"}
	}
	if slices.ContainsFunc(req.Words, func(w string) bool { return strings.HasPrefix(strings.ToLower(w), "otpauth-migration:") }) {
		return &ipc.Error{Code: ipc.CodeInvalid, Message: "this release cannot read the export of Google Authenticator (otpauth-migration)"}
	}
	if at < 0 {
		return &ipc.Error{Code: ipc.CodeInvalid, Message: "none of the words is a valid base32 secret or an otpauth URI",
			Hint: "o2fa add, which asks for secret and name"}
	}
	if len(req.Words) == 2 && len(req.Words[at]) < weakSecret && looksSecret(req.Words[1-at]) {
		return &ipc.Error{Code: ipc.CodeInvalid, Message: "one word is too short for a secret, and the other is none but looks like one",
			Hint: "o2fa add SECRET -n NAME"}
	}
	if strings.HasPrefix(strings.ToLower(req.Words[at]), "otpauth:") {
		req.URI = req.Words[at]
	} else {
		req.Secret = req.Words[at]
	}
	if len(req.Words) == 2 {
		req.Name = req.Words[1-at] // a positional name beats -n
	}
	return nil
}

func isSecret(word string) bool {
	if strings.HasPrefix(strings.ToLower(word), "otpauth:") {
		return true
	}
	raw, err := totp.DecodeSecret(word)
	clear(raw)
	return err == nil
}

// looksSecret says whether a word that is no secret may be one with a typing
// error. Such a word must not become the name, in clear in every list, because
// the name beside it ("mail") happens to be base32.
func looksSecret(word string) bool {
	if strings.Contains(strings.ToLower(word), "otpauth") {
		return true
	}
	return len(word) >= weakSecret && !strings.ContainsFunc(word, func(r rune) bool {
		return r >= 0x80 || !strings.ContainsRune("abcdefghijklmnopqrstuvwxyz0123456789 -=", unicode.ToLower(r))
	})
}

func entryFromURI(req ipc.AddRequest) (vault.Entry, error) {
	u, err := totp.ParseURI(req.URI)
	if err != nil {
		return vault.Entry{}, &ipc.Error{Code: ipc.CodeInvalid, Message: err.Error()}
	}
	defer u.Wipe()
	return checkEntry(vault.Entry{ // what the request says beside the URI wins over it
		Type: cmp.Or(req.Type, u.Type.String()), Name: req.Name,
		Issuer: cmp.Or(req.Issuer, u.Issuer), Account: cmp.Or(req.Account, u.Account),
		Algorithm: cmp.Or(req.Algorithm, u.Algorithm.String()), Digits: cmp.Or(req.Digits, u.Digits),
		Period: cmp.Or(req.Period, int(u.Period/time.Second), 30), Counter: cmp.Or(req.Counter, u.Counter),
		Secret: secret.Copy(u.Secret()), Tags: req.Tags, Note: req.Note, Pinned: req.Pinned, Source: sourceAdded,
	})
}
