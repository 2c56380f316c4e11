package vault

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"runtime"
	"syscall"
	"time"

	bolt "go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

// busyWait is how long Open waits for another process to let go of the file:
// long enough for a daemon that hands over, short enough for a person.
const busyWait = time.Second

// mapSize is how much of the address space the file gets from the start. Room
// for 100,000 entries spares a growing vault from being mapped anew, for which
// bbolt waits until nobody reads, and copies each page that a change holds. It
// costs no memory; but Windows would make the file that large.
func mapSize() int {
	if runtime.GOOS == "windows" || math.MaxInt == math.MaxInt32 {
		return 0
	}
	return 256 << 20
}

// allocSize is by how much a file grows that is too small; bbolt's own 16 MiB
// would make every vault that large.
const allocSize = 64 << 10

// Open opens the vault at path, locked. Where the file cannot be written it is
// opened for reading alone, see ReadOnly. Without a file the error is
// fs.ErrNotExist; else it is ErrNotVault, ErrNewerFormat, ErrCorrupt, ErrBusy
// or ErrStorage.
func Open(path string, opt Options) (*Vault, error) {
	v, err := open(path, opt, false)
	if errors.Is(err, ErrReadOnly) {
		if v, err = open(path, opt, true); errors.Is(err, ErrReadOnly) {
			err = fmt.Errorf("%w: it may not be read either", ErrStorage)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("opening vault: %w", err)
	}
	return v, nil
}

func open(path string, opt Options, readOnly bool) (_ *Vault, err error) {
	// A named pipe would block for ever; the same look again at the open file
	// is in openFile.
	info, err := os.Stat(path)
	if err != nil {
		return nil, missing(err)
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%w: not a regular file", ErrNotVault)
	}
	v := &Vault{path: path, opt: opt, now: opt.clock(), waiting: opt.Waiting, readOnly: readOnly, unsettled: true}
	defer func() {
		if err != nil && v.file != nil {
			// bbolt may have closed it already, or have panicked and kept it.
			_ = release(v.file)
		}
	}()
	// For reading alone bbolt loads no list of free pages: what it would
	// believe blindly is looked at by then, under its lock.
	if err := v.start(true); err != nil {
		return nil, err
	}
	if err := v.checkTree(); err != nil {
		return nil, errors.Join(err, v.Close())
	}
	if !readOnly {
		if err := guard(v.db.Close); err != nil {
			return nil, err
		}
		if err := v.start(false); err != nil {
			return nil, err
		}
	}
	if err := v.check(); err != nil {
		return nil, errors.Join(err, v.Close())
	}
	return v, nil
}

// start has bbolt open the file.
func (v *Vault) start(readOnly bool) error {
	err := guard(func() (err error) {
		v.db, err = bolt.Open(v.path, 0o600, &bolt.Options{
			Timeout: busyWait, ReadOnly: readOnly, FreelistType: bolt.FreelistMapType, NoStatistics: true,
			OpenFile: v.openFile, InitialMmapSize: mapSize(),
		})
		return err
	})
	if err != nil {
		return notVault(v.path, missing(err))
	}
	v.db.AllocSize = allocSize
	return nil
}

// missing keeps fs.ErrNotExist what it is: that there is no vault is no fault of
// the storage.
func missing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return classify(err)
}

// openFile is how bbolt opens the file: never making one, never filling an
// empty one, which is a vault that was lost and not one that was never made.
func (v *Vault) openFile(path string, flag int, mode os.FileMode) (*os.File, error) {
	f, err := os.OpenFile(path, flag&^os.O_CREATE, mode)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	switch {
	case err != nil:
	case !info.Mode().IsRegular():
		err = fmt.Errorf("%w: not a regular file", ErrNotVault)
	case info.Size() == 0:
		err = corrupt("the file is empty")
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	v.file = f
	return f, nil
}

// checkTree is the function of this name, for a file that bbolt has opened.
func (v *Vault) checkTree() error {
	info, err := v.file.Stat()
	if err != nil {
		return classify(err)
	}
	return classify(checkTree(v.file, info.Size(), v.db.Info().PageSize))
}

// check reads the header.
func (v *Vault) check() error {
	return v.view(func(tx *bolt.Tx) (err error) {
		v.torn = torn(v.file, tx.DB().Info().PageSize)
		v.format, v.id, err = readHeader(tx)
		return err
	})
}

// notVault tells a file that never was a vault from one that is damaged.
func notVault(path string, err error) error {
	if errno := syscall.Errno(0); errors.Is(err, ErrStorage) && !errors.As(err, &errno) {
		return corrupt("%v", err) // what bbolt says of a file that it could read
	}
	if !errors.Is(err, bolterrors.ErrInvalid) {
		return err
	}
	f, openErr := os.Open(path)
	if openErr != nil {
		return err
	}
	defer f.Close()
	head := make([]byte, pageHead+4)
	if _, readErr := f.ReadAt(head, 0); readErr == nil && native.Uint32(head[pageHead:]) == boltMagic {
		return err
	}
	return fmt.Errorf("%w: no page of it is a vault's", ErrNotVault)
}
