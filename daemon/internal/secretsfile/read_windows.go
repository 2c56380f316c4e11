package secretsfile

import "io/fs"

const openFlags = 0

// ownFile is true: the profile directory's access list already keeps others
// from placing a file, and the owner of an administrator's file is a group.
func ownFile(fs.FileInfo) bool { return true }
