//go:build !unix

package vault

import "os"

// release gives the file and its lock, which belongs to the handle, back
// without bbolt.
func release(f *os.File) error { return f.Close() }
