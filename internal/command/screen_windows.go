package command

import (
	"os"

	"golang.org/x/sys/windows"
)

// needsTERM says whether a terminal of unknown kind counts as one that only
// prints. A console has no TERM; redrawable asks it.
const needsTERM = false

// alwaysUnicode says that a console takes Unicode, whatever its code page.
const alwaysUnicode = true

// takesSequences says whether a console acts on control sequences as it is. It
// is not made to for a table: the mode would outlive us.
func takesSequences(console *os.File) bool {
	var mode uint32
	err := windows.GetConsoleMode(windows.Handle(console.Fd()), &mode)
	return err == nil && mode&windows.ENABLE_VIRTUAL_TERMINAL_PROCESSING != 0
}

// redrawable makes a console act on control sequences, until release. Those
// before Windows 10 cannot, and say so.
func redrawable(console *os.File) (release func(), ok bool) {
	handle := windows.Handle(console.Fd())
	var before uint32
	if windows.GetConsoleMode(handle, &before) != nil {
		return nil, false
	}
	const wanted = windows.ENABLE_PROCESSED_OUTPUT | windows.ENABLE_VIRTUAL_TERMINAL_PROCESSING
	if windows.SetConsoleMode(handle, before|wanted) != nil {
		return nil, false
	}
	return func() { _ = windows.SetConsoleMode(handle, before) }, true // best we can do
}

// changes lists the signals after which a screen has to be drawn anew. A console
// sends none: the next frame finds its size.
func changes() []os.Signal { return nil }

func resumes(os.Signal) bool { return false }

func resizes(os.Signal) bool { return false }
