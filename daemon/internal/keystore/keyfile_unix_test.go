//go:build unix

package keystore_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/o2fa/o2fa/daemon/internal/keystore"
)

func TestKeyfileMode(t *testing.T) {
	path, odd := keyfilePath(t), keyfilePath(t)
	old := syscall.Umask(0) // an umask that takes nothing away
	s := keystore.NewKeyfile(path)
	h, key := create(t, s, newVault())
	syscall.Umask(0o777) // and one that takes all
	oddHeader, oddKey, oddErr := keystore.NewKeyfile(odd).Create(t.Context(), newVault())
	syscall.Umask(old)
	if oddErr != nil {
		t.Fatal(oddErr)
	}
	if !open(t, keystore.NewKeyfile(odd), oddHeader).Equal(oddKey) {
		t.Error("another key under an odd umask")
	}
	for _, p := range []string{path, odd} {
		info, err := os.Stat(p)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode() != 0o600 {
			t.Errorf("mode %v, want 0600", info.Mode())
		}
	}
	for mode, private := range map[os.FileMode]bool{0o400: true, 0o600: true, 0o700: true, 0o640: false, 0o604: false, 0o620: false, 0o666: false} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		got, err := s.Open(t.Context(), h)
		switch {
		case private && (err != nil || !got.Equal(key)):
			t.Errorf("mode %04o: %v", mode, err)
		case !private && !errors.Is(err, keystore.ErrUnsafe):
			t.Errorf("mode %04o: %v, want ErrUnsafe", mode, err)
		}
	}
}

func TestKeyfileOfAnotherUser(t *testing.T) {
	path := "/etc/passwd" // root's, for everybody but root
	if os.Getuid() == 0 {
		path = keyfilePath(t)
		create(t, keystore.NewKeyfile(path), newVault())
		if err := os.Chown(path, 65534, 65534); err != nil {
			t.Fatal(err)
		}
	}
	_, err := keystore.NewKeyfile(path).Open(t.Context(), keystore.Header{Type: keystore.TypeKeyfile})
	if !errors.Is(err, keystore.ErrUnsafe) || !strings.Contains(err.Error(), "another user") {
		t.Errorf("%v, want ErrUnsafe", err)
	}
}

// TestKeyfileNotRegular: nothing but a regular file is read, waited for or
// removed.
func TestKeyfileNotRegular(t *testing.T) {
	for name, replace := range map[string]func(path string) error{
		"link to the key": func(path string) error {
			real := filepath.Join(filepath.Dir(path), "real")
			return errors.Join(os.Rename(path, real), os.Symlink(real, path))
		},
		"link to nothing": func(path string) error { return errors.Join(os.Remove(path), os.Symlink("/nonexistent", path)) },
		"pipe":            func(path string) error { return errors.Join(os.Remove(path), syscall.Mkfifo(path, 0o600)) },
		"directory":       func(path string) error { return errors.Join(os.Remove(path), os.Mkdir(path, 0o700)) },
		"device":          func(path string) error { return errors.Join(os.Remove(path), os.Symlink("/dev/zero", path)) },
	} {
		t.Run(name, func(t *testing.T) {
			path := keyfilePath(t)
			s := keystore.NewKeyfile(path)
			h, _ := create(t, s, newVault())
			if err := replace(path); err != nil {
				t.Fatal(err)
			}
			done := make(chan error, 2)
			go func() {
				_, err := s.Open(t.Context(), h)
				done <- err
				done <- s.Remove(t.Context(), h)
			}()
			for range 2 {
				select {
				case err := <-done:
					if !errors.Is(err, keystore.ErrUnsafe) {
						t.Errorf("%v, want ErrUnsafe", err)
					}
				case <-time.After(20 * time.Second):
					t.Fatal("it waits")
				}
			}
			if _, _, err := s.Create(t.Context(), newVault()); !errors.Is(err, keystore.ErrExists) {
				t.Errorf("Create: %v, want ErrExists", err)
			}
			if _, err := os.Lstat(path); err != nil {
				t.Errorf("it was removed: %v", err)
			}
		})
	}
}
