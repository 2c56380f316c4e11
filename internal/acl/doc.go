// Package acl owns access lists of Windows: who may use a file or a directory
// beside its user, and how one is made that is the user's alone. It is what
// modes and owners are elsewhere; on other systems it is empty. It knows nothing
// of what the files hold.
package acl
