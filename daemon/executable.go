package daemon

import (
	"context"
	"encoding/json"
	"io/fs"
	"os"
	"os/exec"
	"sync/atomic"
	"time"

	"github.com/o2fa/o2fa"
	"github.com/o2fa/o2fa/ipc"
)

// executable is the file that this process runs from, as it was at the start.
type executable struct {
	path    string
	info    fs.FileInfo // nil when it could not be read: then it never counts as replaced
	checked *atomic.Int64
}

// VersionReply is what "o2fad version --json" prints.
type VersionReply struct {
	Release string `json:"release"`
	API     int    `json:"api"`
}

// checkEvery bounds how often a busy daemon looks at its own file.
const checkEvery = time.Second

func thisExecutable() executable {
	e := executable{checked: new(atomic.Int64)}
	path, err := os.Executable()
	if err != nil {
		return e
	}
	e.path = path
	e.info, _ = os.Stat(path)
	return e
}

// replaced reports whether a newer release stands where this process was
// started from. It is asked after requests, so an idle daemon never wakes for
// it. A development build, an older release and a missing file do not count.
func (e executable) replaced(now time.Time) bool {
	if e.info == nil {
		return false
	}
	last := e.checked.Load()
	if since := now.UnixNano() - last; since >= 0 && since < int64(checkEvery) || !e.checked.CompareAndSwap(last, now.UnixNano()) {
		return false
	}
	info, err := os.Stat(e.path)
	if err != nil || os.SameFile(info, e.info) && info.ModTime().Equal(e.info.ModTime()) && info.Size() == e.info.Size() {
		return false
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, e.path, "version", "--json").Output()
	if err != nil {
		return false
	}
	var v VersionReply
	return json.Unmarshal(out, &v) == nil && ipc.NewerRelease(v.Release, o2fa.Version())
}
