package daemon

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/o2fa/o2fa/daemon/internal/vault"
	"github.com/o2fa/o2fa/ipc"
)

// encoded is a reply that is JSON already. It is wiped when it has been sent.
type encoded []byte

// entrySize is about how many bytes an entry takes in a list.
const entrySize = 320

// encodeEntries returns an ipc.Entries as JSON, made entry by entry, as the whole
// of 100,000 would take five times the memory of its JSON. fill may add to an
// entry what its summary does not have.
func encodeEntries(list []vault.Summary, total int, fill func(*ipc.Entry, vault.ID) error) (encoded, error) {
	buf := bytes.NewBuffer(make([]byte, 0, 64+entrySize*len(list)))
	enc := newEncoder(buf)
	buf.WriteString(`{"entries":[`)
	var e ipc.Entry // one for all
	for i := range list {
		e = wireEntry(list[i])
		if err := fill(&e, list[i].ID); err != nil {
			return nil, err
		}
		if err := enc.Encode(&e); err != nil {
			return nil, fmt.Errorf("encoding entry: %w", err)
		}
		buf.Truncate(buf.Len() - 1) // the line end
		buf.WriteByte(',')
	}
	if len(list) > 0 {
		buf.Truncate(buf.Len() - 1)
	}
	fmt.Fprintf(buf, "],\"total\":%d}\n", total)
	return buf.Bytes(), nil
}

// newEncoder returns an encoder without HTML escapes, which nobody here needs and
// which people who read the output would have to decode.
func newEncoder(buf *bytes.Buffer) *json.Encoder {
	enc := json.NewEncoder(buf)
	enc.SetEscapeHTML(false)
	return enc
}
