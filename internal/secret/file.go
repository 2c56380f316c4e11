package secret

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"unicode/utf8"
)

// maxFile bounds what ReadFile reads: a passphrase, not a document.
const maxFile = 4 << 10

// ReadFile reads a passphrase from the first line of a file, without its line
// ending. The file must be regular (or a pipe that the shell made), not empty,
// at most 4 KiB and closed to other users.
func ReadFile(path string) (Bytes, error) {
	f, err := os.Open(path)
	if err != nil {
		return Bytes{}, fmt.Errorf("reading passphrase file: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return Bytes{}, fmt.Errorf("reading passphrase file: %w", err)
	}
	if info.IsDir() {
		return Bytes{}, fmt.Errorf("reading passphrase file %s: it is a directory", path)
	}
	if err := checkPrivate(f, info); err != nil {
		return Bytes{}, err
	}
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	defer clear(data)
	if err != nil {
		return Bytes{}, fmt.Errorf("reading passphrase file: %w", err)
	}
	if len(data) > maxFile {
		return Bytes{}, fmt.Errorf("reading passphrase file %s: it is larger than 4 KiB", path)
	}
	line, _, _ := bytes.Cut(data, []byte("\n"))
	line = bytes.TrimSuffix(line, []byte("\r"))
	if len(line) == 0 {
		return Bytes{}, fmt.Errorf("reading passphrase file %s: %w", path, ErrEmpty)
	}
	if !utf8.Valid(line) {
		// The local API carries passphrases as JSON, in which all such bytes
		// would become one and the same character.
		return Bytes{}, fmt.Errorf("reading passphrase file %s: %w", path, ErrEncoding)
	}
	return Copy(line), nil
}

// ErrEmpty says that a passphrase file has an empty first line.
var ErrEmpty = errors.New("its first line is empty")

// ErrEncoding says that the first line of a passphrase file is no text in UTF-8.
var ErrEncoding = errors.New("its first line is not UTF-8")
