// Package o2fa is an ssh-agent for two-factor codes. This page is the map; it
// holds no code but the version.
//
// One daemon per user and profile (package daemon, binary o2fad) holds the
// secrets, sealed under a key that the OS keyring, a passphrase or a key file
// keeps. It serves codes over a Unix socket or a named pipe. Everything else is
// a client of that socket: the command line (client/cli, binary o2fa) and any
// program that speaks HTTP.
//
//	totp             the codes themselves: RFC 4226, RFC 6238, otpauth URIs
//	ipc              the words of the local API; ipc/socket its address and peers
//	client           the typed client; client/cli the commands
//	daemon           handlers, states, wiring; daemon/internal what only it may see
//	internal         mechanisms that everything may use and that use nothing of ours
//
// Data walks one way: cli → client → ipc → daemon → vault → code. The import law
// that keeps it so is a test, arch_test.go. ARCHITECTURE.md tells the rest.
//
// Words, used everywhere with one meaning: an entry is one account that yields
// codes; a code is what is shown; a secret is the key bytes of an entry; the
// vault is the sealed file with all entries; the vault key is the 32 random
// bytes that seal it; a key slot is one wrapping of the vault key; locked means
// that the vault key is not in memory; a profile is one OPEN2FA_DIR with its
// daemon.
package o2fa

// version is the release, without a leading v. The Makefile sets it for a
// release with -ldflags "-X github.com/o2fa/o2fa.version=1.2.3"; a hyphen marks
// a development build, which never replaces a running daemon.
var version = "0.1.0-dev"

// Version returns the release that this program was built from, such as
// "0.1.0" or, for a development build, "0.1.0-dev".
func Version() string { return version }
