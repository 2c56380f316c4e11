package socket

import "os"

// RemoveSocketDir does nothing: a pipe lies in no directory.
func (p Profile) RemoveSocketDir() {}

// removeUnlocked is another try to remove a lock file, without its lock: no open
// file can be removed here, which also keeps what another process has locked.
func removeUnlocked(path string, _ error) error { return os.Remove(path) }
