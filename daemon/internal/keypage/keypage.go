// Package keypage owns the memory that keys lie in: a page of the system's own,
// outside of Go's heap, so that nothing copies or moves it, kept out of swap and
// core dumps where the system can do that. It knows nothing of what the keys are.
package keypage

import (
	"fmt"
	"os"
)

// Page is memory for keys. Nobody may use its bytes after Free.
type Page struct {
	mem     []byte
	mapped  bool
	exposed error
}

// New returns a page of zeros. It always does: where the system gives no page
// of its own it is Go's memory, and Exposed says so.
func New() *Page {
	mem, err := allocate(os.Getpagesize())
	if err != nil {
		return &Page{mem: make([]byte, os.Getpagesize()), exposed: fmt.Errorf("getting a page for keys: %w", err)}
	}
	p := &Page{mem: mem, mapped: true}
	if err := protect(mem); err != nil {
		p.exposed = fmt.Errorf("keeping keys out of swap and dumps: %w", err)
	}
	return p
}

// Bytes returns the page.
func (p *Page) Bytes() []byte { return p.mem }

// Exposed returns why the keys could be written to swap or to a dump; nil if the
// system keeps them out of both, as far as it can do that at all.
func (p *Page) Exposed() error { return p.exposed }

// Free overwrites the page with zeros and gives it back.
func (p *Page) Free() {
	clear(p.mem)
	if p.mapped {
		release(p.mem)
	}
	p.mem, p.mapped = nil, false
}
