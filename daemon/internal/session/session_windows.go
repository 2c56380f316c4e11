package session

import (
	"context"
	"runtime"

	"golang.org/x/sys/windows"
)

// here is the one session that a process of Windows belongs to, as a holder.
const here = "session"

// Supported returns the events that this system can tell of.
func Supported() []Event { return []Event{Locked, Sleeping, Ended} }

// Run listens until ctx ends. Each call costs a place of the runtime's for
// functions that Windows calls, of which there are some 2,000 in a process.
func (w *Watcher) Run(ctx context.Context) {
	w.mu.Lock()
	w.begun, w.looking = true, 1
	w.mu.Unlock()
	runtime.LockOSThread() // to which the window belongs
	defer runtime.UnlockOSThread()
	a := newAPI()
	window, err := a.open(windows.NewCallback(func(window windows.HWND, id uint32, first, second uintptr) uintptr {
		return w.message(ctx, a, window, id, first, second)
	}))
	if err != nil {
		w.Log.Warn("nobody tells of the session", "error", err.Error())
	}
	if window == 0 {
		w.looked(ctx)
		<-ctx.Done()
		return
	}
	defer a.close()
	stop := context.AfterFunc(ctx, func() { a.call("PostMessageW", uintptr(window), wmClose, 0, 0) })
	defer stop()
	if locked, known := a.locked(); known {
		w.found(ctx, here, Locked, locked)
	}
	w.hears(teller, err == nil)
	defer w.hears(teller, false)
	w.looked(ctx)
	a.pump()
}

// message acts on what Windows sends to the window. While it does, the machine's
// sleep and the end of the session wait, for some seconds.
func (w *Watcher) message(ctx context.Context, a api, window windows.HWND, id uint32, first, second uintptr) uintptr {
	switch id {
	case wmSessionChange:
		w.changed(ctx, first)
		return 0
	case wmPower:
		switch first {
		case powerSuspend:
			w.hold(ctx, asleep, Sleeping)
		case powerResumed, powerResumedByItself:
			w.free(ctx, asleep)
		}
		return 1
	case wmEndSession:
		if first != 0 { // and nobody has refused it
			w.ended(ctx)
		}
		return 0
	case wmDestroy:
		a.call("PostQuitMessage", 0)
		return 0
	}
	return a.call("DefWindowProcW", uintptr(window), uintptr(id), first, second)
}

// changed acts on a change of the session.
func (w *Watcher) changed(ctx context.Context, what uintptr) {
	switch what {
	case windows.WTS_SESSION_LOCK:
		w.hold(ctx, here, Locked)
	case windows.WTS_SESSION_UNLOCK:
		w.free(ctx, here)
	case windows.WTS_SESSION_LOGOFF:
		w.ended(ctx)
	}
}
