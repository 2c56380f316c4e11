package command

import (
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// waitForEcho waits until the terminal shows what is typed, or does not.
func waitForEcho(t *testing.T, device *os.File, want bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	deadline := time.After(20 * time.Second)
	for {
		state, err := unix.IoctlGetTermios(int(device.Fd()), unix.TCGETS)
		if err != nil {
			t.Fatal(err)
		}
		if state.Lflag&unix.ECHO != 0 == want {
			return
		}
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("echo never became %v", want)
		}
	}
}
