package keypage

import (
	"os"

	"golang.org/x/sys/unix"
)

// protect keeps mem out of swap. Single pages cannot be left out of a dump here;
// the daemon makes none at all.
func protect(mem []byte) error { return os.NewSyscallError("mlock", unix.Mlock(mem)) }
