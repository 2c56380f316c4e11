// Package bench owns the measurements that README.md here reports: it drives the
// real binaries of o2fa beside other tools and beside the least that any client
// of a socket must do. It is a module of its own, so that what it needs to
// compare with never becomes a dependency of o2fa.
//
// Every figure is a ratio taken in one run, in random order, binaries on one
// tmpfs. Nothing here is imported by o2fa.
package bench
