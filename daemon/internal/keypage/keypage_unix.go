//go:build unix

package keypage

import "golang.org/x/sys/unix"

func allocate(size int) ([]byte, error) {
	return unix.Mmap(-1, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
}

// release gives memory back; that unlocks it, too. It fails only for what
// allocate has not returned.
func release(mem []byte) { _ = unix.Munmap(mem) }
