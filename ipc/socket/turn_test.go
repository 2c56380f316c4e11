package socket

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"
)

// One at a time has the turn, and who waits for it may give up.
func TestTurn(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("beside a pipe there is no file")
	}
	p := Profile{Socket: filepath.Join(t.TempDir(), "agent.sock")}
	first, err := p.Turn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	brief, cancel := context.WithTimeout(t.Context(), 3*turnPause)
	defer cancel()
	if _, err := p.Turn(brief); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a second turn: %v", err)
	}
	second := make(chan func())
	go func() {
		end, err := p.Turn(context.WithoutCancel(t.Context()))
		if err != nil {
			t.Error(err)
		}
		second <- end
	}()
	select {
	case <-second:
		t.Fatal("two have the turn")
	case <-time.After(3 * turnPause):
	}
	first()
	(<-second)()
	if left, err := os.ReadDir(filepath.Dir(p.Socket)); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}

	p.Socket = filepath.Join(p.Socket, "missing", "agent.sock")
	for range 2 {
		if _, err := p.Turn(t.Context()); err != nil {
			t.Errorf("without a directory: %v", err)
		}
	}
}
