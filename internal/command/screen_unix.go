//go:build unix

package command

import (
	"os"
	"runtime"
	"syscall"
)

// needsTERM says whether a terminal of unknown kind counts as one that only
// prints.
const needsTERM = true

// alwaysUnicode says what holds where no variable tells the locale: macOS has no
// other, elsewhere that is the locale C.
const alwaysUnicode = runtime.GOOS == "darwin"

// takesSequences is for Windows: elsewhere TERM says it.
func takesSequences(*os.File) bool { return true }

// redrawable prepares a terminal for control sequences; here each one takes them.
func redrawable(*os.File) (release func(), ok bool) { return func() {}, true }

// changes lists the signals after which a screen has to be drawn anew.
func changes() []os.Signal { return []os.Signal{syscall.SIGWINCH, syscall.SIGCONT} }

func resumes(sig os.Signal) bool { return sig == syscall.SIGCONT }

func resizes(sig os.Signal) bool { return sig == syscall.SIGWINCH }
