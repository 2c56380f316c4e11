// This file is laid into ipc/socket when the tests build the programs for wine,
// by the overlay of wine_linux_test.go. No build for people has it.

package socket

import (
	"context"
	"fmt"
	"net"
	"runtime"
	"strings"

	"github.com/Microsoft/go-winio"
	"golang.org/x/sys/windows"
)

// listenUnderWine is winio.ListenPipe for wine. go-winio makes a first instance
// that holds the name and that nobody serves; Windows lets no client reach it,
// wine does, and that client would wait for ever. So one of our own takes it.
func listenUnderWine(name string, config *winio.PipeConfig) (l net.Listener, err error) {
	alone(name, func() {
		if l, err = winio.ListenPipe(name, config); err != nil {
			return
		}
		first, dialErr := winio.DialPipeContext(context.Background(), name)
		if err = dialErr; err != nil {
			l.Close()
			return
		}
		l = &wineListener{l, first}
	})
	return l, err
}

// wineListener has the first instance taken for as long as it exists: the name is
// free when both of its ends are closed.
type wineListener struct {
	net.Listener
	first net.Conn
}

func (l *wineListener) Close() error {
	err := l.Listener.Close()
	l.first.Close()
	return err
}

// dialUnderWine is winio.DialPipeContext, never between the two steps above.
func dialUnderWine(ctx context.Context, name string) (conn net.Conn, err error) {
	alone(name, func() { conn, err = winio.DialPipeContext(ctx, name) })
	return conn, err
}

// alone calls do while no other process does anything with the pipe.
func alone(name string, do func()) {
	runtime.LockOSThread() // a mutex of Windows belongs to a thread
	defer runtime.UnlockOSThread()
	text, err := windows.UTF16PtrFromString(`Local\` + strings.ReplaceAll(name, `\`, "/"))
	if err != nil {
		panic(err)
	}
	mutex, err := windows.CreateMutex(nil, false, text)
	if mutex == 0 {
		panic(fmt.Sprintf("making a mutex: %v", err))
	}
	defer windows.CloseHandle(mutex)
	if _, err := windows.WaitForSingleObject(mutex, windows.INFINITE); err != nil {
		panic(fmt.Sprintf("waiting for the mutex: %v", err))
	}
	defer windows.ReleaseMutex(mutex)
	do()
}
