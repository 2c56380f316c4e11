package vault

import (
	bolt "go.etcd.io/bbolt"
	"golang.org/x/sys/unix"
)

// Rest lets go of the pages of the file that are mapped in memory: of a large
// vault they would be most of what the process seems to occupy. Whoever reads
// them next finds them in the system's cache.
func (v *Vault) Rest() {
	// In a transaction bbolt does not map the file anew. What fails changes nothing.
	_ = v.view(func(tx *bolt.Tx) error {
		_, _, _ = unix.Syscall(unix.SYS_MADVISE, tx.DB().Info().Data, uintptr(tx.Size()), unix.MADV_DONTNEED)
		return nil
	})
}
