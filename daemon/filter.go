package daemon

import (
	"net/url"
	"slices"
	"strconv"

	"github.com/o2fa/o2fa/daemon/internal/vault"
	"github.com/o2fa/o2fa/ipc"
)

// filter says which entries a request wants, all texts folded.
type filter struct {
	search string // part of name, issuer, account or a tag
	tag    string // one whole tag
	prefix string // beginning of the name
	pinned bool   // the pinned ones only
	limit  int    // at most so many; 0 means no limit
}

func parseFilter(query url.Values) (filter, error) {
	f := filter{search: vault.Fold(query.Get("search")), tag: vault.Fold(query.Get("tag")),
		prefix: vault.Fold(query.Get("prefix")), pinned: query.Get("pinned") == "true"}
	if text := query.Get("limit"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			return f, &ipc.Error{Code: ipc.CodeBadRequest, Message: "limit must be a number from 1"}
		}
		f.limit = n
	}
	return f, nil
}

// pick returns what f wants of a sorted list, the pinned entries first, and how
// many match, those beyond the limit too.
func (f filter) pick(list []vault.Summary) (found []vault.Summary, total int) {
	if f == (filter{}) && !slices.ContainsFunc(list, func(s vault.Summary) bool { return s.Pinned }) {
		return list, len(list)
	}
	var pinned, rest []vault.Summary
	for i := range list {
		switch s := &list[i]; {
		case !f.wants(s):
			continue
		case s.Pinned:
			pinned = append(pinned, *s)
		case f.limit == 0 || len(rest) < f.limit:
			rest = append(rest, *s)
		}
		total++
	}
	found = append(pinned, rest...)
	if f.limit > 0 && len(found) > f.limit {
		found = found[:f.limit]
	}
	return found, total
}

func (f filter) wants(s *vault.Summary) bool {
	return (!f.pinned || s.Pinned) &&
		(f.prefix == "" || s.HasPrefix(f.prefix)) &&
		(f.tag == "" || slices.ContainsFunc(s.Tags, func(tag string) bool { return vault.Fold(tag) == f.tag })) &&
		(f.search == "" || s.Contains(f.search))
}
