//go:build unix

package socket

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// keepLocked takes the lock of a socket's directory, as a daemon does that is
// stopped in the midst of its start.
func keepLocked(t *testing.T, path string) (release func()) {
	t.Helper()
	f, err := os.Open(filepath.Dir(path))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := tryLock(f, true); !got {
		t.Fatalf("the directory is locked already: %v", err)
	}
	return func() { f.Close() }
}

func TestListenInALockedDirectory(t *testing.T) {
	path := shortDir(t) + "/agent.sock"
	defer keepLocked(t, path)()
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		l, err := Profile{Socket: path}.Listen()
		if err == nil || errors.Is(err, ErrInUse) || !strings.Contains(err.Error(), filepath.Dir(path)+" locked") {
			t.Errorf("Listen = %v, %v", l, err)
		}
		if d := time.Since(start); d < dirWait || d > dirWait+lastPause {
			t.Errorf("it took %v", d)
		}
	})
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a socket was made: %v", err)
	}
}

func TestCloseInALockedDirectory(t *testing.T) {
	path := shortDir(t) + "/agent.sock"
	l := listenAt(t, path)
	release := keepLocked(t, path)
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		if err := l.Close(); err != nil {
			t.Error(err)
		}
		if d := time.Since(start); d < dirWait || d > dirWait+lastPause {
			t.Errorf("it took %v", d)
		}
	})
	if _, err := os.Lstat(path); err != nil {
		t.Errorf("the socket was removed without the lock: %v", err)
	}
	if _, err := Dial(t.Context(), path); !errors.Is(err, ErrNotRunning) {
		t.Errorf("somebody listens: %v", err)
	}
	release()
	accepting(t, listenAt(t, path)) // the next daemon takes the place
}

// TestCloseWaitsForTheDirectory: a daemon that lets go in time delays others,
// nothing more.
func TestCloseWaitsForTheDirectory(t *testing.T) {
	path := shortDir(t) + "/agent.sock"
	l := listenAt(t, path)
	release := keepLocked(t, path)
	synctest.Test(t, func(t *testing.T) {
		time.AfterFunc(dirWait/2, release)
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the socket is still there: %v", err)
	}
}
