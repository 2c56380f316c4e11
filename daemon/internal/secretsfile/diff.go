package secretsfile

// Fingerprint stands for a secret or a name: equal values have equal
// fingerprints. The caller makes it with a key, so that it tells nothing.
type Fingerprint = [16]byte

// Seen is a row as it was last taken, and the entry that it became.
type Seen struct {
	Secret, Name Fingerprint
	Entry        [16]byte
}

// Fingerprinted is a row as the file holds it now.
type Fingerprinted struct {
	Secret, Name Fingerprint
	Row          int // the caller's index of the row
}

// Pair joins a row as it was last taken to the row that stands for it now.
type Pair struct {
	Last Seen
	Row  int
}

// Changes is what happened to the file. Each seen row is in exactly one of
// Keep, Rename and Gone; each row of now in exactly one of Keep, Rename and Add.
type Changes struct {
	Keep   []Pair // nothing happened
	Rename []Pair // the secret has another name now
	Add    []int  // rows that are new
	Gone   []Seen // rows that left
}

// Diff compares the rows last taken with the rows that are there now. It treats
// both as multisets: the order of rows means nothing but which of several equal
// ones is meant, where the first is taken first. A new name for a secret is a
// rename only if a row of that secret left; else it is an addition, since
// people keep one secret under two names. A row of the same name with another
// secret is one that left and one that came.
func Diff(last []Seen, now []Fingerprinted) Changes {
	var c Changes
	same := func(s, n Fingerprint) [2]Fingerprint { return [2]Fingerprint{s, n} }
	secretOnly := func(s, _ Fingerprint) [2]Fingerprint { return [2]Fingerprint{s} }
	c.Keep, last, now = match(last, now, same)
	c.Rename, last, now = match(last, now, secretOnly)
	for _, n := range now {
		c.Add = append(c.Add, n.Row)
	}
	c.Gone = append(c.Gone, last...)
	return c
}

// match pairs rows of equal key, first with first, and returns the pairs in
// now's order and what found no partner.
func match(last []Seen, now []Fingerprinted, key func(s, n Fingerprint) [2]Fingerprint) ([]Pair, []Seen, []Fingerprinted) {
	waiting := make(map[[2]Fingerprint][]int, len(last))
	for i, s := range last {
		k := key(s.Secret, s.Name)
		waiting[k] = append(waiting[k], i)
	}
	var pairs []Pair
	var newcomers []Fingerprinted
	taken := make([]bool, len(last))
	for _, n := range now {
		k := key(n.Secret, n.Name)
		if len(waiting[k]) == 0 {
			newcomers = append(newcomers, n)
			continue
		}
		i := waiting[k][0]
		waiting[k] = waiting[k][1:]
		taken[i] = true
		pairs = append(pairs, Pair{Last: last[i], Row: n.Row})
	}
	var left []Seen
	for i, s := range last {
		if !taken[i] {
			left = append(left, s)
		}
	}
	return pairs, left, newcomers
}
