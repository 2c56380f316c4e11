//go:build race

package seal

// raceEnabled shortens what only costs time under the race detector.
const raceEnabled = true
