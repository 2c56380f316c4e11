package totp

import (
	"bytes"
	"cmp"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"math/big"
	"os"
	"slices"
	"strings"
	"unicode/utf8"
)

// Costs of a wallet: the key of each credential is derived from the
// application's secret by 2^cost rounds of PBKDF2.
const (
	DefaultCost = 14 // 16,384 rounds; application secrets are random, so this is plenty
	MaxCost     = 22 // 4,194,304 rounds, seconds for each credential: what is stored must not ask for more
)

// maxWallet bounds the text of a wallet's secrets, in bytes.
const maxWallet = 1 << 20

// The ways in which a wallet, or what is sealed under it, can be wrong.
var (
	ErrSecrets = errors.New("application secrets are neither a JSON object of texts nor lines of \"tag: secret\"")
	ErrTag     = errors.New("a tag begins with a letter or digit and has letters, digits, dots, dashes and underscores")
	ErrNoTag   = errors.New("no application secret has this tag")
	ErrCost    = errors.New("cost must be 0 to 22")
	ErrOpen    = errors.New("does not open: changed, or sealed under another application secret")
)

// Wallet holds the secrets of an application, each under a tag, that seal the
// secrets of its users' credentials at rest. New ones are sealed under the
// default tag; the others open what was sealed before them. To rotate, add a
// secret under a larger tag, write again what Parse says has changed, and remove
// the old secret when nothing of it is left.
//
// Make one with NewWallet, ParseWallet or LoadWallet. It is safe for concurrent
// use, but for Wipe, and does not print its secrets.
type Wallet struct {
	secrets **map[string][]byte // behind two pointers for the reason that box gives
	tag     string
	cost    int
	passlib bool
}

// WalletOptions says how a wallet seals. The zero value works.
type WalletOptions struct {
	// Tag is the tag of the secret that seals; "" means the largest: as numbers
	// if all tags are decimal digits, else as texts, so that counters and dates
	// like 2026-01-31 both work.
	Tag string

	// Cost is the logarithm to base 2 of the rounds of PBKDF2, 1 to MaxCost; 0
	// means DefaultCost.
	Cost int

	// Passlib seals in the form that passlib 1.7 reads. It is not
	// authenticated: under a wrong secret, or after a change, it opens to
	// garbage, and codes are wrong without an error.
	Passlib bool
}

// NewWallet returns a wallet with copies of secrets, by tag. There must be one
// at least. The errors are ErrEmpty, ErrTag, ErrNoTag for WalletOptions.Tag, and
// ErrCost.
func NewWallet(secrets map[string][]byte, o WalletOptions) (*Wallet, error) {
	if len(secrets) == 0 {
		return nil, ErrEmpty
	}
	copied := make(map[string][]byte, len(secrets))
	for tag, secret := range secrets {
		if !validTag(tag) {
			return nil, ErrTag
		}
		if len(secret) == 0 {
			return nil, ErrEmpty
		}
		copied[tag] = bytes.Clone(secret)
	}
	w := &Wallet{secrets: new(&copied), tag: cmp.Or(o.Tag, largestTag(copied)), cost: cmp.Or(o.Cost, DefaultCost), passlib: o.Passlib}
	if copied[w.tag] == nil {
		return nil, ErrNoTag
	}
	if w.cost < 0 || w.cost > MaxCost {
		return nil, ErrCost
	}
	return w, nil
}

// ParseWallet is NewWallet for secrets as text, in one of two forms:
//
//	{"1": "secret", "2": "another"}
//
//	# a comment
//	2026-01-31: secret
//	2026-06-30: another
//
// The secrets are the bytes of the texts, in UTF-8. The errors are ErrSecrets,
// ErrDuplicate for a tag that comes twice, ErrTooLong for more than 1 MiB, and
// those of NewWallet; none repeats any of the text.
func ParseWallet(text string, o WalletOptions) (*Wallet, error) {
	if len(text) > maxWallet {
		return nil, ErrTooLong
	}
	secrets := map[string][]byte{}
	add := func(tag, secret string) error {
		if _, twice := secrets[tag]; twice {
			return ErrDuplicate
		}
		secrets[tag] = []byte(secret)
		return nil
	}
	read := readLines
	if strings.HasPrefix(strings.TrimSpace(text), "{") {
		read = readObject
	}
	if err := read(text, add); err != nil {
		return nil, err
	}
	return NewWallet(secrets, o)
}

// LoadWallet is ParseWallet for the text of a file. The file should be readable
// by the application alone. Errors name the path and wrap those of os and of
// ParseWallet.
func LoadWallet(path string, o WalletOptions) (*Wallet, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("loading wallet: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxWallet+1))
	defer clear(data)
	if err != nil {
		return nil, fmt.Errorf("loading wallet: %w", err)
	}
	w, err := ParseWallet(string(data), o)
	if err != nil {
		return nil, fmt.Errorf("loading wallet %s: %w", path, err)
	}
	return w, nil
}

// readObject reads a JSON object whose values are texts. It goes by tokens, as
// a map would hide a tag that comes twice.
func readObject(text string, add func(tag, secret string) error) error {
	if !utf8.ValidString(text) || !json.Valid([]byte(text)) {
		return ErrSecrets
	}
	dec := json.NewDecoder(strings.NewReader(text))
	if open, err := dec.Token(); err != nil || open != json.Delim('{') {
		return ErrSecrets
	}
	for dec.More() {
		tag, err := dec.Token()
		name, ok := tag.(string)
		if err != nil || !ok {
			return ErrSecrets
		}
		value, err := dec.Token()
		secret, ok := value.(string)
		if err != nil || !ok {
			return ErrSecrets
		}
		if err := add(name, secret); err != nil {
			return err
		}
	}
	return nil
}

// readLines reads lines of "tag: secret".
func readLines(text string, add func(tag, secret string) error) error {
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		tag, secret, ok := strings.Cut(line, ":")
		if !ok {
			return ErrSecrets
		}
		if err := add(strings.TrimSpace(tag), strings.TrimSpace(secret)); err != nil {
			return err
		}
	}
	return nil
}

func validTag(tag string) bool {
	for i := range len(tag) {
		c := tag[i]
		plain := 'a' <= lower(c) && lower(c) <= 'z' || '0' <= c && c <= '9'
		if !plain && (i == 0 || c != '_' && c != '.' && c != '-') {
			return false
		}
	}
	return tag != ""
}

// largestTag returns the tag that sorts last.
func largestTag(secrets map[string][]byte) string {
	tags := slices.Collect(maps.Keys(secrets))
	numeric := !slices.ContainsFunc(tags, func(tag string) bool { return strings.Trim(tag, "0123456789") != "" })
	return slices.MaxFunc(tags, func(a, b string) int {
		if numeric {
			x, y := strings.TrimLeft(a, "0"), strings.TrimLeft(b, "0")
			return cmp.Or(cmp.Compare(len(x), len(y)), cmp.Compare(x, y), cmp.Compare(a, b))
		}
		return cmp.Compare(a, b)
	})
}

// Tag returns the tag under which the wallet seals.
func (w *Wallet) Tag() string { return w.tag }

// String tells the wallet's tags, not its secrets.
func (w *Wallet) String() string {
	return fmt.Sprintf("totp.Wallet(%s; seals under %s, cost %d)", strings.Join(slices.Sorted(maps.Keys(**w.secrets)), ", "), w.tag, w.cost)
}

// Wipe overwrites the secrets with zeros and takes them from w: Encrypt and
// Decrypt then return ErrNoTag.
func (w *Wallet) Wipe() {
	for _, secret := range **w.secrets {
		clear(secret)
	}
	clear(**w.secrets)
}

// walletAlphabet is what GenerateWalletSecret draws from: letters and digits.
const walletAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

// DefaultEntropy is the strength of an application secret, in bits.
const DefaultEntropy = 256

// GenerateWalletSecret returns a random text of letters and digits for an
// application secret, with at least the given bits of entropy; 0 means
// DefaultEntropy, which takes 43 characters.
func GenerateWalletSecret(bits int) string {
	if bits <= 0 {
		bits = DefaultEntropy
	}
	n := int(math.Ceil(float64(bits) / math.Log2(float64(len(walletAlphabet)))))
	text := make([]byte, n)
	for i := range text {
		at, _ := rand.Int(rand.Reader, big.NewInt(int64(len(walletAlphabet)))) // never fails, as rand.Read
		text[i] = walletAlphabet[at.Int64()]
	}
	return string(text)
}
