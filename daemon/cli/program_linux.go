package cli

import "os"

// ownFile leads to the file that this process runs from, also where another
// stands in its place by now, or none.
const ownFile = "/proc/self/exe"

// program returns what to execute: the path that people know, so that the
// process keeps its name, if the very same file is still there.
func program() (string, error) {
	path, err := os.Executable()
	if err != nil {
		return ownFile, nil
	}
	own, err := os.Stat(ownFile)
	if err != nil {
		return path, nil // no /proc here
	}
	if there, err := os.Stat(path); err != nil || !os.SameFile(there, own) {
		return ownFile, nil
	}
	return path, nil
}
