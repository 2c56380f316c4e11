package daemon

import (
	"errors"
	"fmt"
)

// errTight says that a copy would take the room that changes need.
var errTight = errors.New("too little room")

// roomFor returns errTight where a file of so many bytes in a directory would not
// leave as much again, and noSpace: backups must not stop the vault from growing.
// A system that does not tell its free space says so when it is full.
func roomFor(dir string, size int64) error {
	free, err := freeSpace(dir)
	if need := uint64(size) + max(uint64(size), noSpace); err == nil && free < need {
		return fmt.Errorf("%w: %d bytes are free in %s, %d are wanted", errTight, free, dir, need)
	}
	return nil
}
