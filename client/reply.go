package client

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/o2fa/o2fa/ipc"
)

// Bounds of a reply's head. The daemon's own has about 300 bytes.
const (
	maxHead    = 16 << 10 // bytes, from the status line to the empty one
	maxHeaders = 64       // lines
)

// firstBody is how much room a body gets before any of it has come: a length is
// only a claim.
const firstBody = 64 << 10

// errReply means that what answers does not speak as a daemon does.
var errReply = errors.New("not a reply of o2fad")

// reply is what a daemon answered.
type reply struct {
	status  int
	api     int    // of the daemon
	release string // of the daemon
	profile string // id
	body    []byte
}

// readReply reads one HTTP/1.x reply, and strictly: the daemon needs no
// leniency, and what is not a daemon deserves none. The body is as long as
// Content-Length says, at most maxBody bytes; what comes after it is not read.
func readReply(r io.Reader, maxBody int) (*reply, error) {
	head, rest, err := readHead(r)
	if err != nil {
		return nil, err
	}
	rep, length, err := parseHead(string(head))
	if err != nil {
		return nil, err
	}
	if length > maxBody {
		return nil, fmt.Errorf("%w: it announces %d bytes, at most %d are taken", errReply, length, maxBody)
	}
	rep.body, err = readBody(r, rest, length)
	return rep, err
}

// readHead reads up to the empty line, and returns what came after it as rest.
func readHead(r io.Reader) (head, rest []byte, err error) {
	const end = "\r\n\r\n"
	buf := make([]byte, 0, 2<<10)
	for {
		seen := max(0, len(buf)-len(end)+1)
		if len(buf) == cap(buf) {
			buf = slices.Grow(buf, len(buf))
		}
		n, err := r.Read(buf[len(buf):min(cap(buf), maxHead)])
		buf = buf[:len(buf)+n]
		if i := bytes.Index(buf[seen:], []byte(end)); i >= 0 {
			return buf[:seen+i], buf[seen+i+len(end):], nil
		}
		if err == io.EOF && len(buf) > 0 {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return nil, nil, err
		}
		if len(buf) >= maxHead {
			return nil, nil, fmt.Errorf("%w: its header has no end within %d bytes", errReply, maxHead)
		}
	}
}

// readBody returns length bytes, the first of which are in rest.
func readBody(r io.Reader, rest []byte, length int) ([]byte, error) {
	body := make([]byte, 0, min(length, max(firstBody, len(rest))))
	body = append(body, rest[:min(len(rest), length)]...)
	for len(body) < length {
		if len(body) == cap(body) {
			body = slices.Grow(body, min(len(body), length-len(body)))
		}
		n, err := r.Read(body[len(body):min(cap(body), length)])
		body = body[:len(body)+n]
		if len(body) < length && err != nil {
			if err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return nil, fmt.Errorf("after %d of %d bytes: %w", len(body), length, err)
		}
	}
	return body, nil
}

// parseHead reads the status line and the headers that matter. None of those
// may stand twice, and the body's length must be there.
func parseHead(head string) (*reply, int, error) {
	line, rest, _ := strings.Cut(head, "\r\n")
	status, err := parseStatus(line)
	if err != nil {
		return nil, 0, err
	}
	var length, api, release, profile *string
	for count := 1; rest != ""; count++ {
		line, rest, _ = strings.Cut(rest, "\r\n")
		name, value, ok := parseHeader(line)
		var field **string
		switch {
		case !ok, count > maxHeaders, strings.EqualFold(name, "Transfer-Encoding"):
			return nil, 0, fmt.Errorf("%w: line %d of its header", errReply, count+1)
		case strings.EqualFold(name, "Content-Length"):
			field = &length
		case strings.EqualFold(name, ipc.HeaderVersion):
			field = &api
		case strings.EqualFold(name, ipc.HeaderRelease):
			field = &release
		case strings.EqualFold(name, ipc.HeaderProfile):
			field = &profile
		default:
			continue
		}
		if *field != nil {
			return nil, 0, fmt.Errorf("%w: line %d of its header says something a second time", errReply, count+1)
		}
		*field = &value
	}
	if length == nil || api == nil || release == nil || profile == nil {
		return nil, 0, fmt.Errorf("%w: its header lacks a length or an O2fa line", errReply)
	}
	n, okLength := parseNumber(*length)
	v, okAPI := parseNumber(*api)
	if !okLength || !okAPI {
		return nil, 0, fmt.Errorf("%w: a number in its header is none", errReply)
	}
	return &reply{status: status, api: v, release: *release, profile: *profile}, n, nil
}

// parseStatus reads a line such as "HTTP/1.0 200 OK".
func parseStatus(line string) (int, error) {
	version, rest, _ := strings.Cut(line, " ")
	digits, _, _ := strings.Cut(rest, " ")
	status, ok := parseNumber(digits)
	if (version != "HTTP/1.0" && version != "HTTP/1.1") || !ok || len(digits) != 3 || status < 200 || strings.ContainsFunc(rest, isControl) {
		return 0, fmt.Errorf("%w: its first line", errReply)
	}
	return status, nil
}

// parseHeader splits a line such as "Content-Length: 5".
func parseHeader(line string) (name, value string, ok bool) {
	name, value, ok = strings.Cut(line, ":")
	if !ok || name == "" || strings.ContainsFunc(name, notInName) {
		return "", "", false
	}
	value = strings.Trim(value, " \t")
	return name, value, !strings.ContainsFunc(value, isControl)
}

// notInName reports the characters that no header's name has. The rule is
// narrower than HTTP's, and wide enough for every header in use.
func notInName(r rune) bool {
	return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '_'
}

func isControl(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }

// parseNumber reads decimal digits and nothing else: no sign, no blank.
func parseNumber(s string) (int, bool) {
	if s == "" || len(s) > 9 || strings.Trim(s, "0123456789") != "" {
		return 0, false
	}
	n, err := strconv.Atoi(s)
	return n, err == nil
}
