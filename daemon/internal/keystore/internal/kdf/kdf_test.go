package kdf

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"runtime"
	"testing"
	"time"
)

func TestBounds(t *testing.T) {
	for _, c := range []struct {
		time, memory uint32
		threads      uint8
		ok           bool
	}{
		{1, 8, 1, true},
		{MaxTime, MaxMemoryKiB, MaxThreads, true},
		{3, 8 * 4, 4, true},
		{0, 64, 1, false},
		{MaxTime + 1, 64, 1, false},
		{1 << 31, 64, 1, false},
		{1, 7, 1, false},
		{1, 31, 4, false},
		{1, MaxMemoryKiB + 1, 1, false},
		{1, 1<<32 - 1, 1, false},
		{1, 64, 0, false},
		{1, 1 << 20, MaxThreads + 1, false},
		{1, 1 << 20, 255, false},
	} {
		cost, err := New(c.time, c.memory, c.threads)
		if c.ok != (err == nil) || (err != nil && !errors.Is(err, ErrBounds)) {
			t.Errorf("New(%d, %d, %d): %v", c.time, c.memory, c.threads, err)
		}
		if time, memory, threads := cost.Params(); c.ok && (time != c.time || memory != c.memory || threads != c.threads) {
			t.Errorf("Params = %d, %d, %d, want %+v", time, memory, threads, c)
		}
	}
	for n, ok := range map[int]bool{0: false, MinSalt - 1: false, MinSalt: true, MaxSalt: true, MaxSalt + 1: false} {
		if err := CheckSalt(make([]byte, n)); ok != (err == nil) || (err != nil && !errors.Is(err, ErrBounds)) {
			t.Errorf("salt of %d bytes: %v", n, err)
		}
		if _, err := Cheap().Derive(t.Context(), []byte("x"), make([]byte, n)); ok != (err == nil) {
			t.Errorf("Derive with a salt of %d bytes: %v", n, err)
		}
	}
}

// TestZeroCostIsDefault: a forgotten cost must not be a cheap one.
func TestZeroCostIsDefault(t *testing.T) {
	gotT, gotM, gotP := Cost{}.Params()
	wantT, wantM, wantP := Default().Params()
	if gotT != wantT || gotM != wantM || gotP != wantP {
		t.Error("the zero cost is not the default")
	}
	if _, err := New(wantT, wantM, wantP); err != nil {
		t.Errorf("the default is out of bounds: %v", err)
	}
	if wantM < 64<<10 || wantT < 3 {
		t.Errorf("default of %d passes over %d KiB is below RFC 9106's second choice", wantT, wantM)
	}
}

// TestDeriveDependsOnAll: each input changes the key.
func TestDeriveDependsOnAll(t *testing.T) {
	salt, other := []byte("0123456789abcdef"), []byte("0123456789abcdeF")
	seen := map[string]string{}
	for _, c := range []struct {
		time, memory uint32
		threads      uint8
		pass         string
		salt         []byte
	}{
		{1, 64, 1, "pass", salt},
		{2, 64, 1, "pass", salt},
		{1, 72, 1, "pass", salt},
		{1, 64, 2, "pass", salt},
		{1, 64, 1, "Pass", salt},
		{1, 64, 1, "pass\x00", salt},
		{1, 64, 1, "pass", other},
	} {
		cost, err := New(c.time, c.memory, c.threads)
		if err != nil {
			t.Fatal(err)
		}
		key, err := cost.Derive(t.Context(), []byte(c.pass), c.salt)
		if err != nil {
			t.Fatal(err)
		}
		if len(key) != KeySize {
			t.Errorf("key of %d bytes", len(key))
		}
		if was, ok := seen[hex.EncodeToString(key)]; ok {
			t.Errorf("%+v gives the key of %s", c, was)
		}
		seen[hex.EncodeToString(key)] = fmt.Sprintf("%+v", c)
	}
}

func TestDeriveWaitsForItsTurn(t *testing.T) {
	turn <- struct{}{}
	ctx, cancel := context.WithCancel(t.Context())
	result := make(chan error)
	go func() {
		_, err := Cheap().Derive(ctx, []byte("x"), make([]byte, MinSalt))
		result <- err
	}()
	select {
	case err := <-result:
		t.Fatalf("it did not wait: %v", err)
	default:
	}
	cancel()
	if err := <-result; !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want canceled", err)
	}
	<-turn
	if _, err := Cheap().Derive(t.Context(), []byte("x"), make([]byte, MinSalt)); err != nil {
		t.Error(err)
	}
}

// TestDeriveGivesMemoryBack: the daemon must not stay large after an unlock.
func TestDeriveGivesMemoryBack(t *testing.T) {
	const used = 64 << 10 // KiB
	cost, err := New(1, used, 1)
	if err != nil {
		t.Fatal(err)
	}
	before := resident()
	if _, err := cost.Derive(t.Context(), []byte("x"), make([]byte, MinSalt)); err != nil {
		t.Fatal(err)
	}
	if after := resident(); after > before+used<<10/4 {
		t.Errorf("the heap holds %d MiB, before %d", after>>20, before>>20)
	}
}

// resident returns the bytes of the heap that the system has to keep.
func resident() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapSys - m.HeapReleased
}

// BenchmarkDefault measures what a person waits for at init and unlock.
func BenchmarkDefault(b *testing.B) {
	for b.Loop() {
		if _, err := Default().Derive(b.Context(), []byte("correct horse"), make([]byte, MinSalt)); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Milliseconds())/float64(b.N), "ms/derivation")
}

// BenchmarkCosts compares candidates for the default.
func BenchmarkCosts(b *testing.B) {
	for _, c := range []struct {
		time, memoryMiB uint32
		threads         uint8
	}{{3, 64, 4}, {3, 128, 4}, {3, 192, 4}, {3, 256, 4}, {2, 256, 4}, {4, 128, 4}} {
		b.Run(fmt.Sprintf("t%d-m%dMiB-p%d", c.time, c.memoryMiB, c.threads), func(b *testing.B) {
			cost, err := New(c.time, c.memoryMiB<<10, c.threads)
			if err != nil {
				b.Fatal(err)
			}
			best := time.Hour
			for b.Loop() {
				start := time.Now()
				if _, err := cost.Derive(b.Context(), []byte("correct horse"), make([]byte, MinSalt)); err != nil {
					b.Fatal(err)
				}
				best = min(best, time.Since(start))
			}
			b.ReportMetric(float64(best.Milliseconds()), "best-ms")
		})
	}
}
