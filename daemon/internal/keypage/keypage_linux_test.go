package keypage

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"unsafe"
)

// flags returns what the kernel says of the mapping that holds mem.
func flags(t *testing.T, mem []byte) (list []string, found bool) {
	t.Helper()
	maps, err := os.ReadFile("/proc/self/smaps")
	if err != nil {
		t.Fatal(err)
	}
	address, inside := uintptr(unsafe.Pointer(unsafe.SliceData(mem))), false
	for line := range strings.Lines(string(maps)) {
		var from, to uintptr
		if n, _ := fmt.Sscanf(line, "%x-%x ", &from, &to); n == 2 {
			inside = from <= address && address < to
		}
		if text, ok := strings.CutPrefix(line, "VmFlags:"); ok && inside {
			return strings.Fields(text), true
		}
	}
	return nil, false
}

func TestPageIsLockedAndNotDumped(t *testing.T) {
	p := New()
	defer p.Free()
	if err := p.Exposed(); err != nil {
		t.Fatal(err)
	}
	if len(p.Bytes()) != os.Getpagesize() || !bytes.Equal(p.Bytes(), make([]byte, os.Getpagesize())) {
		t.Error("it is not a page of zeros")
	}
	got, found := flags(t, p.Bytes())
	if !found || !slices.Contains(got, "lo") || !slices.Contains(got, "dd") {
		t.Errorf("flags of the mapping: %v; lo and dd are wanted", got)
	}
}

func TestFree(t *testing.T) {
	p := New()
	mem := p.Bytes()
	p.Free()
	if p.Bytes() != nil {
		t.Error("it has bytes after Free")
	}
	if got, found := flags(t, mem); found && slices.Contains(got, "lo") {
		t.Error("it is still mapped")
	}
	p.Free()

	// Where the page is not the system's, zeros are all that Free can leave.
	own := &Page{mem: []byte("key")}
	mem = own.Bytes()
	own.Free()
	if !bytes.Equal(mem, make([]byte, 3)) {
		t.Errorf("left %q", mem)
	}
}
