package vault

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// BenchmarkBackup makes and verifies backups of vaults of several sizes.
func BenchmarkBackup(b *testing.B) {
	for _, n := range []int{1000, 10_000, 100_000} {
		v := newVault(b)
		fill(b, v, n)
		path := filepath.Join(b.TempDir(), "b.backup")
		b.Run(fmt.Sprintf("make/%d", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				f, err := os.Create(path)
				if err != nil {
					b.Fatal(err)
				}
				m, err := v.WriteBackup(f, Manifest{Name: "b.backup"})
				if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
					b.Fatal(err)
				}
				b.SetBytes(m.Size)
			}
		})
		b.Run(fmt.Sprintf("verify/%d", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if r, err := verified(b, path); err != nil || r.Entries != n {
					b.Fatal(r, err)
				}
			}
		})
	}
}

// TestVerifyManyEntries opens each of 10,000.
func TestVerifyManyEntries(t *testing.T) {
	const n = 10_000
	v := newVault(t)
	fill(t, v, n)
	path, m := backUp(t, v)
	r, err := verified(t, path)
	if err != nil || r.Entries != n || m.Entries != n {
		t.Errorf("%+v, %v", r, err)
	}
}
