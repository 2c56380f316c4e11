package secret

import "io/fs"

// checkMode has nothing to check: Windows has access lists, not modes, and a
// file in the user's own directory inherits one that keeps others out.
func checkMode(string, fs.FileInfo) error { return nil }
