package o2fa_test

import (
	"bytes"
	"context"
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/o2fa/o2fa/internal/dbus/dbustest"
	"github.com/o2fa/o2fa/ipc"
)

// desk is where a person sits: a display, a bus, and a profile of the programs
// that people get. Nothing there is a terminal.
type desk struct {
	t        *testing.T
	bus      *dbustest.Bus
	display  string // empty: there is none
	programs string
	dir      string            // the profile
	env      map[string]string // on top of the bus's own; an empty value takes one away
}

// newDesk returns one with a bus and, if wanted, a display.
func newDesk(t *testing.T, display bool) *desk {
	t.Helper()
	d := &desk{t: t, programs: buildPrograms(t), env: map[string]string{}}
	if display {
		d.display = dbustest.StartDisplay(t)
	}
	d.bus = dbustest.Start(t, d.display)
	d.dir = filepath.Join(d.bus.Getenv("HOME"), ".open2fa")
	t.Cleanup(func() { d.stop() })
	return d
}

// environ is the environment of a program there.
func (d *desk) environ() []string {
	var env []string
	for _, pair := range d.bus.Environ() {
		if name, _, _ := strings.Cut(pair, "="); !haskey(d.env, name) {
			env = append(env, pair)
		}
	}
	for name, value := range maps.All(d.env) {
		if value != "" {
			env = append(env, name+"="+value)
		}
	}
	return append(env, "OPEN2FA_DIR="+d.dir)
}

func haskey(m map[string]string, key string) bool { _, ok := m[key]; return ok }

func (d *desk) getenv(name string) string {
	for _, pair := range d.environ() {
		if value, ok := strings.CutPrefix(pair, name+"="); ok {
			return value
		}
	}
	return ""
}

// ending is how a program there ended.
type ending struct {
	code      int
	out, errs string
}

// errand is an o2fa that runs.
type errand struct {
	cmd  *exec.Cmd
	done chan ending
}

// begin starts o2fa with in on its standard input. One that is still there after
// a time that no person would wait is ended, with code -1.
func (d *desk) begin(in string, args ...string) *errand {
	d.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
	c := &errand{cmd: exec.CommandContext(ctx, filepath.Join(d.programs, "o2fa"), args...), done: make(chan ending, 1)}
	var out, errs bytes.Buffer
	c.cmd.Env, c.cmd.Dir, c.cmd.Stdin, c.cmd.Stdout, c.cmd.Stderr = d.environ(), "/", strings.NewReader(in), &out, &errs
	c.cmd.WaitDelay = time.Second
	if err := c.cmd.Start(); err != nil {
		d.t.Fatal(err)
	}
	go func() {
		defer cancel()
		err := c.cmd.Wait()
		c.done <- ending{exitCode(err), out.String(), errs.String()}
	}()
	return c
}

// run is begin, and waits.
func (d *desk) run(args ...string) ending {
	d.t.Helper()
	return <-d.begin("", args...).done
}

// must is run for what has to succeed; it returns the output.
func (d *desk) must(args ...string) string {
	d.t.Helper()
	e := d.run(args...)
	if e.code != 0 {
		d.t.Fatalf("o2fa %s: %+v", args, e)
	}
	return e.out
}

// fails runs o2fa, which has to end with code and say each of texts.
func (d *desk) fails(code int, args []string, texts ...string) {
	d.t.Helper()
	e := d.run(args...)
	if e.code != code || e.out != "" {
		d.t.Errorf("o2fa %s: %+v, want exit %d", args, e, code)
	}
	d.says(e, texts...)
}

// says checks that standard error has each of texts.
func (d *desk) says(e ending, texts ...string) {
	d.t.Helper()
	for _, text := range texts {
		if !strings.Contains(e.errs, text) {
			d.t.Errorf("standard error has no %q:\n%s", text, e.errs)
		}
	}
}

// add makes the entry github, and the vault if there is none.
func (d *desk) add() {
	d.t.Helper()
	if e := <-d.begin(rfcSecret+"\n", "add", "-", "github").done; e.code != 0 {
		d.t.Fatalf("o2fa add: %+v", e)
	}
}

const rfcSecret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"

// status is what o2fa status --json says.
func (d *desk) status() (s ipc.Status) {
	d.t.Helper()
	if err := json.Unmarshal([]byte(d.must("status", "--json")), &s); err != nil {
		d.t.Fatal(err)
	}
	return s
}

// stop ends the daemon, if one runs.
func (d *desk) stop() {
	d.t.Helper()
	if err := (&sandbox{}).endDaemon(d.dir, d.getenv); err != nil {
		d.t.Error(err)
	}
}

// holds returns the files of the profile that hold text.
func (d *desk) holds(text string) (found []string) {
	d.t.Helper()
	names, err := filepath.Glob(filepath.Join(d.dir, "*"))
	if err != nil || len(names) == 0 {
		d.t.Fatalf("%d files, %v", len(names), err)
	}
	for _, name := range names {
		data, _ := os.ReadFile(name) // some are directories
		if bytes.Contains(data, []byte(text)) {
			found = append(found, name)
		}
	}
	return found
}
