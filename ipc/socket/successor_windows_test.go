package socket

import (
	"errors"
	"runtime"
	"testing"
)

// TestSucceed hands the lock over while others look at it and want it. Nobody
// ever sees it free, and nobody else gets it.
func TestSucceed(t *testing.T) {
	p := testProfile(t)
	before, err := AcquireLock(p)
	if err != nil {
		t.Fatal(err)
	}
	if there, err := Succeeded(p); there || err != nil {
		t.Fatalf("without a successor: %v, %v", there, err)
	}
	type result struct {
		lock *Lock
		err  error
	}
	succeeded := make(chan result, 1)
	go func() {
		lock, err := Succeed(p)
		succeeded <- result{lock, err}
	}()
	for there := false; !there; runtime.Gosched() {
		if there, err = Succeeded(p); err != nil {
			t.Fatal(err)
		}
	}
	stop, looked := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(looked)
		for n := 0; ; n++ {
			if _, held, err := ReadLock(p); !held || err != nil {
				t.Errorf("look %d: held %v, %v", n, held, err)
			}
			if l, err := AcquireLock(p); !errors.Is(err, ErrHeld) {
				t.Errorf("try %d: %v, %v", n, l, err)
			}
			select {
			case <-stop:
				return
			default:
			}
		}
	}()
	if err := before.Close(); err != nil {
		t.Error(err)
	}
	next := <-succeeded
	close(stop)
	<-looked
	if next.err != nil {
		t.Fatal(next.err)
	}
	if there, err := Succeeded(p); there || err != nil {
		t.Errorf("after it: %v, %v", there, err)
	}
	if err := next.lock.Close(); err != nil {
		t.Error(err)
	}
	if _, held, err := ReadLock(p); held || err != nil {
		t.Errorf("in the end: %v, %v", held, err)
	}
}
