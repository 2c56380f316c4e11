package daemon

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/o2fa/o2fa/internal/atomicfile"
	"github.com/o2fa/o2fa/ipc"
	"github.com/o2fa/o2fa/ipc/socket"
)

// maxOthers bounds how many files of others a reset lists.
const maxOthers = 20

// getReset answers with what a reset would remove and leave, and changes nothing.
func (d *Daemon) getReset(r *http.Request) (any, error) {
	c := &clearing{}
	k := d.keeper
	c.foresee(k.files.vault)
	c.removed(d.sealedIdentity()...)
	switch h := k.holding(); {
	case h.item == certain:
		c.removed(h.itemText())
	case h.item == possible && h.known:
		c.removed(h.itemText() + ", if it is there")
	}
	c.foresee(append(k.keyFiles(), k.files.marker)...)
	c.foresee(d.backupFiles(r.URL.Query().Get("backups") == "true")...)
	c.foresee(d.logs()...)
	c.foresee(d.runFiles()...)
	d.listOthers(c)
	return c.reply(), nil
}

// postReset removes the vault and all that belongs to it, and ends the daemon.
// Once it has begun it goes on without the client.
func (d *Daemon) postReset(r *http.Request) (any, error) {
	req, err := decode[ipc.ResetRequest](r)
	if err != nil {
		return nil, err
	}
	d.log.Info("asked to reset", "vault", req.Vault)
	c, sealed := &clearing{}, d.sealedIdentity()
	if err := d.keeper.reset(context.WithoutCancel(r.Context()), req.Vault, c); err != nil {
		return nil, err
	}
	c.removed(sealed...)
	for _, path := range d.backupFiles(req.Backups) {
		c.remove(path)
	}
	if d.file != nil {
		d.file.end()
	}
	for _, path := range d.logs() {
		c.remove(path)
	}
	c.foresee(d.runFiles()...) // they go with the process, see vanish
	if d.listOthers(c); len(c.left) == 0 {
		c.removed(d.cfg.Profile.Dir)
	}
	d.cleared.Store(true)
	d.end()
	return c.reply(), nil
}

// logs returns the paths of the daemon's own log, if it has one.
func (d *Daemon) logs() []string {
	if d.file == nil {
		return nil
	}
	return d.file.paths()
}

// runFiles returns what the process needs to its end: the socket, its directory
// where that is one of the profile's with nothing else in it, and the lock file.
func (d *Daemon) runFiles() (paths []string) {
	p := d.cfg.Profile
	if runtime.GOOS != "windows" { // a pipe is no file
		paths = append(paths, p.Socket)
		dir := filepath.Dir(p.Socket)
		if entries, err := os.ReadDir(dir); err == nil && len(entries) <= 1 && filepath.Dir(dir) == p.Dir {
			paths = append(paths, dir)
		}
	}
	return append(paths, p.LockFile())
}

// vanish removes what the process needed to its end. The lock goes before the
// profile's directory, in which it lies; that goes only where it is empty.
func (d *Daemon) vanish(lock *socket.Lock) {
	d.cfg.Profile.RemoveSocketDir()
	_ = lock.Remove()
	_ = os.Remove(d.cfg.Profile.Dir)
}

// listOthers names what else lies in the profile, which a reset does not touch.
func (d *Daemon) listOthers(c *clearing) {
	p := d.cfg.Profile
	entries, err := os.ReadDir(p.Dir)
	if err != nil {
		c.leave(p.Dir, reason(err), false)
	}
	more := 0
	for _, e := range entries {
		path := filepath.Join(p.Dir, e.Name())
		why := d.purpose(e.Name())
		switch {
		case c.has(path) || atomicfile.IsLeftover(e.Name()):
		case why != "":
			c.leave(path, why, false)
		case more < maxOthers:
			c.leave(path, "it is not o2fa's", false)
			more++
		default:
			more++
		}
	}
	if more > maxOthers {
		c.leave(fmt.Sprintf("%d more in %s", more-maxOthers, p.Dir), "they are not o2fa's", false)
	}
}

// purpose says what a file of the profile is that o2fa reads and people keep.
func (d *Daemon) purpose(name string) string {
	switch name {
	case filepath.Base(d.cfg.Profile.SecretsFile()):
		return "it is open2fa's, and holds its secrets in clear"
	case filepath.Base(d.intake.uuid.path):
		return "it is open2fa's, and whoever reads it has the account"
	case configName:
		return "it holds your settings"
	case backupsName:
		return d.backupsLeft()
	}
	if strings.HasPrefix(name, filepath.Base(d.cfg.Profile.VaultFile())+keptSuffix) {
		return "a restore has kept it; --backups removes it, too"
	}
	return ""
}

// sealedIdentity names open2fa's UUID where it goes with the vault and stays
// nowhere else in the profile: none if it does not, or if there is no vault.
func (d *Daemon) sealedIdentity() []string {
	data, inFile, fileErr := d.intake.uuid.read()
	clear(data)
	v := d.keeper.openVault()
	if v == nil {
		if _, err := os.Lstat(d.keeper.files.vault); err != nil || data != nil {
			return nil
		}
		return []string{"open2fa's UUID, if it was sealed: the vault is not open to look"}
	}
	uuid, ok, err := d.intake.uuid.stored(v)
	if err == nil && !ok || data != nil && fileErr == nil && inFile == uuid {
		return nil
	}
	return []string{"open2fa's UUID, which is in the vault alone and opens the whole account; to keep it: o2fa info -s"}
}

// clearing collects what a reset removes and what it leaves.
type clearing struct {
	gone []string
	left []ipc.Left
}

func (c *clearing) reply() ipc.ResetReply {
	return ipc.ResetReply{Removed: append([]string{}, c.gone...), Left: append([]ipc.Left{}, c.left...)}
}

func (c *clearing) removed(what ...string) { c.gone = append(c.gone, what...) }

// leave notes what stays. failed says that it was to go.
func (c *clearing) leave(what, why string, failed bool) {
	c.left = append(c.left, ipc.Left{What: what, Why: why, Failed: failed})
}

// has says whether what is listed already.
func (c *clearing) has(what string) bool {
	return slices.Contains(c.gone, what) || slices.ContainsFunc(c.left, func(l ipc.Left) bool { return l.What == what })
}

// foresee lists those files that are there, and will go.
func (c *clearing) foresee(paths ...string) {
	for _, path := range paths {
		if _, err := os.Lstat(path); err == nil {
			c.removed(path)
		}
	}
}

// remove removes a file, or an empty directory. What is gone already is not told.
func (c *clearing) remove(path string) {
	switch err := os.Remove(path); {
	case err == nil:
		c.removed(path)
	case !errors.Is(err, fs.ErrNotExist):
		c.leave(path, reason(err), true)
	}
}

// reason is an error of the system without the path, which stands beside it.
func reason(err error) string {
	if cause := (*fs.PathError)(nil); errors.As(err, &cause) {
		err = cause.Err
	}
	return err.Error()
}
