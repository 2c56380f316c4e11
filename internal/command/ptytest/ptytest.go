// Package ptytest owns a pseudo-terminal for tests of what is asked in front of
// a person. It knows nothing of the questions.
package ptytest

import (
	"bytes"
	"os"
	"strings"
	"sync"
	"testing"
	"time"
)

// Terminal is a terminal with a test sitting at it.
type Terminal struct {
	// Device is the program's side: use it as standard input and error.
	Device *os.File

	t      testing.TB
	master *os.File
	more   chan struct{} // a value when screen grew
	mu     sync.Mutex
	screen bytes.Buffer // guarded by mu; all that was shown
}

// New opens a terminal. The test is skipped where the system has none.
func New(t testing.TB) *Terminal {
	t.Helper()
	master, device, err := open()
	if err != nil {
		t.Skipf("opening a pseudo-terminal: %v", err)
	}
	p := &Terminal{Device: device, t: t, master: master, more: make(chan struct{}, 1)}
	done := make(chan struct{})
	go func() { defer close(done); p.watch() }()
	t.Cleanup(func() {
		device.Close() // ends the read at the other side
		master.Close()
		<-done
	})
	return p
}

func (p *Terminal) watch() {
	buf := make([]byte, 4096)
	for {
		n, err := p.master.Read(buf)
		if err != nil {
			return
		}
		p.mu.Lock()
		p.screen.Write(buf[:n])
		p.mu.Unlock()
		select {
		case p.more <- struct{}{}:
		default:
		}
	}
}

// Resize gives the terminal a size, at most 65,535 either way.
func (p *Terminal) Resize(columns, lines int) {
	p.t.Helper()
	if err := resize(p.Device, columns, lines); err != nil {
		p.t.Fatalf("resizing the terminal: %v", err)
	}
}

// Screen returns all that was shown so far.
func (p *Terminal) Screen() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.screen.String()
}

// Expect waits until text was shown.
func (p *Terminal) Expect(text string) {
	p.t.Helper()
	if !p.Await(0, text, 20*time.Second) {
		p.t.Fatalf("the terminal never showed %q but %q", text, p.Screen())
	}
}

// Await waits until text was shown beyond the first seen bytes, at most for a
// time, and says whether it was.
func (p *Terminal) Await(seen int, text string, most time.Duration) bool {
	deadline := time.After(most)
	for !strings.Contains(p.Screen()[seen:], text) {
		select {
		case <-p.more:
		case <-deadline:
			return false
		}
	}
	return true
}

// Type types text.
func (p *Terminal) Type(text string) {
	p.t.Helper()
	if _, err := p.master.WriteString(text); err != nil {
		p.t.Fatal(err)
	}
}

// ExpectUnread waits until so many bytes, of whole lines, were typed and not read.
func (p *Terminal) ExpectUnread(count int) {
	p.t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for deadline := time.After(20 * time.Second); ; {
		n, err := unread(p.Device)
		if err != nil {
			p.t.Fatalf("asking for what was typed: %v", err)
		}
		if n == count {
			return
		}
		select {
		case <-tick.C:
		case <-deadline:
			p.t.Fatalf("%d bytes are unread, want %d", n, count)
		}
	}
}
