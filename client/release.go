package client

import (
	"strconv"
	"strings"
)

// newer reports whether release a comes after b. A development build, marked by
// a hyphen, comes before the release that it leads to. What is not a release is
// never newer, and nothing is newer than it.
func newer(a, b string) bool {
	x, xDev, okX := parseRelease(a)
	y, yDev, okY := parseRelease(b)
	if !okX || !okY {
		return false
	}
	for i := range x {
		if x[i] != y[i] {
			return x[i] > y[i]
		}
	}
	return yDev && !xDev
}

// parseRelease reads "1.2.3" or "1.2.3-dev".
func parseRelease(s string) (numbers [3]int, dev, ok bool) {
	s, _, dev = strings.Cut(s, "-")
	parts := strings.Split(s, ".")
	if len(parts) != len(numbers) {
		return numbers, dev, false
	}
	for i, part := range parts {
		n, err := strconv.Atoi(part)
		if err != nil || n < 0 {
			return numbers, dev, false
		}
		numbers[i] = n
	}
	return numbers, dev, true
}
