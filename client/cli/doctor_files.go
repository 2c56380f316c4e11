package cli

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/o2fa/o2fa/ipc"
	"github.com/o2fa/o2fa/ipc/socket"
)

// access is what others may do with a file of the profile.
type access struct {
	foreign string // whose it is, if it is not ours
	read    bool
	change  bool
	enter   bool   // of a directory: reach what is in it
	mend    string // the command that takes it from them
}

// inClear says whether who reads a file of the profile has secrets.
func inClear(name string) bool {
	for _, secret := range [...]string{"vault.key", "secrets.json", "open2fa.uuid"} {
		if strings.HasPrefix(name, secret) { // copies that were set aside, too
			return true
		}
	}
	return false
}

// files looks at the profile's directory and all that lies in it.
func (e *examination) files(p socket.Profile) {
	dir, err := accessOf(p.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		e.add(ipc.CheckOK, "files", p.Dir+" is not there yet", "")
		return
	}
	before := len(e.checks)
	e.judge(p.Dir, dir, err, ipc.CheckWarn) // which tells names
	seen := 0
	for _, parent := range []string{p.Dir, filepath.Join(p.Dir, "backups")} {
		entries, err := os.ReadDir(parent)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			e.add(ipc.CheckFail, "files", err.Error(), "")
		}
		for _, entry := range entries {
			path := filepath.Join(parent, entry.Name())
			if entry.Type()&fs.ModeSocket != 0 {
				continue
			}
			a, err := accessOf(path)
			if errors.Is(err, fs.ErrNotExist) {
				continue // it went meanwhile, or is a link to nowhere
			}
			seen++
			status, secrets := ipc.CheckWarn, inClear(entry.Name())
			if dir.enter && secrets {
				status = ipc.CheckFail
			}
			a.read = a.read && (dir.enter || secrets) // else nobody comes so far, and it is sealed
			e.judge(path, a, err, status)
		}
	}
	if len(e.checks) == before {
		e.add(ipc.CheckOK, "files", p.Dir+" and the "+plural(seen, "file", "files")+" in it are this user's alone", "")
	}
}

// judge tells what is wrong with a file. readable is how bad it is that others
// read it.
func (e *examination) judge(path string, a access, err error, readable ipc.CheckStatus) {
	switch {
	case err != nil:
		e.add(ipc.CheckFail, "files", err.Error(), "")
	case a.foreign != "":
		e.add(ipc.CheckFail, "files", path+" belongs to "+a.foreign, a.mend)
	case a.change:
		e.add(ipc.CheckFail, "files", "other users may change "+path, a.mend)
	case a.read:
		e.add(readable, "files", "other users may read "+path, a.mend)
	}
}
