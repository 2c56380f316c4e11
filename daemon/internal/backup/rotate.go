package backup

import (
	"fmt"
	"time"
)

// MaxTotal bounds what all backups of a vault take, in bytes: of a vault so
// large that fewer fit, fewer stay, but leastKept always do.
const (
	MaxTotal  = 1 << 30
	leastKept = 2
)

// Excess returns the names of those backups of one vault that are too many where
// keep may stay: half of these are the newest, a quarter the last ones of earlier
// days, an eighth each those of earlier weeks and months. What that leaves free
// goes to the newest again. list is as List returns it; the first of it always
// stays.
func Excess(list []Info, keep int) (names []string) {
	keep = max(1, keep)
	stays := staying(list, keep)
	for ; keep > leastKept && total(list, stays) > MaxTotal; keep-- {
		stays = staying(list, keep-1)
	}
	for i, info := range list {
		if !stays[i] {
			names = append(names, info.Name)
		}
	}
	return names
}

// total returns how many bytes those that stay take.
func total(list []Info, stays []bool) (bytes int64) {
	for i, info := range list {
		if stays[i] {
			bytes += info.Size
		}
	}
	return bytes
}

// staying says of each backup whether it is one of the keep that stay.
func staying(list []Info, keep int) []bool {
	days, weeks, months := keep/4, keep/8, keep/8
	stays := make([]bool, len(list))
	for i := range min(len(list), keep-days-weeks-months) {
		stays[i] = true
	}
	free := keep - min(len(list), keep-days-weeks-months)
	free -= lastOfEach(list, stays, days, func(t time.Time) string { return t.Format(time.DateOnly) })
	free -= lastOfEach(list, stays, weeks, func(t time.Time) string { year, week := t.ISOWeek(); return fmt.Sprint(year, week) })
	free -= lastOfEach(list, stays, months, func(t time.Time) string { return t.Format("2006-01") })
	for i := range list {
		if free > 0 && !stays[i] {
			stays[i] = true
			free--
		}
	}
	return stays
}

// lastOfEach lets the last backup of each span of time stay, of which none stays
// yet, most of them at most, and returns how many that were.
func lastOfEach(list []Info, stays []bool, most int, span func(time.Time) string) (n int) {
	taken := map[string]bool{}
	for i, info := range list {
		if stays[i] {
			taken[span(info.Made)] = true
		}
	}
	for i, info := range list {
		if name := span(info.Made); n < most && !taken[name] {
			taken[name], stays[i] = true, true
			n++
		}
	}
	return n
}
