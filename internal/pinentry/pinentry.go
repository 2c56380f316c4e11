// Package pinentry owns how a person is asked for a passphrase where there is
// no terminal: by GnuPG's pinentry, a program that shows a dialog of its own and
// is spoken to over its standard input and output. It knows where such programs
// are and nothing of what the answer opens.
package pinentry

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/o2fa/o2fa/internal/secret"
)

// Timeout is how long a dialog waits for its person, where Program has none.
const Timeout = 2 * time.Minute

// How long the program may take beyond that: to give up by itself, and to end
// once it has answered.
const (
	grace     = 5 * time.Second
	farewell  = time.Second
	afterKill = time.Second // for those who inherited its output
)

var (
	// ErrCancelled means that the person closed the dialog without an answer.
	ErrCancelled = errors.New("the dialog was cancelled")
	// ErrTimeout means that nobody answered in time.
	ErrTimeout = errors.New("nobody answered the dialog")
	// ErrNoDialog means that the program could not be run, could not show its
	// dialog, or is no pinentry.
	ErrNoDialog = errors.New("no dialog could be shown")
	// ErrEncoding means that the answer is no text in UTF-8.
	ErrEncoding = errors.New("the answer is not UTF-8")
)

// Program is a pinentry.
type Program struct {
	// Path is absolute. Nothing is looked up in PATH.
	Path string
	// Getenv reads the environment of the one who is asked: the display, and how
	// programs look there. Required.
	Getenv func(string) string
	// Timeout bounds one dialog; 0 is two minutes. The program and the dialog are
	// gone a few seconds later, whatever they do.
	Timeout time.Duration
}

// Dialog is what the person sees. Empty parts are left to the program. Control
// characters do not arrive as such, but for the newlines of Text.
type Dialog struct {
	Title string // of the window
	Text  string // above the field; may have several lines
	Label string // beside the field
	Wrong string // what is wrong with the answer before, in another colour
	// Repeat, if set, asks for a new passphrase, twice, and labels the second
	// field. Differ is shown as long as the two differ.
	Repeat, Differ string
}

// Answer is what the person typed.
type Answer struct {
	Secret secret.Bytes // UTF-8; may be empty
	// Repeated says that it was typed twice, the same. An old program does not
	// know how to ask for that.
	Repeated bool
}

// Ask shows d and waits for the answer, which the caller wipes. It returns one of
// the package's errors, or that of ctx. The program has ended when Ask returns.
func (p Program) Ask(ctx context.Context, d Dialog) (Answer, error) {
	if !filepath.IsAbs(p.Path) {
		return Answer{}, fmt.Errorf("%w: %s is no absolute path", ErrNoDialog, p.Path)
	}
	if p.Timeout == 0 {
		p.Timeout = Timeout
	}
	limited, cancel := context.WithTimeoutCause(ctx, p.Timeout+grace, ErrTimeout)
	defer cancel()
	answer, err := p.run(limited, d)
	switch {
	case err == nil:
		return answer, nil
	case ctx.Err() != nil:
		return Answer{}, ctx.Err()
	case limited.Err() != nil:
		err = ErrTimeout
	}
	if errors.Is(err, ErrTimeout) {
		err = fmt.Errorf("%w within %v", ErrTimeout, p.Timeout)
	}
	return Answer{}, err
}

// run is Ask without its error's meaning: what ctx cut off fails somehow.
func (p Program) run(ctx context.Context, d Dialog) (Answer, error) {
	defer tie()() // the program ends with us
	running, kill := context.WithCancel(ctx)
	defer kill()
	cmd := exec.CommandContext(running, p.Path)
	cmd.Env, cmd.Dir, cmd.SysProcAttr, cmd.WaitDelay = environ(p.Getenv), root(p.Path), tied(), afterKill
	in, err := cmd.StdinPipe()
	if err != nil {
		return Answer{}, fmt.Errorf("%w: %w", ErrNoDialog, err)
	}
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		return Answer{}, fmt.Errorf("%w: %w", ErrNoDialog, err)
	}
	// A child of the program may hold its output open for longer than it lives.
	defer context.AfterFunc(ctx, func() { out.Close() })()
	answer, err := converse(in, out, p.settings(), d)
	if err != nil && !errors.Is(err, ErrCancelled) {
		kill() // whatever it shows or waits for
	}
	in.Close()
	defer time.AfterFunc(farewell, kill).Stop()
	_ = cmd.Wait() // its answer counts, not how it ends
	return answer, err
}

// root returns the directory that no program keeps busy.
func root(path string) string { return filepath.VolumeName(path) + string(filepath.Separator) }
