package rig

import (
	"fmt"
	"slices"
	"time"
)

// Times are what one contestant took, run by run.
type Times []time.Duration

// Quantile returns the time that a share q of the runs did not exceed.
func (t Times) Quantile(q float64) time.Duration {
	sorted := slices.Sorted(slices.Values(t))
	return sorted[min(int(q*float64(len(sorted))), len(sorted)-1)]
}

// Median returns the time of the run in the middle.
func (t Times) Median() time.Duration { return t.Quantile(0.5) }

// Millis formats d as milliseconds with three digits after the point.
func Millis(d time.Duration) string { return fmt.Sprintf("%.3f ms", float64(d)/1e6) }

// Verdict says whether a figure keeps to its goal.
func Verdict(ok bool) string {
	if ok {
		return "reached"
	}
	return "MISSED"
}
