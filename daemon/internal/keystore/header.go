package keystore

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"unicode/utf8"

	"github.com/o2fa/o2fa/daemon/internal/keystore/internal/kdf"
)

// MaxHeader is the size of the largest encoded header in bytes.
const MaxHeader = 4 << 10

// maxPath bounds the path in a header, in bytes, so that every header that
// Create makes also parses: JSON makes at most six bytes of one.
const maxPath = 512

// Header says what is needed, besides the secret itself, to find the key of a
// slot. The vault stores its encoding verbatim, in clear, and binds the sealed
// vault key to it: who alters a header makes the slot useless, no more.
type Header struct {
	ID     [16]byte // of the slot, random
	Type   Type
	Vault  [16]byte // of the vault that the slot opens
	Argon2 *Argon2  // for TypePassphrase, else nil
	Salt   []byte   // for TypePassphrase and TypeRecovery, 16 to 64 bytes, else nil
	Path   string   // for TypeKeyfile: where the file was made, absolute
	Name   string   // for TypeCredential: that of the credential
}

// Argon2 holds the parameters of Argon2id, all bounded when a header is read.
type Argon2 struct {
	Time      uint32 // passes, 1 to 16
	MemoryKiB uint32 // 8 per thread to 1,048,576 (one GiB)
	Threads   uint8  // 1 to 16
}

// wireHeader is Header as JSON. Fields are never reordered: the bytes matter.
type wireHeader struct {
	ID     string      `json:"id"`
	Type   Type        `json:"type"`
	Vault  string      `json:"vault"`
	Argon2 *wireArgon2 `json:"argon2,omitempty"`
	Salt   string      `json:"salt,omitempty"`
	Path   string      `json:"path,omitempty"`
	Name   string      `json:"name,omitempty"`
}

type wireArgon2 struct {
	Time      uint32 `json:"time"`
	MemoryKiB uint32 `json:"memory_kib"`
	Threads   uint8  `json:"threads"`
}

// Encode returns h in its one encoding: JSON without spaces, fields in a fixed
// order, ids in hex, salt in base64url without padding.
func (h Header) Encode() []byte {
	wire := wireHeader{
		ID:    hex.EncodeToString(h.ID[:]),
		Type:  h.Type,
		Vault: hex.EncodeToString(h.Vault[:]),
		Salt:  base64.RawURLEncoding.EncodeToString(h.Salt),
		Path:  h.Path,
		Name:  h.Name,
	}
	if h.Argon2 != nil {
		wire.Argon2 = (*wireArgon2)(h.Argon2)
	}
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(wire); err != nil {
		panic("keystore: encoding a header: " + err.Error()) // no field of it can fail
	}
	return bytes.TrimSuffix(out.Bytes(), []byte("\n"))
}

// ParseHeader reads what Encode made, and nothing else: other spellings of the
// same JSON, unknown types and values out of bounds are ErrHeader.
func ParseHeader(data []byte) (Header, error) {
	if len(data) > MaxHeader {
		return Header{}, fmt.Errorf("%w: %d bytes", ErrHeader, len(data))
	}
	var wire wireHeader
	if err := json.Unmarshal(data, &wire); err != nil {
		return Header{}, fmt.Errorf("%w: %w", ErrHeader, err)
	}
	h := Header{Type: wire.Type, Path: wire.Path, Name: wire.Name, Argon2: (*Argon2)(wire.Argon2)}
	var err error
	if err = parseID(&h.ID, wire.ID); err != nil {
		return Header{}, err
	}
	if err = parseID(&h.Vault, wire.Vault); err != nil {
		return Header{}, err
	}
	if wire.Salt != "" {
		if h.Salt, err = base64.RawURLEncoding.DecodeString(wire.Salt); err != nil {
			return Header{}, fmt.Errorf("%w: salt is not base64url", ErrHeader)
		}
	}
	if err := h.check(); err != nil {
		return Header{}, err
	}
	// One header, one encoding: refuses what JSON lets pass (other case, fields
	// twice or unknown, escapes, spaces) without a list of it.
	if !bytes.Equal(h.Encode(), data) {
		return Header{}, fmt.Errorf("%w: not in canonical form", ErrHeader)
	}
	return h, nil
}

func parseID(id *[16]byte, text string) error {
	raw, err := hex.DecodeString(text)
	if err != nil || len(raw) != len(id) {
		return fmt.Errorf("%w: an id is not 32 hex digits", ErrHeader)
	}
	copy(id[:], raw)
	return nil
}

// check returns ErrHeader unless h has the fields of its type, in bounds, and
// no others.
func (h Header) check() error {
	isPass, isFile := h.Type == TypePassphrase, h.Type == TypeKeyfile
	isSalted, isNamed := isPass || h.Type == TypeRecovery, h.Type == TypeCredential
	switch h.Type {
	case TypeKeyring, TypePassphrase, TypeKeyfile, TypeCredential, TypeRecovery, TypeMemory:
	default:
		return fmt.Errorf("%w: unknown type %q (made by a newer o2fa?)", ErrHeader, h.Type)
	}
	if (h.Argon2 != nil) != isPass || (h.Salt != nil) != isSalted || (h.Path != "") != isFile || (h.Name != "") != isNamed {
		return fmt.Errorf("%w: wrong fields for type %q", ErrHeader, h.Type)
	}
	if isPass {
		if _, err := h.cost(); err != nil {
			return err
		}
	}
	if isSalted {
		if err := kdf.CheckSalt(h.Salt); err != nil {
			return fmt.Errorf("%w: %w", ErrHeader, err)
		}
	}
	if isFile {
		return checkPath(h.Path)
	}
	if isNamed {
		return checkCredential(h.Name)
	}
	return nil
}

// cost returns the cost that h asks for, within the bounds.
func (h Header) cost() (Cost, error) {
	cost, err := kdf.New(h.Argon2.Time, h.Argon2.MemoryKiB, h.Argon2.Threads)
	if err != nil {
		return Cost{}, fmt.Errorf("%w: %w", ErrHeader, err)
	}
	return cost, nil
}

// checkPath returns ErrHeader for a path that a header cannot hold.
func checkPath(path string) error {
	switch {
	case len(path) > maxPath:
		return fmt.Errorf("%w: path of %d bytes, more than %d", ErrHeader, len(path), maxPath)
	case !utf8.ValidString(path):
		return fmt.Errorf("%w: path is not UTF-8", ErrHeader) // JSON would alter it
	}
	return nil
}
