// Package daemon owns the process that holds the vault: the handlers of the
// local API, the states it moves through, and the wiring between the vault, the
// keystores and the secrets file. One daemon serves one profile.
//
// It knows the words of the API (package ipc) and everything under
// daemon/internal; it knows nothing of terminals, flags or the environment,
// which package daemon/cli reads and passes down in a Config.
package daemon
