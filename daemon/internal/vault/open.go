package vault

import (
	"encoding/binary"
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
	v := &Vault{path: path, now: opt.clock(), readOnly: readOnly, unsettled: true}
	defer func() {
		if err != nil && v.file != nil {
			// bbolt may have closed it already, or have panicked and kept it.
			_ = release(v.file)
		}
	}()
	err = guard(func() error {
		v.db, err = bolt.Open(path, 0o600, &bolt.Options{
			Timeout: busyWait, ReadOnly: readOnly, FreelistType: bolt.FreelistMapType, NoStatistics: true,
			OpenFile: v.openFile, InitialMmapSize: mapSize(),
		})
		return err
	})
	if err != nil {
		return nil, notVault(path, missing(err))
	}
	v.db.AllocSize = allocSize
	if err := v.check(); err != nil {
		return nil, errors.Join(err, v.Close())
	}
	return v, nil
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

// check reads the header, and refuses a file that is shorter than its pages.
func (v *Vault) check() error {
	return v.view(func(tx *bolt.Tx) (err error) {
		info, err := v.file.Stat()
		if err != nil {
			return err
		}
		if info.Size() < tx.Size() {
			return corrupt("the file has %d bytes of %d", info.Size(), tx.Size())
		}
		v.torn = torn(v.file, tx.DB().Info().PageSize)
		v.format, v.id, err = readHeader(tx)
		return err
	})
}

// boltMagic stands at byte 16 of a bbolt file, in the byte order of the machine
// that made it.
const boltMagic = 0xED0CDAED

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
	head := make([]byte, 20)
	if _, readErr := f.ReadAt(head, 0); readErr == nil && binary.NativeEndian.Uint32(head[16:]) == boltMagic {
		return err
	}
	return fmt.Errorf("%w: no page of it is a vault's", ErrNotVault)
}
