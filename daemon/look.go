package daemon

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"time"

	"github.com/o2fa/o2fa/daemon/internal/secretsfile"
	"github.com/o2fa/o2fa/daemon/internal/vault"
	"github.com/o2fa/o2fa/ipc"
)

// found is how a look ended.
type found struct {
	rows     int // good rows that stand in the file
	problems []secretsfile.Problem
	err      error
}

// look reads the file, and does what the mode says.
func (in *intake) look(ctx context.Context, o order) {
	in.looking.Lock()
	defer in.looking.Unlock()
	in.stir()
	mode := in.mode()
	in.update(func() { in.seen.Mode, in.seen.Target = mode, linked(in.path) })
	if err := in.keeper.check(ctx); errors.Is(err, ipc.ErrLocked) || errors.Is(err, ipc.ErrWaiting) {
		in.postpone()
		return
	}
	if err := in.prepare(ctx, mode, o); err != nil {
		in.conclude(found{err: err})
		return
	}
	data, err := secretsfile.Read(in.path)
	defer clear(data)
	if err != nil && !(mode == ipc.ModeMirror && errors.Is(err, fs.ErrNotExist) && in.keeper.check(ctx) == nil) {
		in.refuse(mode, err)
		return
	}
	if mode != ipc.ModeMirror {
		if rows, same := in.unchanged(ctx, data); same && (mode == ipc.ModeWatch || rows == 0) {
			in.conclude(found{rows: rows})
			return
		}
	}
	var file secretsfile.File
	if err == nil {
		file, err = secretsfile.Parse(data)
		defer file.Wipe()
		if err != nil {
			in.refuse(mode, fmt.Errorf("reading secrets file: %w", err))
			return
		}
	}
	in.conclude(in.apply(ctx, mode, o, data, file))
}

// linked returns where a path leads if it is a symbolic link.
func linked(path string) string {
	if real, err := filepath.EvalSymlinks(path); err == nil && real != path {
		if dir, err := filepath.EvalSymlinks(filepath.Dir(path)); err != nil || real != filepath.Join(dir, filepath.Base(path)) {
			return real
		}
	}
	return ""
}

// apply brings file and vault together as the mode says.
func (in *intake) apply(ctx context.Context, mode string, o order, data []byte, file secretsfile.File) found {
	t := &taker{}
	var kept []secretsfile.Problem
	work := func(v *vault.Vault) (err error) {
		switch mode {
		case ipc.ModeMirror:
			t, err = in.mirror(v, data, file, o)
		case ipc.ModeSeal:
			t, kept, err = in.seal(v, data, file)
		default:
			t, err = takeRows(v, file, data, pieceRows)
		}
		return err
	}
	var err error
	if o.create && len(file.Rows) > 0 {
		err = in.keeper.change(ctx, "", work)
	} else {
		err = in.keeper.use(ctx, work)
	}
	if t.changed > 0 {
		in.took(t.changed)
		in.log.Info("took secrets file in", "changed", t.changed, "rows", len(file.Rows), "rejected", len(file.Problems))
	}
	f := found{rows: t.stand, problems: append(append(file.Problems, t.refused...), kept...), err: err}
	for i := range f.problems {
		f.problems[i].Position = t.stands(f.problems[i].Position)
	}
	if mode == ipc.ModeWatch || err != nil {
		f.rows = len(file.Rows) - len(t.refused)
	}
	return f
}

// prepare does what comes before a look at the file: it ends a mirror whose mode
// is over, takes in what an interrupted write has left beside the file, and sees to
// the UUID.
func (in *intake) prepare(ctx context.Context, mode string, o order) error {
	err := in.keeper.use(ctx, func(v *vault.Vault) error {
		mark, err := v.Meta(metaMirror)
		if err != nil {
			return err
		}
		if mark != nil && mode != ipc.ModeMirror {
			in.recent.forget()
			if err := v.Update("", func(tx *vault.Tx) error { return tx.PutMeta(metaMirror, nil) }); err != nil {
				return err
			}
		}
		if mode == ipc.ModeMirror && (mark == nil || o.anew) {
			if err := in.uuid.putBack(v); err != nil {
				return err
			}
		}
		in.noteUUID(in.uuid.take(v, mode == ipc.ModeSeal && o.accept, mode == ipc.ModeSeal))
		return in.recover(v)
	})
	switch wire := (*ipc.Error)(nil); {
	case err == nil:
		return nil
	case errors.As(err, &wire), errors.Is(err, vault.ErrLocked): // no vault that is open
		return nil
	}
	return err
}

// noteUUID keeps what is wrong with open2fa.uuid.
func (in *intake) noteUUID(err error) {
	in.update(func() {
		in.uuidErr = ""
		if err != nil && !errors.Is(err, vault.ErrLocked) {
			in.uuidErr = err.Error()
		}
	})
}

// recover takes in the rows of what an interrupted write has left, as far as they
// are nowhere yet, and removes it. Nothing counts as removed or renamed by it.
func (in *intake) recover(v *vault.Vault) error {
	left, err := secretsfile.Aside(in.path)
	defer clear(left)
	if left == nil || err != nil {
		return err
	}
	file, err := secretsfile.Parse(left)
	defer file.Wipe()
	if err != nil {
		return fmt.Errorf("what an interrupted write has left: %s: %w", secretsfile.AsideName(in.path), err)
	}
	m := &mirroring{taker: newTaker(v, file), file: file}
	if m.before, err = lookAt(v); err != nil {
		return err
	}
	last, err := lastRows(v)
	if err != nil {
		return err
	}
	c := secretsfile.Diff(last, m.now)
	for _, pair := range c.Rename {
		c.Add = append(c.Add, pair.Row)
	}
	m.begin(secretsfile.Changes{Add: c.Add, Keep: c.Keep})
	m.match()
	if err := m.rescue(v, pieceRows); err != nil {
		return err
	}
	in.log.Info("took in what an interrupted write has left", "rows", len(file.Rows), "new", m.changed)
	return secretsfile.DropAside(in.path, left)
}

// refuse notes a file that is not there or cannot be used as a whole. Neither
// changes anything in the vault.
func (in *intake) refuse(mode string, err error) {
	in.update(func() {
		s := &in.seen
		s.Present, s.Rows, s.Rejected, s.NeedLook, s.Problem, s.Held, s.Dropped = false, 0, nil, false, "", "", 0
		in.pending, in.failed = false, false
		if errors.Is(err, fs.ErrNotExist) {
			return
		}
		s.Present, s.Problem = true, err.Error()
		if mode == ipc.ModeMirror {
			s.Held = ipc.HeldInvalid
		}
		in.log.Warn("reading secrets file", "error", err.Error())
	})
}

// conclude notes how a look at a good file ended.
func (in *intake) conclude(f found) {
	if in.cross(f.err) {
		return
	}
	in.update(func() {
		s := &in.seen
		s.Present, s.Rows, s.Problem, s.NeedLook, s.Held, s.Dropped = true, f.rows, "", false, "", 0
		in.pending, in.failed = false, false
		s.Rejected = make([]ipc.RowProblem, 0, min(len(f.problems), maxProblems))
		for _, p := range f.problems[:min(len(f.problems), maxProblems)] {
			s.Rejected = append(s.Rejected, ipc.RowProblem{Position: p.Position, Reason: p.Reason})
		}
		if f.err == nil {
			s.TakenAt = in.keeper.now().UTC().Format(time.RFC3339)
			return
		}
		if held := (*heldError)(nil); errors.As(f.err, &held) {
			s.Held, s.Dropped, s.Problem, s.Present = held.held, held.dropped, held.Error(), held.held != ipc.HeldMissing
			in.log.Warn("secrets file is held", "reason", held.held, "dropped", held.dropped)
			return
		}
		switch wire := in.fileProblem(f.err); wire.Code {
		case ipc.CodeLocked, ipc.CodeWaiting:
			s.NeedLook = true
		case ipc.CodeUninitialized, ipc.CodeKeystore:
			in.pending, s.Problem = true, "there is no vault yet to take it into"
		default:
			in.keeper.report(f.err)
			in.log.Warn("taking secrets file in", "error", f.err.Error())
			in.failed, s.Problem = true, wire.Message
		}
	})
}

// The wait before a write is tried again that another program came in between of.
const (
	retryFirst = 50 * time.Millisecond
	retryLast  = 10 * time.Second
)

// cross says whether a look met another program that was writing, and has it made
// again. What is known of the file stays until then.
func (in *intake) cross(err error) bool {
	if !errors.Is(err, secretsfile.ErrChanged) {
		in.tries = 0
		return false
	}
	in.log.Info("another program is writing the secrets file", "tries", in.tries)
	time.AfterFunc(min(retryFirst<<min(in.tries, 10), retryLast), in.nudge)
	in.tries++
	return in.tries < 10 // after some seconds it is told
}

// fileProblem is problemOf for what may also have to do with the file.
func (in *intake) fileProblem(err error) *ipc.Error {
	if path := (*fs.PathError)(nil); errors.As(err, &path) {
		return &ipc.Error{Code: ipc.CodeStorage, Message: err.Error()}
	}
	if errors.Is(err, secretsfile.ErrChanged) || errors.Is(err, secretsfile.ErrForeign) || errors.Is(err, secretsfile.ErrInvalid) {
		return &ipc.Error{Code: ipc.CodeStorage, Message: err.Error()}
	}
	return in.keeper.problemOf(err)
}
