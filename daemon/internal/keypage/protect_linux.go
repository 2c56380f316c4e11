package keypage

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

func protect(mem []byte) error {
	return errors.Join(os.NewSyscallError("mlock", unix.Mlock(mem)),
		os.NewSyscallError("madvise", unix.Madvise(mem, unix.MADV_DONTDUMP)))
}
