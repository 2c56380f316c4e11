package client

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/o2fa/o2fa/ipc/socket"
)

const (
	exitAlreadyRunning = 9 // of an o2fad that found another one serving
	maxStarts          = 3 // in one call, of daemons that each gave way to another
	maxLogLine         = 500
)

// Waits between two looks for a daemon that is on its way.
const (
	firstPause = time.Millisecond
	lastPause  = 50 * time.Millisecond
)

// connect returns a connection to the profile's daemon, which it starts if
// there is none.
func (s *session) connect(ctx context.Context) (net.Conn, error) {
	conn, err := socket.Dial(ctx, s.profile.Socket)
	if err == nil {
		return conn, nil
	}
	if !errors.Is(err, socket.ErrNotRunning) {
		return nil, unavailable(err, "", "reaching the daemon at %s", s.profile.Socket)
	}
	if s.profile.Fixed && s.next {
		return s.awaitNext(ctx)
	}
	if s.profile.Fixed {
		return nil, unavailable(err, "unset O2FA_SOCKET to use a daemon on this machine", "reaching the daemon at %s", s.profile.Socket)
	}
	if s.NoStart {
		return s.lookup(ctx)
	}
	return s.start(ctx)
}

// awaitNext returns a connection to the successor of a daemon whose lock is not
// to be seen.
func (s *session) awaitNext(ctx context.Context) (conn net.Conn, err error) {
	err = poll(ctx, s.waitTime(), func() (bool, error) {
		var dialErr error
		if conn, dialErr = socket.Dial(ctx, s.profile.Socket); errors.Is(dialErr, socket.ErrNotRunning) {
			return false, nil
		}
		return true, dialErr
	})
	if err != nil {
		return nil, unavailable(err, "", "waiting for the next daemon at %s", s.profile.Socket)
	}
	return conn, nil
}

// lookup returns a connection to a daemon that runs. It waits for one that holds
// the lock and does not listen yet, or whose successor is on its way.
func (s *session) lookup(ctx context.Context) (conn net.Conn, err error) {
	err = poll(ctx, s.waitTime(), func() (bool, error) {
		info, held, err := socket.ReadLock(s.profile)
		if err == nil {
			conn, err = s.dialAny(ctx, info, held)
		}
		return conn != nil || !held, err
	})
	if err == nil && conn == nil || errors.Is(err, errLate) {
		err = socket.ErrNotRunning
	}
	if err != nil {
		return nil, unavailable(err, "", "looking for the daemon of %s", s.profile.Dir)
	}
	return conn, nil
}

// dialAny tries the profile's socket and, if a daemon holds the lock, the one
// that it says it listens at: a client of another session may compute another
// address. No connection and no error means that nobody listens.
func (s *session) dialAny(ctx context.Context, info socket.LockInfo, held bool) (net.Conn, error) {
	addrs := []string{s.profile.Socket}
	if held && info.Socket != "" && info.Socket != s.profile.Socket {
		addrs = append(addrs, info.Socket)
	}
	for _, addr := range addrs {
		conn, err := socket.Dial(ctx, addr)
		if err == nil {
			s.addr = addr
			return conn, nil
		}
		if !errors.Is(err, socket.ErrNotRunning) {
			return nil, err
		}
	}
	return nil, nil
}

// start returns a connection to the daemon, which it starts if nobody holds the
// profile's lock. The lock decides, so of many clients that start at once all
// reach the one daemon: the others' end with exitAlreadyRunning.
func (s *session) start(ctx context.Context) (net.Conn, error) {
	late := time.NewTimer(s.waitTime())
	defer late.Stop()
	var child *daemon
	starts := 0
	for pause := firstPause; ; pause = min(2*pause, lastPause) {
		info, held, err := socket.ReadLock(s.profile)
		if err != nil {
			return nil, unavailable(err, "", "looking for the daemon")
		}
		conn, err := s.dialAny(ctx, info, held)
		if err != nil {
			return nil, unavailable(err, "", "reaching the daemon")
		}
		if conn != nil {
			return conn, nil
		}
		if !held && child == nil && starts < maxStarts {
			if child, err = s.launch(); err != nil {
				return nil, unavailable(err, "", "starting the daemon")
			}
			starts++
			late.Reset(s.waitTime())
		}
		select {
		case <-ctx.Done():
			return nil, unavailable(ctx.Err(), "", "waiting for the daemon")
		case <-late.C:
			return nil, s.mute(errMute)
		case code := <-child.ended():
			if code != exitAlreadyRunning {
				return nil, unavailable(child.why(code), "", "starting the daemon")
			}
			child = nil
		case <-time.After(pause):
		}
	}
}

// daemon is an o2fad that this process started.
type daemon struct {
	path    string
	logPath string
	logFrom int64    // size of the log before it was started
	exit    chan int // its exit code; -1 if a signal ended it
}

// ended returns the channel with the exit code; without a daemon nothing comes.
func (d *daemon) ended() <-chan int {
	if d == nil {
		return nil
	}
	return d.exit
}

// why says how the daemon ended, with the last line that it wrote.
func (d *daemon) why(code int) error {
	text := fmt.Sprintf("%s ended with exit code %d", d.path, code)
	if code < 0 {
		text = d.path + " was ended by a signal"
	}
	if line := d.lastLine(); line != "" {
		return fmt.Errorf("%s: %s (log: %s)", text, line, d.logPath)
	}
	return fmt.Errorf("%s (log: %s)", text, d.logPath)
}

// lastLine returns the line that says most of those that came into the log since
// the start: mostly the last.
func (d *daemon) lastLine() string {
	f, err := os.Open(d.logPath)
	if err != nil {
		return ""
	}
	defer f.Close()
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil || size <= d.logFrom {
		return ""
	}
	read := func(from int64) []byte {
		data, _ := io.ReadAll(io.NewSectionReader(f, from, maxLogLine)) // what was read has to do
		return bytes.TrimSpace(data)
	}
	// The Go runtime says why it gives up, and then what it was doing at length.
	first, _, _ := bytes.Cut(read(d.logFrom), []byte("\n"))
	if bytes.HasPrefix(first, []byte("fatal error: ")) || bytes.HasPrefix(first, []byte("runtime: ")) {
		return string(first)
	}
	data := read(max(d.logFrom, size-maxLogLine))
	return string(data[bytes.LastIndexByte(data, '\n')+1:])
}

// launch starts o2fad in a session of its own: no signal of our terminal
// reaches it, no directory is kept busy by it, and it outlives us.
func (s *session) launch() (*daemon, error) {
	path, err := s.daemonPath()
	if err != nil {
		return nil, err
	}
	if err := s.profile.MakeDir(); err != nil {
		return nil, err
	}
	d := &daemon{path: path, logPath: s.profile.LogFile(), exit: make(chan int, 1)}
	log, err := openLog(d.logPath)
	if err != nil {
		// A read-only profile can still be served; it has no log.
		d.logPath = os.DevNull
		if log, err = os.OpenFile(os.DevNull, os.O_WRONLY, 0); err != nil {
			return nil, err
		}
	}
	defer log.Close()
	if info, err := log.Stat(); err == nil {
		d.logFrom = info.Size()
	}
	cmd := s.command(path, "run")
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	go func() { // ends with the daemon, or with us
		_ = cmd.Wait() // the exit code says it
		d.exit <- cmd.ProcessState.ExitCode()
	}()
	return d, nil
}

// command returns the daemon's binary with arguments, to be run detached, in a
// clean environment and with nothing on stdin.
func (s *session) command(path string, args ...string) *exec.Cmd {
	env := s.Environ
	if env == nil {
		env = s.profile.Environ()
	}
	return &exec.Cmd{
		Path:        path,
		Args:        append([]string{path}, args...),
		Env:         env,
		Dir:         filepath.VolumeName(path) + string(filepath.Separator),
		SysProcAttr: detached(),
	}
}

// daemonPath returns the o2fad that belongs to this program. Neither PATH nor
// the working directory has a say: whoever can put a file there must not become
// the keeper of the secrets.
func (s *session) daemonPath() (string, error) {
	if s.Daemon != "" {
		return filepath.Abs(s.Daemon)
	}
	exe, err := os.Executable()
	if err == nil {
		exe, err = filepath.EvalSymlinks(exe)
	}
	if err != nil {
		return "", fmt.Errorf("finding this program's own file: %w", err)
	}
	return besides(filepath.Dir(exe))
}

// besides returns the o2fad of a program that is installed in dir.
func besides(dir string) (string, error) {
	places := []string{
		filepath.Join(dir, daemonName),
		filepath.Join(dir, "..", "libexec", "o2fa", daemonName),
	}
	for _, path := range places {
		info, err := os.Stat(path)
		if err == nil && info.Mode().IsRegular() {
			return path, nil
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
	}
	return "", fmt.Errorf("there is no o2fad at %s or %s", places[0], places[1])
}
