//go:build unix

package daemon

import "golang.org/x/sys/unix"

// freeSpace returns how many bytes this user may still write below dir.
func freeSpace(dir string) (uint64, error) {
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		return 0, err
	}
	return uint64(max(0, s.Bavail)) * uint64(s.Bsize), nil //nolint:unconvert // their types differ by system
}
