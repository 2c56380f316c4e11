package atomicfile

import (
	"errors"
	"os"
	"time"

	"golang.org/x/sys/windows"
)

// SyncDir does nothing: Windows has no flush of a directory for a program
// without administrator's rights. What it would give, rename asks for itself
// with MOVEFILE_WRITE_THROUGH.
func SyncDir(string) error { return nil }

// How long, and at most how rarely, rename is tried.
const (
	renamePatience = 2 * time.Second
	renamePause    = 10 * time.Millisecond
)

// rename replaces path by tmp and returns when the move is on the disk. Virus
// scanners and indexers, and readers of the target, open files for some
// milliseconds without sharing deletion, so a refusal is no last word.
func rename(tmp, path string) error {
	from, err := windows.UTF16PtrFromString(tmp)
	if err != nil {
		return &os.LinkError{Op: "rename", Old: tmp, New: path, Err: err}
	}
	to, err := windows.UTF16PtrFromString(path)
	if err != nil {
		return &os.LinkError{Op: "rename", Old: tmp, New: path, Err: err}
	}
	const flags = windows.MOVEFILE_REPLACE_EXISTING | windows.MOVEFILE_WRITE_THROUGH
	deadline := time.Now().Add(renamePatience)
	for pause := time.Millisecond; ; pause = min(2*pause, renamePause) {
		err := windows.MoveFileEx(from, to, flags)
		if err == nil {
			return nil
		}
		held := errors.Is(err, windows.ERROR_ACCESS_DENIED) || errors.Is(err, windows.ERROR_SHARING_VIOLATION)
		if !held || time.Now().After(deadline) {
			return &os.LinkError{Op: "rename", Old: tmp, New: path, Err: err}
		}
		time.Sleep(pause)
	}
}
