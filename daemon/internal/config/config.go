// Package config owns config.toml: its keys, their defaults, what their values
// may be, and how one value is changed while everything else in the text stays as
// it was. It is pure: it opens no file, and it knows neither the daemon nor the
// environment. It is the only importer of the TOML module.
package config

import (
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// MaxSize is the size, in bytes, of the largest text that is a configuration.
const MaxSize = 64 << 10

// Config is what a config.toml says. What it leaves out has its default.
type Config struct {
	Backups        int           // how many backups are kept; 0 to maxBackups, 0 makes none
	Keystore       string        // how a new vault is keyed: auto, keyring, passphrase, keyfile, credential
	LockAfter      time.Duration // how long the vault stays open, from unlocking; 0 is for ever, else minLock to maxLock
	LockIdle       time.Duration // the same from the last command that a person gave
	LockOn         []string      // what locks the vault: of LockEvents, in their order
	Log            string        // whether the log of who asked for what is kept: on, off
	MinValid       time.Duration // how long a code has to be valid when a request does not say; 0 to maxMinValid
	PassphraseFile string        // where a passphrase is read from: an absolute path, or empty
	Pinentry       string        // what asks where there is no terminal: an absolute path, never, or empty for the usual places
	SecretsFile    string        // what becomes of open2fa's secrets.json: watch, seal, mirror
	TrashDays      int           // how many days a deleted entry can be brought back; 1 to maxTrashDays
	Unlock         string        // what opens the vault after a lock: UnlockAuto, UnlockPassphrase

	given []string // the keys that the text has
}

// Bounds of values.
const (
	maxMinValid  = time.Minute
	minLock      = time.Second
	maxLock      = 720 * time.Hour // a month: who wants more wants 0s
	maxTrashDays = 3650
	maxBackups   = 1000
	maxPath      = 4096 // bytes
)

// The values of the key unlock.
const (
	UnlockAuto       = "auto"       // any key slot
	UnlockPassphrase = "passphrase" // after a lock, what a person types
)

// LockEvents returns what the key lock_on may name.
func LockEvents() []string { return []string{"screen", "sleep", "logout"} }

// Key is one key of config.toml.
type Key struct {
	Name    string
	Default string // as Edit takes it
	Values  string // what it takes, in words that follow "must be"
	Usage   string // what it is for; lower case, no full stop

	number bool // stands in the text without quotes
	put    func(c *Config, value string) (ok bool)
	get    func(c Config) string
}

// keys is the one table of all keys, sorted. A new key is a row here and a field
// of Config.
var keys = [...]Key{
	{
		Name: "backups", Default: "20", Values: "a number from 0 to 1000", number: true,
		Usage: "how many backups of the vault are kept; 0 makes none",
		put: func(c *Config, value string) bool {
			n, err := strconv.Atoi(value)
			c.Backups = n
			return err == nil && n >= 0 && n <= maxBackups
		},
		get: func(c Config) string { return strconv.Itoa(c.Backups) },
	},
	{
		Name: "keystore", Default: "auto", Values: "auto, keyring, passphrase, keyfile or credential",
		Usage: "how a new vault is keyed",
		put: func(c *Config, value string) bool {
			c.Keystore = value
			return slices.Contains([]string{"auto", "keyring", "passphrase", "keyfile", "credential"}, value)
		},
		get: func(c Config) string { return c.Keystore },
	},
	{
		Name: "lock_after", Default: "0s", Values: lockTimes,
		Usage: "how long after unlocking the vault locks by itself; 0s is never",
		put:   func(c *Config, value string) bool { return putLockTime(&c.LockAfter, value) },
		get:   func(c Config) string { return short(c.LockAfter) },
	},
	{
		Name: "lock_idle", Default: "0s", Values: lockTimes,
		Usage: "how long after the last command the vault locks by itself; 0s is never",
		put:   func(c *Config, value string) bool { return putLockTime(&c.LockIdle, value) },
		get:   func(c Config) string { return short(c.LockIdle) },
	},
	{
		Name: "lock_on", Default: "screen, sleep", Values: "some of screen, sleep and logout, with commas, or never",
		Usage: "what locks the vault: the screen's lock, the machine's sleep, the end of the session",
		put:   func(c *Config, value string) (ok bool) { c.LockOn, ok = lockEvents(value); return ok },
		get:   func(c Config) string { return Join(c.LockOn) },
	},
	{
		Name: "log", Default: "on", Values: "on or off",
		Usage: "whether it is noted who asked for what",
		put: func(c *Config, value string) bool {
			c.Log = value
			return value == "on" || value == "off"
		},
		get: func(c Config) string { return c.Log },
	},
	{
		Name: "min_valid", Default: "0s", Values: "a time from 0s to 1m, such as 5s",
		Usage: "how long a code has to be valid when nothing else is asked for",
		put: func(c *Config, value string) bool {
			d, err := time.ParseDuration(value)
			c.MinValid = d
			return err == nil && d >= 0 && d <= maxMinValid
		},
		get: func(c Config) string { return c.MinValid.String() },
	},
	{
		Name: "passphrase_file", Default: "", Values: "an absolute path, or nothing",
		Usage: "a file whose first line is the vault's passphrase",
		put: func(c *Config, value string) bool {
			c.PassphraseFile = value
			return value == "" || isPath(value)
		},
		get: func(c Config) string { return c.PassphraseFile },
	},
	{
		Name: "pinentry", Default: "", Values: "an absolute path, never, or nothing",
		Usage: "what asks for a passphrase where there is no terminal",
		put: func(c *Config, value string) bool {
			c.Pinentry = value
			return value == "" || value == "never" || isPath(value)
		},
		get: func(c Config) string { return c.Pinentry },
	},
	{
		Name: "secrets_file", Default: "watch", Values: "watch, seal or mirror",
		Usage: "what becomes of open2fa's secrets.json: read it, empty it, keep it equal to the vault",
		put: func(c *Config, value string) bool {
			c.SecretsFile = value
			return slices.Contains([]string{"watch", "seal", "mirror"}, value)
		},
		get: func(c Config) string { return c.SecretsFile },
	},
	{
		Name: "trash_days", Default: "30", Values: "a number from 1 to 3650", number: true,
		Usage: "how many days a deleted entry can be brought back",
		put: func(c *Config, value string) bool {
			n, err := strconv.Atoi(value)
			c.TrashDays = n
			return err == nil && n >= 1 && n <= maxTrashDays
		},
		get: func(c Config) string { return strconv.Itoa(c.TrashDays) },
	},
	{
		Name: "unlock", Default: UnlockAuto, Values: "auto or passphrase",
		Usage: "what opens the vault after a lock: any key slot, or only what a person types",
		put: func(c *Config, value string) bool {
			c.Unlock = value
			return value == UnlockAuto || value == UnlockPassphrase
		},
		get: func(c Config) string { return c.Unlock },
	},
}

// isPath says whether value is an absolute path that can be shown.
func isPath(value string) bool {
	odd := strings.ContainsFunc(value, unicode.IsControl) || strings.ContainsRune(value, utf8.RuneError)
	return filepath.IsAbs(value) && len(value) <= maxPath && !odd
}

// Keys returns all keys, sorted.
func Keys() []Key { return slices.Clone(keys[:]) }

// find returns the key called name.
func find(name string) (*Key, bool) {
	i := slices.IndexFunc(keys[:], func(k Key) bool { return k.Name == name })
	if i < 0 {
		return nil, false
	}
	return &keys[i], true
}

// Default returns the configuration of an empty text.
func Default() Config {
	var c Config
	for _, k := range keys {
		k.put(&c, k.Default)
	}
	return c
}

// Given says whether the text that c was read from has k.
func (c Config) Given(k Key) bool { return slices.Contains(c.given, k.Name) }

// Value returns what c has for k, in the form that Edit takes.
func (c Config) Value(k Key) string { return k.get(c) }

// same says whether both texts say the same.
func (c Config) same(other Config) bool {
	for _, k := range keys {
		if c.Given(k) != other.Given(k) || k.get(c) != k.get(other) {
			return false
		}
	}
	return true
}

// Error is what is wrong with a text, and where.
type Error struct {
	Line    int    // first is 1
	Message string // lower case, no full stop; holds no value of the text
}

// Error returns place and message.
func (e *Error) Error() string { return fmt.Sprintf("line %d: %s", e.Line, e.Message) }

// ValueError is a change that cannot be made.
type ValueError struct {
	Message string // lower case, no full stop; holds no value that was given
	Near    string // the key that was probably meant, where there is none of that name
}

// Error returns the message.
func (e *ValueError) Error() string { return e.Message }
