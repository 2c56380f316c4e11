package cli

import (
	"os"
	"strings"

	"github.com/o2fa/o2fa/internal/acl"
)

// accessOf looks at owner and access list of a file.
func accessOf(path string) (a access, err error) {
	f, err := os.Open(path)
	if err != nil {
		return a, err
	}
	defer f.Close()
	a.mend = acl.Remedy(path)
	why, err := acl.CheckFile(f, acl.Change)
	if owner, foreign := strings.CutPrefix(why, "it belongs to "); foreign {
		a.foreign = owner
		return a, err
	}
	a.change = why != ""
	if err == nil && !a.change {
		why, err = acl.CheckFile(f, acl.Use)
	}
	a.read, a.enter = why != "", why != ""
	return a, err
}
