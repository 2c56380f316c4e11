package pinentry_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/o2fa/o2fa/internal/dbus/dbustest"
	"github.com/o2fa/o2fa/internal/pinentry"
)

// kind is a pinentry that is tried: its package, the class of its window, and
// what is typed, with Return after each, to give a new passphrase twice.
type kind struct {
	path, debian, class string
	twice               []string
}

// patience is for a person, as the tests play it on a loaded machine.
const patience = 20 * time.Second

var kinds = []kind{
	{"/usr/bin/pinentry-gtk-2", "pinentry-gtk2", "pinentry", []string{"battery", "battery"}},
	{"/usr/bin/pinentry-gnome3", "pinentry-gnome3", "gcr-prompter", []string{"battery\tbattery"}},
}

// question is what all dialogs here ask.
var question = pinentry.Dialog{Title: "o2fa", Text: "The vault of 100% ä,\nand a second line", Label: "Passphrase:"}

// dialogs runs f with each pinentry, on a display and a bus of its own.
func dialogs(t *testing.T, f func(t *testing.T, p pinentry.Program, display string, k kind)) {
	for _, k := range kinds {
		t.Run(filepath.Base(k.path), func(t *testing.T) {
			dbustest.Need(t, k.path, k.debian)
			display := dbustest.StartDisplay(t)
			bus := dbustest.Start(t, display)
			f(t, pinentry.Program{Path: k.path, Getenv: bus.Getenv, Timeout: patience}, display, k)
		})
	}
}

// asked is what became of a dialog.
type asked struct {
	text     string
	repeated bool
	err      error
}

// ask shows d in the background.
func ask(ctx context.Context, p pinentry.Program, d pinentry.Dialog) <-chan asked {
	done := make(chan asked, 1)
	go func() {
		answer, err := p.Ask(ctx, d)
		done <- asked{string(answer.Secret.Reveal()), answer.Repeated, err}
	}()
	return done
}

func TestDialog(t *testing.T) {
	dialogs(t, func(t *testing.T, p pinentry.Program, display string, k kind) {
		done := ask(t.Context(), p, question)
		dbustest.Type(t, display, k.class, "correct horse 100%")
		if got := <-done; got.err != nil || got.text != "correct horse 100%" || got.repeated {
			t.Errorf("%+v", got)
		}
		dbustest.WaitWindow(t, display, k.class, false)

		wrong := question
		wrong.Wrong = "the passphrase is wrong, try again"
		done = ask(t.Context(), p, wrong)
		dbustest.WaitWindow(t, display, k.class, true)
		dbustest.Press(t, display, "Escape")
		if got := <-done; !errors.Is(got.err, pinentry.ErrCancelled) {
			t.Errorf("after Escape: %+v", got)
		}
		dbustest.WaitWindow(t, display, k.class, false)
	})
}

// A new passphrase is typed twice, into two fields or into two dialogs.
func TestNewPassphrase(t *testing.T) {
	dialogs(t, func(t *testing.T, p pinentry.Program, display string, k kind) {
		d := question
		d.Repeat, d.Differ = "Repeat it:", "they differ"
		done := ask(t.Context(), p, d)
		for _, text := range k.twice {
			dbustest.Type(t, display, k.class, text)
		}
		if got := <-done; got.err != nil || got.text != "battery" || !got.repeated {
			t.Errorf("%+v", got)
		}
	})
}

// A dialog that nobody answers goes by itself, program and all.
func TestNobodyAnswers(t *testing.T) {
	dialogs(t, func(t *testing.T, p pinentry.Program, display string, k kind) {
		p.Timeout = time.Second
		got := <-ask(t.Context(), p, question)
		if !errors.Is(got.err, pinentry.ErrTimeout) || !strings.Contains(got.err.Error(), "within 1s") {
			t.Errorf("%+v", got)
		}
		dbustest.WaitWindow(t, display, k.class, false)
	})
}

// The one who asked gives up: the dialog goes.
func TestCallerGivesUp(t *testing.T) {
	dialogs(t, func(t *testing.T, p pinentry.Program, display string, k kind) {
		ctx, cancel := context.WithCancel(t.Context())
		done := ask(ctx, p, question)
		dbustest.WaitWindow(t, display, k.class, true)
		cancel()
		if got := <-done; !errors.Is(got.err, context.Canceled) {
			t.Errorf("%+v", got)
		}
		dbustest.WaitWindow(t, display, k.class, false)
	})
}

// Programs that are no pinentries, or cannot show anything, are given up on in
// time.
func TestNoDialog(t *testing.T) {
	dir := t.TempDir()
	script := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte("#!/bin/sh\n"+text), 0o700); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for path, want := range map[string]error{
		"/bin/true":                   pinentry.ErrNoDialog,
		"/bin/ls":                     pinentry.ErrNoDialog,
		filepath.Join(dir, "missing"): pinentry.ErrNoDialog,
		"pinentry":                    pinentry.ErrNoDialog, // not absolute
		dir:                           pinentry.ErrNoDialog,
		script("lines", "exec yes S"): pinentry.ErrNoDialog,
		script("data", "echo OK; exec yes D secret"): pinentry.ErrNoDialog,
		script("silent", "exec sleep 20"):            pinentry.ErrTimeout,
		script("heir", "sleep 20 & wait"):            pinentry.ErrTimeout, // a child holds its output
	} {
		t.Run(filepath.Base(path), func(t *testing.T) {
			t.Parallel()
			p := pinentry.Program{Path: path, Getenv: func(string) string { return "" }, Timeout: time.Millisecond}
			_, err := p.Ask(t.Context(), question)
			if !errors.Is(err, want) || strings.Contains(err.Error(), "secret") {
				t.Errorf("%v, want %v", err, want)
			}
		})
	}
}
