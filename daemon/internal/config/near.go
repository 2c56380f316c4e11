package config

import (
	"fmt"
	"strings"
)

// maxTypos is by how many letters a misspelt key may differ.
const maxTypos = 3

// longestShown is how long an unknown key may be that a message repeats: a
// longer word may be a secret that was put into the wrong place.
const longestShown = 15

// Unknown is the error for a key that there is not.
func Unknown(name string) *ValueError {
	return &ValueError{Message: unknown(name), Near: near(name)}
}

// unknown says that there is no key of that name, and which one may be meant.
func unknown(name string) string {
	text := "there is no such setting"
	if len(name) <= longestShown || strings.Contains(name, "_") && strings.ToLower(name) == name && len(name) <= 2*longestShown {
		text = fmt.Sprintf("there is no setting %q", name)
	}
	if meant := near(name); meant != "" {
		text += ": is it " + meant + "?"
	}
	return text
}

// near returns the key that a misspelt name was probably meant for, or nothing.
func near(name string) string {
	plain := func(s string) string { return strings.ReplaceAll(strings.ToLower(s), "-", "_") }
	best, least := "", min(maxTypos, len(name)/2)+1
	for _, k := range keys {
		if d := distance(plain(name), k.Name); d < least {
			best, least = k.Name, d
		}
	}
	return best
}

// distance returns how many bytes have to be put in, left out or changed to make
// b out of a.
func distance(a, b string) int {
	if len(a) > 2*longestShown {
		return len(a)
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			changed := diagonal
			if a[i] != b[j] {
				changed++
			}
			diagonal = row[j+1]
			row[j+1] = min(row[j]+1, row[j+1]+1, changed)
		}
	}
	return row[len(b)]
}
