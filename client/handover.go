package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/o2fa/o2fa"
	"github.com/o2fa/o2fa/ipc"
	"github.com/o2fa/o2fa/ipc/socket"
)

// handOverPause is the least age of a daemon that is replaced, so that two
// programs that each insist on their own daemon do not replace each other's
// without end.
const handOverPause = time.Minute

// candidate is an o2fad that could take over.
type candidate struct {
	path string
	ipc.VersionReply
}

// handOver makes the daemon that gave old end, so that the next connection
// starts a newer one. It returns nil when that daemon is gone, also if another
// client saw to it, and an error that names both binaries if it must stay.
func (s *session) handOver(ctx context.Context, old *reply) error {
	if s.NoStart || s.profile.Fixed {
		_, err := s.accept(old)
		return err
	}
	next, err := s.candidate(ctx)
	if err != nil {
		return s.cannotReplace(ctx, old, next, err.Error())
	}
	before, held, err := s.holder(ctx)
	if err != nil {
		return err
	}
	if !held || before.API >= ipc.Version {
		return nil
	}
	if why := mustStay(old.release, next, before.Started, time.Now()); why != "" {
		return s.cannotReplace(ctx, old, next, why)
	}
	body, err := encodeBody(ipc.ShutdownRequest{Successor: next.Release})
	if err != nil {
		return err
	}
	// In its own number: it refuses ours, that is why we are here.
	rep, err := s.ask(ctx, Request{Method: "POST", Path: ipc.PathShutdown}, body, old.api)
	if err == nil && rep.api < ipc.Version && rep.status >= 300 {
		return s.cannotReplace(ctx, old, next, "it refuses to hand over")
	}
	// No answer may mean that another client was first, so the lock decides.
	return s.waitGone(ctx, before)
}

// mustStay says why the daemon of release running, started then, is not to be
// replaced by next; "" means that it may be.
func mustStay(running string, next *candidate, started, now time.Time) string {
	switch age := now.Sub(started); {
	case next.API < ipc.Version:
		return fmt.Sprintf("that one speaks API %d only", next.API)
	case strings.Contains(next.Release, "-"):
		return "a development build replaces no daemon"
	case !ipc.NewerRelease(next.Release, running):
		return "that one is not newer"
	case started.IsZero():
		return "it does not say since when it runs"
	case age >= 0 && age < handOverPause:
		return "it was started less than a minute ago"
	}
	return ""
}

// holder reads the lock, and waits for a daemon that has only just taken it to
// say who it is. One that cannot write shows as the zero LockInfo.
func (s *session) holder(ctx context.Context) (info socket.LockInfo, held bool, err error) {
	err = poll(ctx, s.waitTime(), func() (bool, error) {
		info, held, err = socket.ReadLock(s.profile)
		return !held || info.PID != 0, err
	})
	if errors.Is(err, errLate) {
		err = nil
	}
	if err != nil {
		err = unavailable(err, "", "asking who holds %s", s.profile.LockFile())
	}
	return info, held, err
}

// waitGone waits until the daemon described by before no longer holds the lock.
func (s *session) waitGone(ctx context.Context, before socket.LockInfo) error {
	err := poll(ctx, 2*s.waitTime(), func() (bool, error) { // a daemon may take 5 s to end
		info, held, err := socket.ReadLock(s.profile)
		return !held || info.PID != before.PID || !info.Started.Equal(before.Started), err
	})
	if err != nil {
		err = unavailable(err, "", "waiting for the old daemon to end (pid %d, log %s)", before.PID, s.profile.LogFile())
	}
	return err
}

// errLate means that what was waited for did not come.
var errLate = errors.New("it takes too long")

// poll calls done until it says so, fails, or time or ctx is over.
func poll(ctx context.Context, limit time.Duration, done func() (bool, error)) error {
	late := time.NewTimer(limit)
	defer late.Stop()
	for pause := firstPause; ; pause = min(2*pause, lastPause) {
		if ok, err := done(); ok || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-late.C:
			return errLate
		case <-time.After(pause):
		}
	}
}

// candidate asks the o2fad that we would start what it is.
func (s *session) candidate(ctx context.Context) (*candidate, error) {
	path, err := s.daemonPath()
	if err != nil {
		return nil, err
	}
	next := &candidate{path: path}
	out, err := s.output(ctx, path, "version", "--json")
	if err != nil {
		return next, fmt.Errorf("asking for its version: %w", err)
	}
	if json.Unmarshal(out, next) != nil || next.Release == "" || next.API <= 0 {
		return next, errors.New("it does not tell its version")
	}
	return next, nil
}

// output runs the daemon's binary for a short answer.
func (s *session) output(ctx context.Context, path string, args ...string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, s.waitTime())
	defer cancel()
	cmd := s.command(path, args...)
	var out bytes.Buffer
	cmd.Stdout = &limited{&out, ipc.MaxVersionReply}
	cmd.WaitDelay = time.Second
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { _ = cmd.Process.Kill() })
	defer stop()
	if err := cmd.Wait(); err != nil {
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return nil, err
	}
	return out.Bytes(), nil
}

// limited refuses what goes beyond n bytes.
type limited struct {
	w io.Writer
	n int
}

func (l *limited) Write(p []byte) (int, error) {
	if l.n -= len(p); l.n < 0 {
		return 0, io.ErrShortWrite
	}
	return l.w.Write(p)
}

// cannotReplace names the running daemon and the one that would follow it.
func (s *session) cannotReplace(ctx context.Context, old *reply, next *candidate, why string) error {
	running := "at " + s.addr
	if rep, err := s.ask(ctx, Request{Method: "GET", Path: ipc.PathStatus}, nil, old.api); err == nil {
		var status ipc.Status
		if json.Unmarshal(rep.body, &status) == nil && status.Executable != "" {
			running = status.Executable
		}
	}
	follower := "no o2fad found"
	if next != nil {
		follower = next.path
		if next.Release != "" {
			follower += ", release " + next.Release
		}
	}
	return fail(ipc.CodeVersion, nil, "install o2fa and o2fad of one release, and end the running daemon",
		"this o2fa (release %s) needs API %d; the daemon %s (release %s) speaks %d and is not replaced by %s: %s",
		o2fa.Version(), ipc.Version, running, old.release, old.api, follower, why)
}
