package session

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/windows"
)

// Messages of Windows, and what they say in their first parameter.
const (
	wmDestroy       = 0x0002
	wmClose         = 0x0010
	wmEndSession    = 0x0016
	wmPower         = 0x0218 // WM_POWERBROADCAST
	wmSessionChange = 0x02B1 // WM_WTSSESSION_CHANGE

	powerSuspend         = 0x04 // PBT_APMSUSPEND
	powerResumed         = 0x07 // PBT_APMRESUMESUSPEND: somebody is there
	powerResumedByItself = 0x12 // PBT_APMRESUMEAUTOMATIC: always, and before that
)

// messageOnly is the parent of a window that gets no broadcasts: HWND_MESSAGE.
const messageOnly = ^uintptr(2)

// className names our kind of window to the process.
const className = "o2fa session"

// windowClass is WNDCLASSEXW.
type windowClass struct {
	size, style          uint32
	procedure            uintptr
	classExtra, winExtra int32
	instance             windows.Handle
	icon, cursor, brush  windows.Handle
	menu, name           *uint16
	smallIcon            windows.Handle
}

// message is MSG.
type message struct {
	window        windows.HWND
	id            uint32
	first, second uintptr
	time          uint32
	x, y          int32
	_             uint32
}

// api is what is used of user32 and wtsapi32.
type api struct{ user, terminal *windows.LazyDLL }

func newAPI() api {
	return api{windows.NewLazySystemDLL("user32.dll"), windows.NewLazySystemDLL("wtsapi32.dll")}
}

// call calls a function of user32 without pointers, and returns what it does.
func (a api) call(name string, args ...uintptr) uintptr {
	r, _, _ := a.user.NewProc(name).Call(args...)
	return r
}

// open makes a window that nobody sees, and has the session's changes sent to it.
// It belongs to the thread that calls it.
func (a api) open(procedure uintptr) (windows.HWND, error) {
	name, err := windows.UTF16PtrFromString(className)
	if err != nil {
		return 0, err
	}
	class := windowClass{procedure: procedure, name: name}
	class.size = uint32(unsafe.Sizeof(class))
	if err := windows.GetModuleHandleEx(0, nil, &class.instance); err != nil {
		return 0, fmt.Errorf("finding the module: %w", err)
	}
	if r, _, err := a.user.NewProc("RegisterClassExW").Call(uintptr(unsafe.Pointer(&class))); r == 0 {
		return 0, fmt.Errorf("registering a kind of window: %w", err)
	}
	var window uintptr
	// The second is for where there is no desktop: it hears of the session alone.
	for _, parent := range []uintptr{0, messageOnly} {
		window, _, err = a.user.NewProc("CreateWindowExW").Call(0, uintptr(unsafe.Pointer(name)), uintptr(unsafe.Pointer(name)),
			0, 0, 0, 0, 0, parent, 0, uintptr(class.instance), 0)
		if window != 0 {
			break
		}
	}
	if window == 0 {
		a.close()
		return 0, fmt.Errorf("making a window: %w", err)
	}
	// Machines with a modern standby tell of it only to who asks; older systems
	// have no such function.
	if p := a.user.NewProc("RegisterSuspendResumeNotification"); p.Find() == nil {
		_, _, _ = p.Call(window, 0)
	}
	if r, _, err := a.terminal.NewProc("WTSRegisterSessionNotification").Call(window, 0); r == 0 { // this session's
		return windows.HWND(window), fmt.Errorf("asking for the changes of the session: %w", err)
	}
	return windows.HWND(window), nil
}

// close takes away what open has made. The window has gone by itself.
func (a api) close() {
	name, err := windows.UTF16PtrFromString(className)
	if err != nil {
		return
	}
	var instance windows.Handle
	if windows.GetModuleHandleEx(0, nil, &instance) == nil {
		_, _, _ = a.user.NewProc("UnregisterClassW").Call(uintptr(unsafe.Pointer(name)), uintptr(instance))
	}
}

// pump hands the messages of this thread's windows out until one of them has gone.
func (a api) pump() {
	get, dispatch := a.user.NewProc("GetMessageW"), a.user.NewProc("DispatchMessageW")
	var m message
	for {
		if r, _, _ := get.Call(uintptr(unsafe.Pointer(&m)), 0, 0, 0); int32(r) <= 0 {
			return
		}
		_, _, _ = dispatch.Call(uintptr(unsafe.Pointer(&m)))
	}
}

// The beginning of WTSINFOEXW: its level, and of level 1 the session, its state and
// whether it is locked.
const (
	sessionInfoEx  = 25
	currentSession = 0xFFFFFFFF
	flagsAt        = 16
	flagLocked     = 0
	flagUnlocked   = 1
)

// locked says whether the session is locked, if Windows knows.
func (a api) locked() (locked, known bool) {
	var info *byte
	var size uint32
	query := a.terminal.NewProc("WTSQuerySessionInformationW")
	r, _, _ := query.Call(0, currentSession, sessionInfoEx, uintptr(unsafe.Pointer(&info)), uintptr(unsafe.Pointer(&size)))
	if r == 0 || info == nil {
		return false, false
	}
	defer windows.WTSFreeMemory(uintptr(unsafe.Pointer(info)))
	if size < flagsAt+4 {
		return false, false
	}
	flags := *(*int32)(unsafe.Add(unsafe.Pointer(info), flagsAt))
	return flags == flagLocked, flags == flagLocked || flags == flagUnlocked
}
