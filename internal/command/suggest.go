package command

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// Distances up to which a word may be a misspelt command.
const (
	maxTypos     = 2
	maxWaryTypos = 1 // for a command that does harm when it was not meant
)

// suggest returns the command under c that word was probably meant for: one
// that people know under this word, else the one that is nearest. Where two are
// equally near it returns none.
func suggest(c *Command, word string) *Command {
	word = strings.ToLower(word)
	var near *Command
	least := min(maxTypos, len(word)/2) + 1
	for _, sub := range c.Sub {
		if slices.Contains(sub.Synonyms, word) {
			return sub
		}
		d := distance(word, sub.Name())
		for _, alias := range sub.Aliases {
			if len(alias) > 2 && alias[0] != '-' {
				d = min(d, distance(word, alias))
			}
		}
		switch {
		case d > maxWaryTypos && sub.Wary, d > least:
		case d < least:
			near, least = sub, d
		default:
			near = nil
		}
	}
	return near
}

// nearFlag returns the flag that name, without dashes, was probably meant for:
// the only one that begins so, else the one that is nearest. Where two are
// equally near it returns none.
func nearFlag(flags []Flag, name string) *Flag {
	var begun, near *Flag
	count, least := 0, min(maxTypos, len(name)/2)+1
	for i, f := range flags {
		if f.Name == name || slices.Contains(f.Aliases, name) {
			return &flags[i]
		}
		if len(name) > 1 && strings.HasPrefix(f.Name, name) {
			begun = &flags[i]
			count++
		}
		d := distance(name, f.Name)
		for _, alias := range f.Aliases {
			d = min(d, distance(name, alias))
		}
		switch {
		case d < least:
			near, least = &flags[i], d
		case d == least:
			near = nil
		}
	}
	if count == 1 {
		return begun
	}
	return near
}

// mostSpelt is the length, in bytes, up to which names are compared by letters.
const mostSpelt = 64

// Misspelt says whether word, in any case, is probably name with one or two
// typing errors. A word that is name is not misspelt.
func Misspelt(word, name string) bool {
	if max(len(word), len(name)) > mostSpelt || max(len(word)-len(name), len(name)-len(word)) > maxTypos*utf8.UTFMax {
		return false
	}
	d := distance(strings.ToLower(word), strings.ToLower(name))
	return d > 0 && d <= min(maxTypos, len(word)/2)
}

// distance returns how many letters have to be put in, left out, changed, or
// swapped with their neighbour to make b out of a.
func distance(a, b string) int {
	x, y := []rune(a), []rune(b)
	before, last, row := make([]int, len(y)+1), make([]int, len(y)+1), make([]int, len(y)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(x); i++ {
		before, last, row = last, row, before
		row[0] = i
		for j := 1; j <= len(y); j++ {
			changed := last[j-1]
			if x[i-1] != y[j-1] {
				changed++
			}
			row[j] = min(last[j]+1, row[j-1]+1, changed)
			if i > 1 && j > 1 && x[i-1] == y[j-2] && x[i-2] == y[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
	}
	return row[len(y)]
}

// weakSecret is how many letters and digits of a word make it too long to be
// printed: 80 bits of base32, the shortest secret in use.
const weakSecret = 16

// MayBeSecret says whether words, or all of them together, could be a secret
// that was typed where something else belongs. No message repeats such a word.
// It knows no base32: a secret with a typing error is one, too.
func MayBeSecret(words ...string) bool {
	if slices.ContainsFunc(words, looksSecret) {
		return true
	}
	groups := slices.DeleteFunc(slices.Clone(words), func(word string) bool { return strings.HasPrefix(word, "-") })
	return looksSecret(strings.Join(groups, " "))
}

func looksSecret(word string) bool {
	if strings.Contains(strings.ToLower(word), "otpauth") {
		return true
	}
	count := 0
	for _, r := range word {
		switch {
		case r >= '0' && r <= '9', r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z':
			count++
		case !strings.ContainsRune(" \t-=", r):
			return false
		}
	}
	return count >= weakSecret
}

// Quote returns words as they are typed in a shell.
func Quote(words ...string) string {
	quoted := make([]string, len(words))
	for i, word := range words {
		quoted[i] = word
		if word == "" || strings.ContainsFunc(word, needsQuotes) {
			quoted[i] = "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
		}
	}
	return strings.Join(quoted, " ")
}

// needsQuotes says whether a shell could take r for more than a letter.
func needsQuotes(r rune) bool {
	return r < 0x80 && !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789@%+=:,./-_", r)
}
