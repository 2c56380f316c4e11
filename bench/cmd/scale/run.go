package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os/exec"
	"time"

	"github.com/o2fa/o2fa/bench/rig"
)

// rest is longer than a daemon takes to give unused memory back.
const rest = 25 * time.Second

// vault is one profile with its daemon, and the figures that are taken of it.
type vault struct {
	ctx     context.Context //nolint:containedctx // of one run, from its begin to its end
	rig     *rig.Rig
	profile rig.Profile
	daemon  *rig.Daemon
	http    http.Client // keeps its connection, so that none is measured
	entries int
	note    noter
}

// run makes a vault of n entries and measures everything once or several times;
// memory at rest, which takes its time, only if it is to settle.
func run(ctx context.Context, r *rig.Rig, n int, note noter, settle bool) error {
	profile, err := r.Profile(n)
	if err != nil {
		return err
	}
	defer func() { _ = profile.Remove() }()
	daemon, took, err := profile.Create(ctx)
	if err != nil {
		return err
	}
	v := &vault{ctx: ctx, rig: r, profile: profile, daemon: daemon, entries: n, note: note}
	v.http.Transport = &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", daemon.Socket)
	}}
	note(kind{name: "import from secrets.json"}, took.Seconds())
	return errors.Join(v.all(settle), daemon.Stop())
}

func (v *vault) all(settle bool) error {
	if err := v.memory(settle); err != nil {
		return err
	}
	for _, step := range []func() error{v.codes, v.lists, v.searches, v.parts, v.changes, v.processes, v.undo} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// memory is noted after the import and, if there is time to settle, when the
// daemon rests from it.
func (v *vault) memory(settle bool) error {
	m, err := rig.MemoryOf(v.daemon.PID)
	if err != nil {
		return err
	}
	v.note(kind{name: "memory: peak of the import", bytes: true}, float64(m.Peak))
	v.note(kind{name: "vault.db", bytes: true}, float64(v.profile.VaultSize()))
	if !settle {
		return nil
	}
	select {
	case <-v.ctx.Done():
		return v.ctx.Err()
	case <-time.After(rest):
	}
	if m, err = rig.MemoryOf(v.daemon.PID); err != nil {
		return err
	}
	v.note(kind{name: "memory: at rest after it", bytes: true}, float64(m.RSS))
	v.note(kind{name: "memory: of that no file's", bytes: true}, float64(m.Anonymous))
	return v.get("/v1/status") // the rest is over
}

// codes are asked for by exact names, before anything has listed the entries.
func (v *vault) codes() error {
	const runs = 50
	first := func(i int) error { return v.code(rig.Name(i * v.entries / runs % v.entries)) }
	if v.entries < runs {
		first = func(i int) error { return v.code(rig.Name(i % v.entries)) }
	}
	err := timed(v.note, kind{name: "code by name, first", flat: true}, min(runs, v.entries), first)
	return errors.Join(err, timed(v.note, kind{name: "code by name, again", flat: true}, 200, func(int) error { return v.code(rig.Name(0)) }))
}

func (v *vault) lists() error {
	if err := rig.ResetPeak(v.daemon.PID); err != nil {
		return err
	}
	err := timed(v.note, kind{name: "list, first"}, 1, func(int) error { return v.get("/v1/entries") })
	return errors.Join(err, v.peak("memory: peak of the first list"), timed(v.note, kind{name: "list, again"}, 5, func(int) error { return v.get("/v1/entries") }))
}

func (v *vault) searches() error {
	for _, s := range []struct{ name, query string }{
		{"search, one hit", "search=000007"}, {"search, no hit", "search=nowhere"}, {"search, all hit, 20 wanted", "search=alice&limit=20"},
	} {
		if err := timed(v.note, kind{name: s.name}, 9, func(int) error { return v.get("/v1/entries?" + s.query) }); err != nil {
			return err
		}
	}
	return timed(v.note, kind{name: "codes, 20 wanted"}, 9, func(int) error { return v.get("/v1/codes?limit=20") })
}

// parts of names find an entry through the list. Each is asked for once, as the
// daemon remembers where a name led.
func (v *vault) parts() error {
	err := timed(v.note, kind{name: "code by beginning of the name"}, 9, func(i int) error { return v.code(fmt.Sprintf("Service%06d", i)) })
	err = errors.Join(err, timed(v.note, kind{name: "code by part of the name"}, 9, func(i int) error { return v.code(fmt.Sprintf("%06d:alice", i)) }))
	return errors.Join(err, timed(v.note, kind{name: "show"}, 9, func(i int) error { return v.get("/v1/entry?name=" + url.QueryEscape(rig.Name(i))) }))
}

// changes add entries and delete them again.
func (v *vault) changes() error {
	const runs = 9
	var ids []string
	err := timed(v.note, kind{name: "add"}, runs, func(i int) error {
		var reply struct {
			Entry struct {
				ID string `json:"id"`
			} `json:"entry"`
		}
		err := v.post("/v1/entries", map[string]any{"name": fmt.Sprint("Added", i), "secret": rig.Secret}, &reply)
		ids = append(ids, reply.Entry.ID)
		return err
	})
	err = errors.Join(err, timed(v.note, kind{name: "list after a change"}, 1, func(int) error { return v.get("/v1/entries") }))
	return errors.Join(err, timed(v.note, kind{name: "delete"}, runs, func(i int) error {
		return v.post("/v1/entries/delete", map[string]any{"ids": ids[i : i+1]}, nil)
	}))
}

func (v *vault) processes() error {
	o2fa := func(args ...string) error {
		cmd := exec.CommandContext(v.ctx, v.rig.Bin("o2fa"), args...)
		cmd.Env = v.profile.Environ()
		return cmd.Run() // without a place for its output: nothing waits for a terminal
	}
	err := timed(v.note, kind{name: "process: o2fa code NAME", flat: true}, 20, func(int) error { return o2fa("code", rig.Name(0)) })
	return errors.Join(err, timed(v.note, kind{name: "process: o2fa list"}, 3, func(int) error { return o2fa("list") }))
}

// peak notes the most memory that the daemon had since the peak was reset.
func (v *vault) peak(name string) error {
	m, err := rig.MemoryOf(v.daemon.PID)
	v.note(kind{name: name, bytes: true}, float64(m.Peak))
	return err
}

// undo takes back everything, the import last, and looks at the trash.
func (v *vault) undo() error {
	if err := rig.ResetPeak(v.daemon.PID); err != nil {
		return err
	}
	for {
		start := time.Now()
		var reply struct {
			Undone string `json:"undone"`
			Count  int    `json:"count"`
		}
		if err := v.post("/v1/undo", nil, &reply); err != nil {
			return err
		}
		if reply.Undone != "secrets-file" {
			continue
		}
		if reply.Count != v.entries {
			return fmt.Errorf("undo took back %d entries", reply.Count)
		}
		v.note(kind{name: "undo of the import"}, time.Since(start).Seconds())
		err := v.peak("memory: peak of the undo")
		err = errors.Join(err, timed(v.note, kind{name: "trash, with all in it"}, 3, func(int) error { return v.get("/v1/trash") }))
		err = errors.Join(err, timed(v.note, kind{name: "trash emptied"}, 1, func(int) error {
			return v.post("/v1/trash/empty", map[string]any{}, nil)
		}))
		return errors.Join(err, v.peak("memory: peak of all"))
	}
}

func (v *vault) code(name string) error { return v.do("POST", rig.CodePath(name), nil, nil) }

func (v *vault) get(path string) error { return v.do("GET", path, nil, nil) }

func (v *vault) post(path string, body, reply any) error {
	data, err := json.Marshal(body)
	if err != nil {
		return err
	}
	return v.do("POST", path, data, reply)
}

// do makes a request and reads the whole reply, into reply if that is not nil.
func (v *vault) do(method, path string, body []byte, reply any) error {
	req, err := http.NewRequestWithContext(v.ctx, method, "http://o2fa"+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	res, err := v.http.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(res.Body)
		return fmt.Errorf("%s %s: %s", method, path, text)
	}
	if reply != nil {
		return json.NewDecoder(res.Body).Decode(reply)
	}
	_, err = io.Copy(io.Discard, res.Body)
	return err
}
