package client

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"slices"
	"strconv"
	"syscall"
	"time"

	"github.com/o2fa/o2fa"
	"github.com/o2fa/o2fa/ipc"
	"github.com/o2fa/o2fa/ipc/socket"
)

// defaultPatience is how long a daemon may take to begin to answer: after it
// was started, or while it holds the profile's lock.
const defaultPatience = 5 * time.Second

// maxTries bounds how often one call meets daemons that come and go.
const maxTries = 5

// seeOther is the status of a reply whose request was obeyed by a daemon that
// ends: its successor tells the rest.
const seeOther = 303

// errUnread means that the daemon closed before it had read the whole request.
var errUnread = errors.New("it did not read the request")

// errMute means that the daemon takes connections and answers none.
var errMute = errors.New("it does not answer")

// session is one call: a client, its profile, and where the daemon was found.
type session struct {
	*Client
	profile socket.Profile
	addr    string
	next    bool // a daemon has said that its successor comes
}

func (s *session) waitTime() time.Duration { return cmp.Or(s.patience, defaultPatience) }

// do carries r to the daemon, and again if the first daemon was too old and
// gave way to a newer one. After a lock on Windows the status is the successor's.
func (s *session) do(ctx context.Context, r Request) ([]byte, error) {
	body, err := encodeBody(r.Body)
	if err != nil {
		return nil, err
	}
	defer clear(body) // it may hold a secret
	for range maxTries {
		rep, err := s.send(ctx, r, body)
		if err != nil {
			return nil, err
		}
		if rep.status == seeOther {
			s.next, r, body = true, Request{Method: "GET", Path: ipc.PathStatus}, nil
			continue
		}
		if !tooOld(rep) {
			return s.accept(rep)
		}
		if err := s.handOver(ctx, rep); err != nil {
			return nil, err
		}
	}
	return nil, fail(ipc.CodeVersion, nil, "", "the daemon at %s was replaced and is too old again", s.addr)
}

// tooOld reports that the daemon did nothing because it does not know our API.
func tooOld(rep *reply) bool {
	refused := &ipc.Error{Code: ipc.CodeVersion}
	return rep.api < ipc.Version && rep.status == refused.Status()
}

// send finds or starts the daemon and exchanges one request for its reply. It
// tries again if the daemon ended before it had read the request, as one does
// that hands over; a change that a daemon may have acted upon is never sent twice.
func (s *session) send(ctx context.Context, r Request, body []byte) (*reply, error) {
	for try := 1; ; try++ {
		conn, err := s.connect(ctx)
		if err != nil {
			return nil, err
		}
		rep, err := s.exchange(ctx, conn, s.encode(r, body, ipc.Version), s.watch)
		conn.Close()
		if err == nil {
			return rep, nil
		}
		// A daemon that ends closes even what it has just read.
		again := errors.Is(err, errUnread) || (r.Method == "GET" || r.Path == ipc.PathFind) && errors.Is(err, io.EOF)
		if !again || try == maxTries {
			return nil, s.explain(err)
		}
	}
}

// accept returns the body of a success, and what else rep says as an error.
func (s *session) accept(rep *reply) ([]byte, error) {
	switch {
	case !s.profile.Fixed && rep.profile != s.profile.ID:
		return nil, fail(ipc.CodeProfile, nil, "set OPEN2FA_DIR, XDG_RUNTIME_DIR and HOME so that they belong together",
			"the daemon at %s serves another profile than %s", s.addr, s.profile.Dir)
	case rep.api != ipc.Version:
		return nil, fail(ipc.CodeVersion, nil, "install o2fa and o2fad of one release",
			"the daemon at %s (release %s) speaks API %d, this o2fa (release %s) speaks %d",
			s.addr, rep.release, rep.api, o2fa.Version(), ipc.Version)
	case rep.status < 300:
		return rep.body, nil
	}
	var wire ipc.ErrorReply
	if json.Unmarshal(rep.body, &wire) != nil || wire.Error == nil || wire.Error.Code == "" {
		return nil, fail(ipc.CodeInternal, nil, "", "the daemon answered with status %d and no reason", rep.status)
	}
	return nil, wire.Error
}

// exchange writes the request and reads the reply. It returns when ctx ends, at
// whatever point that is. If the reply is not whole in time, it calls watch,
// which may cancel the exchange.
func (s *session) exchange(ctx context.Context, conn net.Conn, request []byte, watch func(context.Context, context.CancelCauseFunc)) (*reply, error) {
	defer clear(request)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	if watch != nil {
		timer := time.AfterFunc(s.waitTime(), func() { watch(ctx, cancel) })
		defer timer.Stop()
	}
	_, writeErr := conn.Write(request)
	// A daemon that refuses a request may close before it has read all of it.
	rep, err := readReply(conn, ipc.MaxReplyBody)
	if err == nil {
		return rep, nil
	}
	if cause := context.Cause(ctx); cause != nil {
		return nil, cause
	}
	// A reset means that it closed with our bytes unread.
	if err = cmp.Or(writeErr, err); writeErr != nil || errors.Is(err, syscall.ECONNRESET) {
		err = fmt.Errorf("%w: %w", errUnread, err)
	}
	return nil, err
}

// watch cancels an exchange whose daemon has stopped answering anybody. A
// request may well be slow, when a person is asked for a password or the disk
// is busy; a daemon that then does not tell its status either is stuck, and
// would keep its client waiting for ever.
//
// Silence is what counts. A status that cannot be asked for is given a second
// try: a daemon that ends listens no more, and still answers what it has taken.
func (s *session) watch(ctx context.Context, cancel context.CancelCauseFunc) {
	for failed := false; ctx.Err() == nil; {
		err := s.ping(ctx)
		if errors.Is(err, context.DeadlineExceeded) || err != nil && failed {
			cancel(errMute)
			return
		}
		failed = err != nil
		select {
		case <-ctx.Done():
		case <-time.After(s.waitTime()):
		}
	}
}

// ping returns nil if the daemon tells its status in time, whatever that is.
func (s *session) ping(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, s.waitTime())
	defer cancel()
	_, err := s.ask(ctx, Request{Method: "GET", Path: ipc.PathStatus}, nil, ipc.Version)
	return err
}

// ask is one exchange with the daemon that was found, unwatched, in the API
// number that it speaks.
func (s *session) ask(ctx context.Context, r Request, body []byte, api int) (*reply, error) {
	conn, err := socket.Dial(ctx, s.addr)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	return s.exchange(ctx, conn, s.encode(r, body, api), nil)
}

// explain makes the error of an exchange one for people.
func (s *session) explain(err error) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return unavailable(err, "", "waiting for the daemon's reply")
	}
	if errors.Is(err, errMute) {
		return s.mute(err)
	}
	return unavailable(err, "", "talking to the daemon at %s", s.addr)
}

// mute tells of a daemon that lives and does not answer.
func (s *session) mute(err error) error {
	where := "at " + s.addr
	if !s.profile.Fixed {
		where += ", log " + s.profile.LogFile()
		if info, held, _ := socket.ReadLock(s.profile); held && info.PID > 0 {
			where = fmt.Sprintf("pid %d %s", info.PID, where)
		}
	}
	return unavailable(err, "", "waiting %s for the daemon (%s)", s.waitTime(), where)
}

// encode returns r as HTTP/1.0: the connection ends with the reply, so neither
// side needs chunks.
func (s *session) encode(r Request, body []byte, api int) []byte {
	b := make([]byte, 0, 512+len(body))
	b = append(append(b, r.Method...), ' ')
	b = append(b, r.Path...)
	sep := byte('?')
	for _, name := range slices.Sorted(maps.Keys(r.Query)) {
		b = appendEscaped(append(b, sep), name)
		b = appendEscaped(append(b, '='), r.Query[name])
		sep = '&'
	}
	b = append(b, " HTTP/1.0\r\nHost: o2fa\r\n"...)
	b = appendHeader(b, ipc.HeaderVersion, strconv.Itoa(api))
	b = appendHeader(b, ipc.HeaderRelease, o2fa.Version())
	if !s.profile.Fixed {
		b = appendHeader(b, ipc.HeaderProfile, s.profile.ID)
	}
	b = appendHeader(b, "Accept", cmp.Or(r.Accept, "application/json"))
	if body != nil {
		b = appendHeader(b, "Content-Type", "application/json")
	}
	// Without it a POST would have no length, and the daemon wait for one.
	b = appendHeader(b, "Content-Length", strconv.Itoa(len(body)))
	return append(append(b, "\r\n"...), body...)
}

func appendHeader(b []byte, name, value string) []byte {
	b = append(append(b, name...), ": "...)
	return append(append(b, value...), "\r\n"...)
}

// appendEscaped writes s as a part of a query: every byte but those that need
// no escaping anywhere in a URL.
func appendEscaped(b []byte, s string) []byte {
	const hex = "0123456789ABCDEF"
	for i := range len(s) {
		c := s[i]
		if 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '_' || c == '.' || c == '~' {
			b = append(b, c)
		} else {
			b = append(b, '%', hex[c>>4], hex[c&15])
		}
	}
	return b
}

// encodeBody returns v as JSON, or nothing for nil.
func encodeBody(v any) ([]byte, error) {
	if v == nil {
		return nil, nil
	}
	body, err := json.Marshal(v)
	if err != nil {
		return nil, fail(ipc.CodeBadRequest, err, "", "encoding the request")
	}
	return body, nil
}
