//go:build race

package vault

// raceEnabled shortens what only costs time under the race detector.
const raceEnabled = true
