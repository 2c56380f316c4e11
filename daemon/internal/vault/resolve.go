package vault

import (
	"strings"
	"unicode/utf8"
)

// Resolve returns the one live entry that a person means by name: by its id, by
// its exact name, by its name but for case, by its issuer, by the beginning of
// its name, by the first six or more digits of its id, by a part of name,
// issuer or account; the first of these that matches anything decides.
// *AmbiguousError if it matches several, *NotFoundError if nothing does. An exact name opens that entry's summary
// alone, and a name that led to an entry lately opens nothing.
func (v *Vault) Resolve(name string) (Summary, error) {
	k, err := v.unlocked()
	if err != nil {
		return Summary{}, err
	}
	defer k.release()
	s, known, changes := k.recent.summary(name)
	if known {
		return s, nil
	}
	if s, err = v.resolve(k, name); err == nil {
		k.recent.keep(name, s, changes)
	}
	return s, err
}

func (v *Vault) resolve(k *keys, name string) (Summary, error) {
	if id, err := ParseID(name); err == nil {
		if s, err := v.summary(k, bucketSummary, id); err == nil {
			return s, nil
		}
	}
	found, err := v.Lookup(name)
	if err != nil {
		return Summary{}, err
	}
	if len(found) > 1 {
		found = preferExact(found, name)
	}
	if len(found) == 0 {
		if found, err = v.search(name); err != nil {
			return Summary{}, err
		}
	}
	if len(found) > 1 {
		return Summary{}, &AmbiguousError{Candidates: found}
	}
	return found[0], nil
}

// preferExact returns those that are spelt exactly so, or all if none is.
func preferExact(found []Summary, name string) []Summary {
	var exact []Summary
	for _, s := range found {
		if s.Name == name {
			exact = append(exact, s)
		}
	}
	if exact != nil {
		return exact
	}
	return found
}

// search looks through the list, or returns a *NotFoundError.
func (v *Vault) search(name string) ([]Summary, error) {
	list, err := v.List()
	if err != nil {
		return nil, err
	}
	folded := Fold(name)
	if folded == "" {
		return nil, &NotFoundError{}
	}
	digits := idPrefix(name)
	ways := []func(s *Summary) bool{
		func(s *Summary) bool { return s.foldedName == folded }, // which a damaged index has lost
		func(s *Summary) bool { return s.foldedIssuer == folded },
		func(s *Summary) bool { return s.HasPrefix(folded) },
		func(s *Summary) bool { return digits != "" && strings.HasPrefix(s.ID.String(), digits) },
		func(s *Summary) bool { return s.named(folded) },
	}
	var found []Summary
	best := len(ways) - 1 // the way that decides so far
	for i := range list { // once, as a long list comes from slow memory
		for way, matches := range ways[:best+1] {
			if !matches(&list[i]) {
				continue
			}
			if way < best {
				best, found = way, nil
			}
			found = append(found, list[i])
			break
		}
	}
	if found == nil {
		return nil, &NotFoundError{Near: near(list, folded)}
	}
	return found, nil
}

// leastIDPrefix is how many digits of an id are taken for one.
const leastIDPrefix = 6

// idPrefix returns name as the beginning of an id, or "" if it is none.
func idPrefix(name string) string {
	digits := strings.ToLower(name)
	if len(digits) < leastIDPrefix || strings.Trim(digits, "0123456789abcdef") != "" {
		return ""
	}
	return digits
}

// Bounds of near: beyond them a mistyped name would cost more than a hint is
// worth.
const (
	nearList  = 10_000 // summaries looked at
	nearName  = 64     // bytes of a name
	nearMost  = 5      // names returned
	nearEdits = 2      // typing errors
)

// near returns summaries whose name, or its beginning up to a colon, is folded
// with at most nearEdits letters wrong, missing or too many.
func near(list []Summary, folded string) (found []Summary) {
	if len(folded) > nearName || utf8.RuneCountInString(folded) <= nearEdits {
		return nil
	}
	want := []rune(folded)
	for _, s := range list[:min(len(list), nearList)] {
		label, _, _ := strings.Cut(s.foldedName, ":")
		if edits(want, s.foldedName) <= nearEdits || edits(want, label) <= nearEdits {
			if found = append(found, s); len(found) == nearMost {
				break
			}
		}
	}
	return found
}

// edits returns Levenshtein's distance between a and b, or something above
// nearEdits as soon as it cannot be less.
func edits(a []rune, text string) int {
	if n := len(text); n > nearName+4 || n+nearEdits < len(a) || n > 4*(len(a)+nearEdits) {
		return nearEdits + 1
	}
	var rows [2][nearName + 1]int
	last, next := rows[0][:len(a)+1], rows[1][:len(a)+1]
	for i := range last {
		last[i] = i
	}
	for _, r := range text {
		next[0] = last[0] + 1
		least := next[0]
		for i := range a {
			cost := 1
			if a[i] == r {
				cost = 0
			}
			next[i+1] = min(last[i]+cost, last[i+1]+1, next[i]+1)
			least = min(least, next[i+1])
		}
		if least > nearEdits {
			return least
		}
		last, next = next, last
	}
	return last[len(a)]
}
