package o2fa_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/o2fa/o2fa/ipc"
	"github.com/o2fa/o2fa/ipc/socket"
)

// ensure has a daemon run, and checks that it is in the state that it has to be.
func (s *soak) ensure() ipc.Status {
	s.Helper()
	ctx, cancel := shortly(s.T)
	defer cancel()
	now, err := s.client.Status(ctx)
	if err != nil {
		s.fail("status: %v", err)
	}
	if now.PID != s.pid {
		s.pid = now.PID
		s.locked = !s.opensItself()
	}
	want := ipc.StateReady
	if s.locked {
		want = ipc.StateLocked
	}
	if now.State != want || now.Problem != nil {
		s.fail("state %s (%v), want %s", now.State, now.Problem, want)
	}
	return now
}

// unlocked has a daemon run with an open vault.
func (s *soak) unlocked() {
	s.Helper()
	if s.ensure(); s.locked {
		s.unlock()
	}
}

// daemonGone waits for the end of a daemon that was ended.
func (s *soak) daemonGone() {
	s.Helper()
	await(s.T, "the end of the daemon", func() bool {
		_, held, err := socket.ReadLock(s.profile)
		return err == nil && !held
	})
	s.pid = 0
}

func (s *soak) signal(sig syscall.Signal) {
	s.Helper()
	if err := syscall.Kill(s.pid, sig); err != nil {
		s.fail("signal %v to %d: %v", sig, s.pid, err)
	}
}

func (s *soak) kill() {
	s.Helper()
	s.signal(syscall.SIGKILL)
	s.daemonGone()
}

func (s *soak) killAtRest() {
	s.ensure()
	s.kill()
	if s.odds(2) {
		s.read()
	}
}

// terminate ends the daemon in good order.
func (s *soak) terminate() {
	s.ensure()
	if s.odds(2) {
		s.signal(syscall.SIGTERM)
	} else if err := s.client.Shutdown(s.Context(), ipc.ShutdownRequest{}); err != nil {
		s.fail("shutdown: %v", err)
	}
	s.daemonGone()
}

func (s *soak) killWhileLocking() {
	s.ensure()
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = s.client.Lock(s.Context()) // it may come to nothing
	}()
	<-time.After(time.Duration(s.rng.ExpFloat64() * float64(2*time.Millisecond)))
	pid := s.pid
	_ = syscall.Kill(pid, syscall.SIGKILL)
	<-done
	// The client may have started another one, to lock that.
	now, err := s.client.Status(s.Context())
	if err != nil {
		s.fail("status: %v", err)
	}
	s.pid, s.locked = now.PID, now.State == ipc.StateLocked
	s.unlocked()
}

// manyDaemons starts several at once: one serves.
func (s *soak) manyDaemons() {
	s.ensure()
	before := s.pid
	if s.odds(2) {
		s.kill()
	} else {
		s.signal(syscall.SIGTERM) // they come while it ends
	}
	const many = 3
	ends := make(chan int, many)
	for range many {
		cmd := exec.Command(filepath.Join(s.programs, "o2fad"), "run")
		cmd.Env, cmd.Dir = s.environ(), s.dir
		if err := cmd.Start(); err != nil {
			s.fail("%v", err)
		}
		go func() {
			_ = cmd.Wait() // the exit code says it
			ends <- cmd.ProcessState.ExitCode()
		}()
	}
	for range many - 1 {
		select {
		case code := <-ends:
			if code != 9 {
				s.fail("a second daemon ends with %d", code)
			}
		case <-time.After(patience):
			s.fail("more than one daemon runs")
		}
	}
	await(s.T, "another daemon than before", func() bool { return s.ensure().PID != before })
}

// lock locks the vault, looks what is refused then, and unlocks it.
func (s *soak) lock() {
	s.unlocked()
	pid := s.pid
	var now ipc.Status
	var err error
	if s.byCLI() == nil {
		err = s.cli(s.Context(), "", &now, "lock")
	} else {
		now, err = s.client.Lock(s.Context())
	}
	if err != nil || now.State != ipc.StateLocked || now.PID != pid {
		s.fail("lock: state %s, pid %d after %d, %v", now.State, now.PID, pid, err)
	}
	s.locked = true
	refused := func(what string, err error) {
		if !errors.Is(err, ipc.ErrLocked) {
			s.fail("%s while locked: %v", what, err)
		}
	}
	_, err = s.client.Entries(s.Context(), "", true)
	refused("list", err)
	refused("undo", s.undoRequest(s.client).send(s.Context()))
	refused("add", s.addRequest(s.client).send(s.Context()))
	if s.file.settled() && s.odds(3) {
		s.storm()
	}
	if s.odds(5) {
		s.kill()
		s.ensure()
	}
	if s.locked {
		s.unlock()
	}
	if s.odds(3) {
		s.read()
	}
}

// now is the time of the daemon.
func (s *soak) now() time.Time { return time.Now().Add(s.ahead) }

// clock sets the daemon's clock. A jump is of less than a day or of more than
// thirty: the vault believes in nothing between as time that has passed.
func (s *soak) clock() {
	day := 24 * time.Hour
	s.ahead = one(s, []time.Duration{0, 0, 400 * day, -300 * day}) + time.Duration(s.rng.Int64N(int64(10*time.Hour)))
	s.note("  %v", s.ahead)
	s.setClock()
}

func (s *soak) setClock() {
	path := filepath.Join(s.dir, soakClock)
	if err := writeSecrets(path, []byte(strconv.FormatInt(int64(s.ahead), 10)), true); err != nil {
		s.fail("setting the clock: %v", err)
	}
}

// diskFull takes all room for a while. What is refused then has changed nothing.
func (s *soak) diskFull() {
	if !s.small {
		return
	}
	s.fileSettled()
	filler := fill(s.T, filepath.Join(s.dir, "disk"))
	s.full = true
	steps := []func(*soak){(*soak).add, (*soak).edit, (*soak).delete, (*soak).counter, (*soak).code, (*soak).look,
		func(s *soak) { s.together(false) }}
	if !s.calm {
		steps = append(steps, func(s *soak) { s.together(true) }, (*soak).lockAndUnlock)
	}
	for refused := s.tally[onFullDisk]; refused == s.tally[onFullDisk] && len(s.world().pick(item.live)) < 2*soakLive; {
		s.do(s.addRequest(s.client)) // pages that are free in the file take some
	}
	for range 3 + s.rng.IntN(8) {
		one(s, steps)(s)
	}
	s.full = false
	if err := os.Remove(filler); err != nil {
		s.fail("%v", err)
	}
	s.read()
	s.do(s.addRequest(s.client))
}

func (s *soak) lockAndUnlock() {
	s.unlocked()
	if _, err := s.client.Lock(s.Context()); err != nil {
		s.fail("lock: %v", err)
	}
	s.locked = true
	s.unlock()
}

// readOnlyVault lets a daemon start that may write nothing.
func (s *soak) readOnlyVault() {
	s.fileSettled()
	s.terminate()
	s.writable(false)
	s.unlocked()
	if now := s.ensure(); !now.Vault.ReadOnly {
		s.fail("the vault is not read-only")
	}
	if err := s.addRequest(s.client).send(s.Context()); !errors.Is(err, ipc.ErrReadOnly) {
		s.fail("add to a read-only vault: %v", err)
	}
	s.code()
	s.read()
	s.terminate()
	s.writable(true)
	s.do(s.addRequest(s.client))
}

// writable takes the right to write to the disk away, or gives it back.
func (s *soak) writable(yes bool) {
	flags, file, dir := uintptr(unix.MS_REMOUNT|unix.MS_RDONLY), os.FileMode(0o400), os.FileMode(0o500)
	if yes {
		flags, file, dir = unix.MS_REMOUNT, 0o600, 0o700
	}
	if s.small {
		await(s.T, fmt.Sprintf("the last program to let go of the disk, writable: %t", yes), func() bool {
			return unix.Mount("", filepath.Join(s.dir, "disk"), "", flags, "") == nil
		})
	} else if err := errors.Join(os.Chmod(s.profile.VaultFile(), file), os.Chmod(s.profile.Dir, dir)); err != nil {
		s.fail("making the profile writable (%t): %v", yes, err)
	}
}

// config changes settings, and at times breaks the file.
func (s *soak) config() {
	s.ensure()
	days := strconv.Itoa(31 + s.rng.IntN(300))
	now, err := s.client.Configure(s.Context(), ipc.ConfigRequest{Set: map[string]string{"trash_days": days}})
	if s.full && errors.Is(err, ipc.ErrDiskFull) {
		return
	}
	if err != nil || settingOf(now, "trash_days") != days {
		s.fail("config: %v, %+v", err, now)
	}
	if s.full || s.odds(2) {
		return
	}
	path := filepath.Join(s.profile.Dir, "config.toml")
	good, err := os.ReadFile(path)
	if err != nil {
		s.fail("%v", err)
	}
	bad := one(s, []string{"trash_days = 0\n", "trash_days = ", "nonsense = 1\n", "\x00", "keystore = 7\n"})
	for text, broken := range map[string]bool{bad: true} {
		if err := writeSecrets(path, []byte(text), s.odds(2)); err != nil {
			s.fail("%v", err)
		}
		s.awaitConfig(days, broken)
	}
	_, err = s.client.Configure(s.Context(), ipc.ConfigRequest{Set: map[string]string{"trash_days": "77"}})
	if !errors.Is(err, ipc.ErrInvalid) {
		s.fail("a broken config.toml is written over: %v", err)
	}
	if err := writeSecrets(path, good, s.odds(2)); err != nil {
		s.fail("%v", err)
	}
	s.awaitConfig(days, false)
}

func settingOf(c ipc.Config, key string) string {
	for _, setting := range c.Settings {
		if setting.Key == key {
			return setting.Value
		}
	}
	return ""
}

// awaitConfig waits until the daemon has seen config.toml as it is; what was in
// force stays in force.
func (s *soak) awaitConfig(days string, broken bool) {
	s.Helper()
	await(s.T, fmt.Sprintf("config.toml, broken: %t", broken), func() bool {
		now, err := s.client.Config(s.Context())
		if err != nil || settingOf(now, "trash_days") != days {
			s.fail("config: %v, %+v", err, now)
		}
		return (now.Problem != "") == broken
	})
}
