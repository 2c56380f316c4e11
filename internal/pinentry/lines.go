package pinentry

import (
	"bytes"
	"fmt"
	"io"
)

// lines reads lines of at most maxLine bytes. All that passes through it stays in
// its one buffer, which can be wiped.
type lines struct {
	r          io.Reader
	buf        [maxLine]byte
	start, end int // of what was read and not returned
}

// next returns a line without its ending; it is good until the next call.
func (l *lines) next() ([]byte, error) {
	for {
		if i := bytes.IndexByte(l.buf[l.start:l.end], '\n'); i >= 0 {
			line := l.buf[l.start : l.start+i]
			l.start += i + 1
			return bytes.TrimSuffix(line, []byte("\r")), nil
		}
		if l.start > 0 {
			l.end = copy(l.buf[:], l.buf[l.start:l.end])
			l.start = 0
		}
		if l.end == len(l.buf) {
			return nil, fmt.Errorf("%w: a line has more than %d bytes", errProtocol, maxLine)
		}
		n, err := l.r.Read(l.buf[l.end:])
		l.end += n
		if err != nil && n == 0 {
			return nil, fmt.Errorf("%w: it ended without an answer", ErrNoDialog)
		}
	}
}

// wipe forgets what was read.
func (l *lines) wipe() { clear(l.buf[:]) }
