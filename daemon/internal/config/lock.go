package config

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// lockTimes says what the keys with a time to lock take.
const lockTimes = "0s, or a time from 1s to 720h, such as 10m"

// Never is the value of lock_on that names nothing.
const Never = "never"

// putLockTime reads the value of such a key.
func putLockTime(into *time.Duration, value string) bool {
	d, err := time.ParseDuration(value)
	*into = d
	return err == nil && (d == 0 || d >= minLock && d <= maxLock)
}

// short is a time without the minutes and seconds that are none: 10m, not 10m0s.
func short(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// lockEvents reads the value of lock_on, and returns what it names in the order
// of LockEvents. Never goes with nothing else.
func lockEvents(value string) (events []string, ok bool) {
	if value == Never {
		return nil, true
	}
	named := strings.Split(value, ",")
	for i := range named {
		named[i] = strings.Trim(named[i], " ")
		if !slices.Contains(LockEvents(), named[i]) || slices.Contains(named[:i], named[i]) {
			return nil, false
		}
	}
	return slices.DeleteFunc(LockEvents(), func(event string) bool { return !slices.Contains(named, event) }), true
}

// Split returns what the value of lock_on names, if it is one: else nothing.
func Split(value string) []string {
	events, _ := lockEvents(value)
	return events
}

// Join returns the value of lock_on that names these events.
func Join(events []string) string { return cmp.Or(strings.Join(events, ", "), Never) }
