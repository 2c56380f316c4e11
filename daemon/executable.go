package daemon

import (
	"context"
	"encoding/json"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"sync"
	"time"

	"github.com/o2fa/o2fa"
	"github.com/o2fa/o2fa/ipc"
)

// executable is the file that this process runs from.
type executable struct {
	path string

	looking sync.WaitGroup
	mu      sync.Mutex  // guards what follows
	judged  fs.FileInfo // what was there when it was last looked at; nil if it could not be read
	last    time.Time
	busy    bool
}

// ownFile leads to the file of this very image, where Linux says so: after a lock
// that may be an older one than what stands in its place by now.
const ownFile = "/proc/self/exe"

// checkEvery bounds how often a busy daemon looks at its own file.
const checkEvery = time.Second

func thisExecutable() *executable {
	e := &executable{}
	path, err := os.Executable()
	if err != nil {
		return e
	}
	e.path = path
	if e.judged, err = os.Stat(ownFile); err != nil { // not there, or not offered by the system
		e.judged, _ = os.Stat(path)
	}
	return e
}

// look finds out, beside whatever the caller does next, whether a newer release
// stands where this process was started from, and then calls replaced. It is
// asked after requests, so an idle daemon never wakes for it, and it looks at
// each file once. A development build, an older release and a missing file do
// not count.
func (e *executable) look(now time.Time, replaced func()) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if since := now.Sub(e.last); e.judged == nil || e.busy || since >= 0 && since < checkEvery {
		return
	}
	e.last = now
	info, err := os.Stat(e.path)
	if err != nil || os.SameFile(info, e.judged) && info.ModTime().Equal(e.judged.ModTime()) && info.Size() == e.judged.Size() {
		return
	}
	e.judged, e.busy = info, true
	e.looking.Go(func() {
		if newerRelease(e.path) {
			replaced()
		}
		e.mu.Lock()
		defer e.mu.Unlock()
		e.busy = false
	})
}

// wait waits for a look under way.
func (e *executable) wait() { e.looking.Wait() }

// newerRelease asks the o2fad at path what it is.
func newerRelease(path string) bool {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, "version", "--json")
	cmd.WaitDelay = time.Second
	cmd.SysProcAttr = unseen()
	out, err := cmd.StdoutPipe()
	if err != nil || cmd.Start() != nil {
		return false
	}
	data, readErr := io.ReadAll(io.LimitReader(out, ipc.MaxVersionReply))
	if cmd.Wait() != nil || readErr != nil {
		return false
	}
	var v ipc.VersionReply
	return json.Unmarshal(data, &v) == nil && ipc.NewerRelease(v.Release, o2fa.Version())
}
