// Package library times package totp beside github.com/pquerna/otp, the library
// that most Go programs have, in one run: its benchmarks are its tests.
package library
