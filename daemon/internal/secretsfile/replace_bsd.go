//go:build unix && !linux && !darwin

package secretsfile

import "os"

// swap is not to be had.
func swap(string, string) error { return errUnsupported }

// writing is false: the system tells nobody who has a file open.
func writing(*os.File) bool { return false }
