//go:build unix

package socket

import (
	"os"
	"path/filepath"
)

// RemoveSocketDir removes the directory of the socket, if that is one of ours and
// nothing is left in it. A daemon that makes its socket there meanwhile makes the
// directory anew.
func (p Profile) RemoveSocketDir() {
	dir := filepath.Dir(p.Socket)
	if p.Fixed {
		return
	}
	if unlock, err := lockDir(dir); err == nil {
		defer unlock()
		_ = os.Remove(dir)
	}
}

// removeUnlocked is another try to remove a lock file, without its lock. Another
// process may have locked it by now, so here the first try counts.
func removeUnlocked(_ string, failed error) error { return failed }
