package daemon

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/o2fa/o2fa/daemon/internal/config"
	"github.com/o2fa/o2fa/daemon/internal/secretsfile"
	"github.com/o2fa/o2fa/daemon/internal/vault"
	"github.com/o2fa/o2fa/internal/atomicfile"
	"github.com/o2fa/o2fa/ipc"
)

// configName is the file of the profile that people write themselves.
const configName = "config.toml"

// settings is config.toml as the daemon goes by it. A file that is good comes
// into force as soon as it is there; one that is bad changes nothing, and status
// says what is wrong with it.
type settings struct {
	path string
	// environment holds what wins over the file, by key.
	environment map[string]override
	log         *slog.Logger
	changed     func()

	reading sync.Mutex  // one look at the file, or one change of it, at a time
	blind   atomic.Bool // the system has no watch to give: whoever wants to know looks

	mu      sync.Mutex    // guards what follows
	force   config.Config // in force
	sound   bool          // force was once what the file says, and not only what stands in for a bad one
	present bool          // there is a file
	problem string        // what is wrong with it, and in which line
}

// override is a value that a variable of the environment gives.
type override struct{ variable, value string }

func newSettings(cfg Config) *settings {
	s := &settings{path: filepath.Join(cfg.Profile.Dir, configName), environment: map[string]override{}, force: config.Default(),
		log: slog.New(slog.DiscardHandler), changed: func() {}}
	for key, o := range map[string]override{
		"keystore":        {"O2FA_KEYSTORE", cfg.Keystore},
		"passphrase_file": {"O2FA_PASSPHRASE_FILE", cfg.PassphraseFile},
	} {
		if o.value != "" {
			s.environment[key] = o
		}
	}
	return s
}

// begin reads the file for the first time. changed is called each time that
// another configuration comes into force.
func (s *settings) begin(log *slog.Logger, changed func()) {
	s.log = log
	s.look()
	s.changed = changed
}

// watch follows the file until ctx ends. It learns of changes from the system,
// so a file that nobody touches costs nothing.
func (s *settings) watch(ctx context.Context) {
	err := secretsfile.New(s.path, secretsfile.Config{}).Run(ctx, s.look)
	if err != nil && ctx.Err() == nil {
		s.log.Warn("watching configuration", "error", err.Error())
		s.blind.Store(true)
	}
}

// look reads the file and brings it into force if it is good.
func (s *settings) look() {
	s.reading.Lock()
	defer s.reading.Unlock()
	_, _ = s.read() // what is wrong is kept for status
}

// lookIfBlind is look where nobody tells of changes.
func (s *settings) lookIfBlind() {
	if s.blind.Load() {
		s.look()
	}
}

// read is look for the one who holds reading. It returns the text as well, which
// is nil where there is no file, and why it is no configuration.
func (s *settings) read() (text []byte, problem error) {
	text, err := secretsfile.ReadFile(s.path, config.MaxSize)
	absent := errors.Is(err, fs.ErrNotExist)
	if absent {
		err = nil
	}
	var c config.Config
	if err == nil {
		c, err = config.Parse(text)
	}
	if err != nil {
		err = s.placed(err)
	}
	s.take(c, !absent, err)
	return text, err
}

// placed names the file, and the line where it is known, as compilers do.
func (s *settings) placed(err error) error {
	if place := (*config.Error)(nil); errors.As(err, &place) {
		return fmt.Errorf("%s:%d: %s", s.path, place.Line, place.Message)
	}
	if cause := (*fs.PathError)(nil); errors.As(err, &cause) {
		err = cause.Err // which names the path, too
	}
	return fmt.Errorf("%s: %w", s.path, err)
}

// take notes what a look has found.
func (s *settings) take(c config.Config, present bool, problem error) {
	s.mu.Lock()
	before := s.list()
	s.present, s.problem = present, ""
	if problem != nil {
		s.problem = problem.Error()
	} else {
		s.force, s.sound = c, true
	}
	now := s.list()
	s.mu.Unlock()
	switch {
	case now.Problem != "" && now.Problem != before.Problem:
		s.log.Warn("configuration is not used", "problem", now.Problem)
	case now.Problem == "" && (before.Problem != "" || !slices.Equal(before.Settings, now.Settings)):
		s.log.Info("configuration is in force", "path", s.path)
		s.changed()
	}
}

// report returns what is in force, and whence.
func (s *settings) report() ipc.Config {
	s.look()
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.list()
}

// list is report for the one who holds mu.
func (s *settings) list() ipc.Config {
	c := ipc.Config{Path: s.path, Present: s.present, Problem: s.problem}
	for _, k := range config.Keys() {
		one := ipc.Setting{Key: k.Name, Value: s.force.Value(k), Default: k.Default, Source: "default", Usage: k.Usage}
		if s.force.Given(k) {
			one.Source = configName
		}
		if told := config.Join(tellable(s.force.LockOn)); k.Name == "lock_on" && told != one.Value {
			one.Value, one.Source = told, "system"
		}
		if o, ok := s.environment[k.Name]; ok {
			one.Value, one.Source = o.value, o.variable
		}
		c.Settings = append(c.Settings, one)
	}
	return c
}

// policy is what the keeper goes by now: by the file as it is, and not as it was
// when the system last told of a change.
func (s *settings) policy() policy {
	s.look()
	s.mu.Lock()
	defer s.mu.Unlock()
	p := policy{
		keystore:       cmp.Or(s.environment["keystore"].value, s.force.Keystore),
		passphraseFile: cmp.Or(s.environment["passphrase_file"].value, s.force.PassphraseFile),
		trashLife:      time.Duration(s.force.TrashDays) * 24 * time.Hour,
	}
	if _, given := s.environment["keystore"]; s.problem != "" && !given {
		// What the file was to say is not known. The key of a vault must not end
		// up in another place for a typing error.
		p.refusal = &ipc.Error{Code: ipc.CodeInvalid, Message: "making no vault by a configuration with a mistake: " + s.problem,
			Hint: "mend the file, or say how: o2fa init --keystore KIND"}
	}
	if !s.sound {
		p.trashLife = 0 // the file may say more than the default
	}
	return p
}

// minValid is how long a code has to be valid when a request does not say.
func (s *settings) minValid() time.Duration {
	s.lookIfBlind()
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.force.MinValid
}

// lockTimes returns after what time a vault locks by itself, from unlocking and
// from the last use; 0 is never.
func (s *settings) lockTimes() (after, idle time.Duration) {
	s.lookIfBlind()
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.force.LockAfter, s.force.LockIdle
}

// lockOn returns what locks the vault, as far as this system tells of it.
func (s *settings) lockOn() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return tellable(s.force.LockOn)
}

// named returns what the file names as what locks the vault; nothing where it
// leaves that to the default.
func (s *settings) named() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, k := range config.Keys() {
		if k.Name == "lock_on" && s.force.Given(k) {
			return slices.Clone(s.force.LockOn)
		}
	}
	return nil
}

// watches says whether the session is of any interest: it may lock the vault, or
// tell that the machine has slept.
func (s *settings) watches() bool {
	after, idle := s.lockTimes()
	return len(s.lockOn()) > 0 || after > 0 || idle > 0
}

// unlock returns what opens the vault after a lock: config.UnlockAuto or
// config.UnlockPassphrase.
func (s *settings) unlock() string {
	s.lookIfBlind()
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.force.Unlock
}

// logs says whether it is noted who asked for what.
func (s *settings) logs() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.force.Log != "off"
}

// backups is how many backups are kept. What the file may say is more than the
// default: until it was read once none has to go.
func (s *settings) backups() int {
	s.lookIfBlind()
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.sound {
		return max(s.force.Backups, manyBackups)
	}
	return s.force.Backups
}

// manyBackups is more than a configuration can ask for.
const manyBackups = 1000

// secretsFile returns what becomes of secrets.json: ipc.ModeWatch, ipc.ModeSeal or
// ipc.ModeMirror.
func (s *settings) secretsFile() string {
	s.lookIfBlind()
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.force.SecretsFile
}

// warnings are what status shows of the file.
func (s *settings) warnings() []ipc.Warning {
	s.lookIfBlind()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.problem == "" {
		return nil
	}
	instead := "what it said before stays in force"
	if !s.sound {
		instead = "the defaults stand in for it"
	}
	return []ipc.Warning{{Code: "config", Message: s.problem + "; " + instead, Hint: "mend the file, or remove it: it is read at once"}}
}

// getConfig answers with all keys, or with the one that is asked for.
func (d *Daemon) getConfig(r *http.Request) (any, error) {
	c := d.settings.report()
	key := r.URL.Query().Get("key")
	if key == "" {
		return c, nil
	}
	for _, one := range c.Settings {
		if one.Key == key {
			c.Settings = []ipc.Setting{one}
			return c, nil
		}
	}
	return nil, wireValue(config.Unknown(key), "o2fa config get %s")
}

// postConfig changes the file.
func (d *Daemon) postConfig(r *http.Request) (any, error) {
	req, err := decode[ipc.ConfigRequest](r)
	if err != nil {
		return nil, err
	}
	if err := d.applicable(req); err != nil {
		return nil, err
	}
	noted := d.settings.logs()
	if err := d.settings.edit(req); err != nil {
		return nil, err
	}
	if noted || d.settings.logs() { // who turns the log off is noted, too
		keys := slices.Sorted(slices.Values(slices.AppendSeq(slices.Clone(req.Unset), maps.Keys(req.Set))))
		d.audit.add(event{What: ipc.LogConfig, Detail: strings.Join(keys, ", ")}.by(r.Context()))
	}
	return d.getConfig(r)
}

// edit changes the file as it is now, whatever it was at the last look.
func (s *settings) edit(req ipc.ConfigRequest) error {
	s.reading.Lock()
	defer s.reading.Unlock()
	text, err := s.read()
	if err != nil {
		return &ipc.Error{Code: ipc.CodeInvalid, Message: err.Error() + ": the file is left as it is", Hint: "mend it with an editor, or remove it"}
	}
	edited, err := config.Edit(text, req.Set, req.Unset)
	if wrong := (*config.ValueError)(nil); errors.As(err, &wrong) && len(req.Set) > 0 {
		return wireValue(wrong, "o2fa config set %s VALUE")
	} else if wrong != nil {
		return wireValue(wrong, "o2fa config unset %s")
	}
	if err != nil || bytes.Equal(text, edited) {
		return err
	}
	target, err := filepath.EvalSymlinks(s.path) // people keep it with their other dotfiles
	if err != nil {
		target = s.path // which is new
	}
	if err := atomicfile.WriteFile(target, edited, 0o600); err != nil {
		return s.unwritten(err)
	}
	_, err = s.read()
	return err
}

// wireValue is a change that cannot be made, as the wire knows it. retry is the
// call for the key that was probably meant.
func wireValue(wrong *config.ValueError, retry string) *ipc.Error {
	wire := &ipc.Error{Code: ipc.CodeInvalid, Message: wrong.Message, Hint: "o2fa config"}
	if wrong.Near != "" {
		wire.Hint = fmt.Sprintf(retry, wrong.Near)
	}
	return wire
}

// unwritten is a failure to write the file, as the wire knows it.
func (s *settings) unwritten(err error) *ipc.Error {
	err = vault.Classify(err)
	switch {
	case errors.Is(err, vault.ErrReadOnly):
		return &ipc.Error{Code: ipc.CodeReadOnly, Message: s.path + " is on a read-only file system: nothing was changed", Hint: "make it writable, then try again"}
	case errors.Is(err, vault.ErrDiskFull):
		return &ipc.Error{Code: ipc.CodeDiskFull, Message: "the disk that holds " + s.path + " is full: nothing was changed", Hint: "free some space there, then try again"}
	}
	return &ipc.Error{Code: ipc.CodeStorage, Message: err.Error(), Hint: "o2fa config"}
}
