package daemon

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path"
	"runtime/debug"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/o2fa/o2fa"
	"github.com/o2fa/o2fa/ipc"
)

// writeTime is how long a client may take to read its reply.
const writeTime = 30 * time.Second

// route is one call of the API.
type route struct {
	method, path string
	act          func(*http.Request) (any, error)
	// uses says that the call is a command that a person gave, so that the time
	// of lock_idle begins anew. What programs ask by themselves is none.
	uses bool
}

// routes is the table of all calls.
func (d *Daemon) routes() []route {
	return []route{
		{"GET", ipc.PathStatus, d.getStatus, false},
		{"POST", ipc.PathInit, d.postInit, true},
		{"POST", ipc.PathLock, d.postLock, false},
		{"POST", ipc.PathUnlock, d.postUnlock, true},
		{"POST", ipc.PathSlots, d.postSlots, true},
		{"GET", ipc.PathEntries, d.withRows(d.getEntries), false},
		{"POST", ipc.PathEntries, d.postEntries, true},
		{"POST", ipc.PathFind, d.withRows(d.postFind), false},
		{"POST", ipc.PathEdit, d.withRows(d.postEdit), true},
		{"POST", ipc.PathDelete, d.withRows(d.postDelete), true},
		{"GET", ipc.PathEntry, d.withRows(d.getEntry), true},
		{"POST", ipc.PathCode, d.withRows(d.postCode), true},
		{"GET", ipc.PathCodes, d.withRows(d.getCodes), false},
		{"GET", ipc.PathTrash, d.withRows(d.getTrash), false},
		{"POST", ipc.PathRestore, d.withRows(d.postRestore), true},
		{"POST", ipc.PathEmpty, d.withRows(d.postEmpty), true},
		{"POST", ipc.PathUndo, d.withRows(d.postUndo), true},
		{"GET", ipc.PathConfig, d.getConfig, false},
		{"POST", ipc.PathConfig, d.postConfig, true},
		{"GET", ipc.PathDoctor, d.getDoctor, false},
		{"GET", ipc.PathLog, d.withRows(d.getLog), false},
		{"POST", ipc.PathLogClear, d.postLogClear, true},
		{"GET", ipc.PathBackups, d.getBackups, false},
		{"POST", ipc.PathBackupCreate, d.postBackupCreate, true},
		{"POST", ipc.PathBackupVerify, d.forgetting(d.postBackupVerify), true},
		{"GET", ipc.PathSecretsFile, d.getSecretsFile, false},
		{"POST", ipc.PathSecretsFile, d.postSecretsFile, true},
		{"POST", ipc.PathBackupCompare, d.forgetting(d.postBackupCompare), true},
		{"POST", ipc.PathBackupRestore, d.forgetting(d.postBackupRestore), true},
		{"POST", ipc.PathBackupRemake, d.postBackupRemake, true},
		{"GET", ipc.PathReset, d.getReset, false},
		{"POST", ipc.PathReset, d.postReset, false},
		{"POST", ipc.PathShutdown, d.postShutdown, false},
	}
}

// handler is the whole API: every route, in one table. A handler decodes,
// checks, acts and returns what to reply.
func (d *Daemon) handler() http.Handler {
	mux := http.NewServeMux()
	known := map[string]bool{}
	for _, r := range d.routes() {
		mux.Handle(r.method+" "+r.path, d.answer(d.afterStart(d.served(r))))
		if known[r.path] {
			continue
		}
		known[r.path] = true
		mux.Handle(r.path, d.answer(func(req *http.Request) (any, error) {
			return nil, &ipc.Error{Code: ipc.CodeMethod, Message: fmt.Sprintf("%s does not take %.10q", r.path, req.Method)}
		}))
	}
	mux.Handle("/", d.answer(func(*http.Request) (any, error) {
		return nil, errUnknownPath
	}))
	return d.guard(mux)
}

var errUnknownPath = &ipc.Error{Code: ipc.CodeUnknownPath, Message: "there is no such path in this API"}

// guard stands before every handler: it refuses web pages and other profiles,
// bounds bodies, and turns a panic into one reply.
func (d *Daemon) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		d.requests.Add(1)
		defer d.requests.Done()
		d.rest.stir()
		defer d.exe.look(d.now(), d.handOver)
		defer func() {
			if p := recover(); p != nil {
				// The value may hold what a request brought; its type cannot.
				d.log.Error("panic in a handler", "type", fmt.Sprintf("%T", p), "stack", string(debug.Stack()))
				d.writeError(w, &ipc.Error{Code: ipc.CodeInternal, Message: "a defect in the daemon; its log has the details"})
			}
		}()
		h := w.Header()
		h.Set(ipc.HeaderVersion, strconv.Itoa(ipc.Version))
		h.Set(ipc.HeaderRelease, o2fa.Version())
		h.Set(ipc.HeaderProfile, d.cfg.Profile.ID)
		if err := d.admit(r); err != nil {
			d.writeError(w, err)
			return
		}
		if r.ContentLength != 0 && r.URL.Path != ipc.PathUnlock {
			d.keeper.held.Store(true) // whatever it is
		}
		r.Body = http.MaxBytesReader(w, r.Body, ipc.MaxRequestBody)
		next.ServeHTTP(w, r)
	})
}

// admit refuses what a browser would send (a page that reached the socket
// through some proxy) and requests that were meant for another profile.
func (d *Daemon) admit(r *http.Request) error {
	if r.Header.Get("Origin") != "" || r.Header.Get("Referer") != "" {
		return &ipc.Error{Code: ipc.CodeRefused, Message: "requests from web pages are refused"}
	}
	if r.URL.Path != path.Clean(r.URL.Path) { // the mux would redirect it
		return errUnknownPath
	}
	host, _, _ := strings.Cut(r.Host, ":")
	if host != "" && host != "o2fa" && host != "localhost" {
		return &ipc.Error{Code: ipc.CodeRefused, Message: "the Host header must be o2fa, localhost or absent"}
	}
	if number := r.Header.Get(ipc.HeaderVersion); number != "" && number != strconv.Itoa(ipc.Version) {
		return &ipc.Error{Code: ipc.CodeVersion, Message: fmt.Sprintf("this daemon speaks API %d, not the one that was asked for", ipc.Version),
			Hint: "use an o2fa of the release " + o2fa.Version()}
	}
	if p := r.Header.Get(ipc.HeaderProfile); p != "" && p != d.cfg.Profile.ID {
		return &ipc.Error{Code: ipc.CodeProfile,
			Message: fmt.Sprintf("this daemon serves %s, not the profile that was asked for", d.cfg.Profile.Dir),
			Hint:    "set OPEN2FA_DIR and O2FA_SOCKET so that they belong together"}
	}
	return nil
}

// handOver ends the daemon for a newer one; requests in flight end first.
func (d *Daemon) handOver() {
	d.log.Info("a newer o2fad is installed: handing over")
	d.end()
}

// startPatience is how long a request waits for a start to finish: longer than
// taking a large secrets.json in lasts.
const startPatience = 20 * time.Second

// afterStart lets a request wait until the start is over.
func (d *Daemon) afterStart(act func(*http.Request) (any, error)) func(*http.Request) (any, error) {
	return func(r *http.Request) (any, error) {
		select {
		case <-d.intake.begun:
			return act(r)
		default:
		}
		patience := startPatience
		if r.URL.Path == ipc.PathStatus || r.URL.Path == ipc.PathDoctor || r.URL.Path == ipc.PathShutdown {
			patience = statusPatience
		}
		ctx, cancel := context.WithTimeout(r.Context(), patience)
		defer cancel()
		if d.keeper.settle(ctx) == nil && !d.keeper.asking() {
			select {
			case <-d.intake.begun:
			case <-ctx.Done():
			}
		}
		return act(r) // which says so where the start is not over
	}
}

// withRows lets a request find what a secrets.json holds that waits for a vault.
func (d *Daemon) withRows(act func(*http.Request) (any, error)) func(*http.Request) (any, error) {
	return func(r *http.Request) (any, error) {
		d.intake.first(r.Context())
		return act(r)
	}
}

// plainText is a reply that is not JSON.
type plainText string

// answer wraps a handler's result: JSON with Content-Length, or the error.
func (d *Daemon) answer(act func(*http.Request) (any, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		reply, err := act(r)
		if err != nil {
			d.writeError(w, err)
			return
		}
		if _, ok := reply.(byNext); ok {
			d.leaveTo(w)
			return
		}
		if text, ok := reply.(plainText); ok {
			write(w, http.StatusOK, "text/plain; charset=utf-8", []byte(text))
			return
		}
		if body, ok := reply.(encoded); ok {
			write(w, http.StatusOK, "application/json", body)
			clear(body)
			return
		}
		body, err := marshal(reply)
		if err != nil {
			d.writeError(w, fmt.Errorf("encoding reply: %w", err))
			return
		}
		write(w, http.StatusOK, "application/json", body)
	})
}

// writeError replies with err as the wire knows it. What has no code of its own
// is logged and named an internal error, without its text.
func (d *Daemon) writeError(w http.ResponseWriter, err error) {
	d.keeper.report(err)
	wire := d.keeper.problemOf(err)
	if wire.Code == ipc.CodeInternal {
		d.log.Error("request failed", "error", err.Error())
	}
	body, err := marshal(ipc.ErrorReply{Error: wire})
	if err != nil {
		body = []byte(`{"error":{"code":"internal_error","message":"encoding the error"}}` + "\n")
	}
	write(w, wire.Status(), "application/json", body)
}

// marshal is json.Marshal without HTML escapes.
func marshal(v any) ([]byte, error) {
	var buf bytes.Buffer
	if err := newEncoder(&buf).Encode(v); err != nil {
		return nil, err
	}
	return buf.Bytes(), nil
}

func write(w http.ResponseWriter, status int, kind string, body []byte) {
	h := w.Header()
	h.Set("Content-Type", kind)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	h.Set("Cache-Control", "no-store")
	// Not a timeout of the server: a code may be waited for on purpose, but a
	// client that does not read its reply is cut off. Recorders have no deadline.
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(writeTime))
	w.WriteHeader(status)
	_, _ = w.Write(body) // a client that has gone needs no reply
}

// decode reads one JSON value, and nothing after it, into T. Unknown fields are
// refused: with equal API numbers they can only be mistakes.
func decode[T any](r *http.Request) (T, error) {
	var v T
	body, err := io.ReadAll(r.Body)
	defer clear(body)
	if err == nil && !utf8.Valid(body) {
		// encoding/json would put another character in the place of each such byte.
		return v, &ipc.Error{Code: ipc.CodeBadRequest, Message: "the request is not valid UTF-8"}
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.DisallowUnknownFields()
	if err == nil {
		err = dec.Decode(&v)
	}
	if errors.Is(err, io.EOF) {
		return v, nil // no body: every field has a meaning when absent
	}
	if err == nil {
		if _, err = dec.Token(); errors.Is(err, io.EOF) {
			return v, nil
		}
		err = errors.New("more than one value")
	}
	if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
		return v, &ipc.Error{Code: ipc.CodeTooLarge, Message: fmt.Sprintf("the request is larger than %d bytes", ipc.MaxRequestBody)}
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return v, &ipc.Error{Code: ipc.CodeBadRequest, Message: "the request did not arrive in time"}
	}
	return v, &ipc.Error{Code: ipc.CodeBadRequest, Message: "reading the request: " + describeJSON(err)}
}

// describeJSON says what is wrong with a body without quoting any of it: the
// standard library's own texts can hold pieces of a secret.
func describeJSON(err error) string {
	if syntax := (*json.SyntaxError)(nil); errors.As(err, &syntax) {
		return fmt.Sprintf("not valid JSON at byte %d", syntax.Offset)
	}
	if kind := (*json.UnmarshalTypeError)(nil); errors.As(err, &kind) {
		return fmt.Sprintf("%s must be a %s", kind.Field, kind.Type)
	}
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return "the JSON ends too early"
	}
	if strings.HasPrefix(err.Error(), "json: unknown field") {
		return "it has a field that this API does not know"
	}
	return "one JSON object is wanted"
}
