package session_test

import (
	"testing"
	"unsafe"

	"golang.org/x/sys/windows"

	"github.com/o2fa/o2fa/daemon/internal/session"
)

// window returns the window of the Watcher that runs; 0 if none does.
func window(t *testing.T) uintptr {
	t.Helper()
	name, err := windows.UTF16PtrFromString("o2fa session")
	if err != nil {
		t.Fatal(err)
	}
	find := windows.NewLazySystemDLL("user32.dll").NewProc("FindWindowExW")
	for _, parent := range []uintptr{0, ^uintptr(2)} {
		if found, _, _ := find.Call(parent, 0, uintptr(unsafe.Pointer(name)), 0); found != 0 {
			return found
		}
	}
	return 0
}

// send sends what Windows would, and returns when it was handled.
func send(to uintptr, id, first uintptr) uintptr {
	r, _, _ := windows.NewLazySystemDLL("user32.dll").NewProc("SendMessageW").Call(to, id, first, 0)
	return r
}

// TestMessages: what Windows tells of the session and of the machine's sleep. The
// messages are sent by hand; whether Windows sends them is not shown.
func TestMessages(t *testing.T) {
	const change, power, end = 0x02B1, 0x0218, 0x0016
	l := start(t, session.Config{})
	eventually(t, "the window", func() bool { return window(t) != 0 })
	eventually(t, "the first state", func() bool { return l.Hears(session.Sleeping) || l.Deaf(session.Sleeping) })
	w := window(t)
	for _, step := range []struct {
		id, first uintptr
		want      []session.Event
	}{
		{change, windows.WTS_SESSION_LOCK, []session.Event{session.Locked}},
		{change, windows.WTS_SESSION_LOCK, nil},
		{change, windows.WTS_SESSION_REMOTE_CONTROL, nil},
		{power, 0x04, []session.Event{session.Sleeping}},
		{power, 0x12, []session.Event{session.Woken}},
		{power, 0x07, nil},
		{power, 0x0A, nil}, // the battery
		{change, windows.WTS_SESSION_UNLOCK, []session.Event{session.Back}},
		{power, 0x04, []session.Event{session.Sleeping}},
		{power, 0x07, []session.Event{session.Woken, session.Back}},
		{change, windows.WTS_SESSION_LOGOFF, []session.Event{session.Ended}},
		{end, 0, nil},
		{end, 1, []session.Event{session.Ended}},
	} {
		send(w, step.id, step.first)
		l.wants(step.want...) // it was handled before send returned
	}
	l.stop()
	if window(t) != 0 {
		t.Error("the window is still there")
	}
	again := start(t, session.Config{Held: []string{"session"}})
	eventually(t, "the window", func() bool { return window(t) != 0 })
	eventually(t, "the first state", func() bool { return again.Hears(session.Sleeping) || again.Deaf(session.Sleeping) })
	send(window(t), change, windows.WTS_SESSION_UNLOCK)
	if got := again.told(); len(got) != 1 || got[0] != session.Back {
		t.Errorf("told %v", got)
	}
}
