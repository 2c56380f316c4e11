// Package dbustest owns the private message bus, keyring and display that tests
// run against: real daemons, in directories of their own, that end with the
// test and never meet the user's. Only tests import it, on Linux; elsewhere it
// is empty.
package dbustest
