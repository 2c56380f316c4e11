//go:build unix

package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/o2fa/o2fa/ipc"
)

// TestMethods holds what each method sends against what the daemon's API says.
func TestMethods(t *testing.T) {
	var got *http.Request
	var body []byte
	c := inProcessHTTP(t, func(w http.ResponseWriter, r *http.Request) {
		got = r
		body, _ = io.ReadAll(r.Body)
		w.Header().Set("Content-Length", "2")
		w.Write([]byte("{}"))
	})
	ctx := t.Context()
	for want, call := range map[string]func() error{
		"GET /v1/status ":    func() error { _, err := c.Status(ctx); return err },
		"POST /v1/lock ":     func() error { _, err := c.Lock(ctx); return err },
		"POST /v1/undo ":     func() error { _, err := c.Undo(ctx); return err },
		"GET /v1/entries ":   func() error { _, err := c.Entries(ctx, "", false); return err },
		"POST /v1/init {}":   func() error { _, err := c.Init(ctx, ipc.InitRequest{}); return err },
		"POST /v1/unlock {}": func() error { _, err := c.Unlock(ctx, ipc.UnlockRequest{}); return err },
		`POST /v1/shutdown {"successor":"2.0.0"}`: func() error {
			return c.Shutdown(ctx, ipc.ShutdownRequest{Successor: "2.0.0"})
		},
		`POST /v1/entries {"secret":"JBSW","name":"a"}`: func() error {
			_, err := c.Add(ctx, ipc.AddRequest{Secret: "JBSW", Name: "a"})
			return err
		},
		`POST /v1/entries/find {"name":"a"}`: func() error {
			_, err := c.Find(ctx, ipc.FindRequest{Name: "a"})
			return err
		},
		`POST /v1/entries/delete {"ids":["x"]}`: func() error {
			_, err := c.Delete(ctx, ipc.DeleteRequest{IDs: []string{"x"}})
			return err
		},
		"GET /v1/entries?search=a%26b%20%C3%A9&secrets=true ": func() error {
			_, err := c.Entries(ctx, "a&b é", true)
			return err
		},
		"POST /v1/code?min_valid=5s&name=git%2Fhub%0D%0AX%3A%201 ": func() error {
			_, err := c.Code(ctx, "git/hub\r\nX: 1", 5*time.Second)
			return err
		},
	} {
		if err := call(); err != nil {
			t.Errorf("%s: %v", want, err)
			continue
		}
		if line := fmt.Sprintf("%s %s %s", got.Method, got.RequestURI, body); line != want {
			t.Errorf("sent %s\nwant %s", line, want)
		}
		if got.Host != "o2fa" || got.Header.Get(ipc.HeaderVersion) != "1" || got.Header.Get(ipc.HeaderProfile) != c.Profile.ID ||
			got.Header.Get("Accept") != "application/json" || got.Header.Get("Origin") != "" {
			t.Errorf("%s: headers %v", want, got.Header)
		}
	}
}

func TestTypedReply(t *testing.T) {
	counter := uint64(7)
	want := ipc.Code{ID: "id", Name: "n", Type: "hotp", Code: "123456", Counter: &counter}
	c := inProcessHTTP(t, func(w http.ResponseWriter, r *http.Request) { respond(w, 200, want) })
	got, err := c.Code(t.Context(), "n", 0)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("Code = %+v, %v", got, err)
	}
}

func TestReplyAsItCame(t *testing.T) {
	c := inProcessHTTP(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Accept") != "text/plain" {
			t.Errorf("Accept: %s", r.Header.Get("Accept"))
		}
		w.Header().Set("Content-Length", "7")
		io.WriteString(w, "123456\n")
	})
	raw, err := c.Do(t.Context(), Request{Method: "POST", Path: ipc.PathCode, Accept: "text/plain"})
	if err != nil || string(raw) != "123456\n" {
		t.Errorf("Do = %q, %v", raw, err)
	}
}

// TestDaemonsErrors wants the daemon's error whole, and one for a reply that
// has none.
func TestDaemonsErrors(t *testing.T) {
	want := &ipc.Error{Code: ipc.CodeAmbiguous, Message: "m", Hint: "h", Candidates: []ipc.Entry{{ID: "1"}, {ID: "2"}}}
	c := inProcessHTTP(t, func(w http.ResponseWriter, r *http.Request) { respond(w, want.Status(), ipc.ErrorReply{Error: want}) })
	_, err := c.Status(t.Context())
	var got *ipc.Error
	if !errors.As(err, &got) || !reflect.DeepEqual(got, want) || !errors.Is(err, ipc.ErrAmbiguous) {
		t.Errorf("%#v", err)
	}
	for _, body := range []string{"", "null", "{}", `{"error":null}`, `{"error":{}}`, "<html>", `{"error":{"message":"x"}}`} {
		c := inProcessHTTP(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", fmt.Sprint(len(body)))
			w.WriteHeader(500)
			io.WriteString(w, body)
		})
		if _, err := c.Status(t.Context()); !errors.Is(err, ipc.ErrInternal) {
			t.Errorf("%q: %v", body, err)
		}
	}
}

func TestReplyOfAnotherShape(t *testing.T) {
	c := inProcessHTTP(t, func(w http.ResponseWriter, r *http.Request) { respond(w, 200, []string{"CANARY"}) })
	_, err := c.Status(t.Context())
	if !errors.Is(err, ipc.ErrUnavailable) || strings.Contains(err.Error(), "CANARY") {
		t.Error(err)
	}
}

// TestHostileServers wants an error from each, soon and without much memory.
func TestHostileServers(t *testing.T) {
	head := "HTTP/1.0 200 OK\r\nO2fa-Api: 1\r\nO2fa-Release: 1.0.0\r\nO2fa-Profile: x\r\n"
	for name, answer := range map[string]func(net.Conn){
		"closes at once":   func(net.Conn) {},
		"garbage":          func(c net.Conn) { io.WriteString(c, "SSH-2.0-OpenSSH\r\n\r\n") },
		"closes in header": func(c net.Conn) { io.WriteString(c, head) },
		"closes in body":   func(c net.Conn) { io.WriteString(c, head+"Content-Length: 10\r\n\r\n12345") },
		"huge length":      func(c net.Conn) { io.WriteString(c, head+"Content-Length: 999999999\r\n\r\n{}") },
		"largest length": func(c net.Conn) {
			io.WriteString(c, head+fmt.Sprintf("Content-Length: %d\r\n\r\n{}", ipc.MaxReplyBody))
		},
		"no length": func(c net.Conn) { io.WriteString(c, head+"\r\n{}") },
		"endless header": func(c net.Conn) {
			io.WriteString(c, head)
			for err := error(nil); err == nil; {
				_, err = io.WriteString(c, "X: y\r\n")
			}
		},
		"endless line": func(c net.Conn) {
			for err := error(nil); err == nil; {
				_, err = io.WriteString(c, strings.Repeat("x", 1000))
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := inProcess(t, func(conn net.Conn) { readRequest(conn); answer(conn) })
			raw, err := c.Do(t.Context(), Request{Method: "GET", Path: ipc.PathStatus})
			if !errors.Is(err, ipc.ErrUnavailable) {
				t.Errorf("Do = %q, %v", raw, err)
			}
		})
	}
}

func readRequest(conn net.Conn) {
	buf := make([]byte, 4096)
	for seen := ""; !strings.Contains(seen, "\r\n\r\n"); {
		n, err := conn.Read(buf)
		if err != nil {
			return
		}
		seen += string(buf[:n])
	}
}

// TestRefusalBeforeTheBodyWasRead is a daemon that answers and closes while we
// are still writing.
func TestRefusalBeforeTheBodyWasRead(t *testing.T) {
	c := inProcessHTTP(t, func(w http.ResponseWriter, r *http.Request) {
		respond(w, 413, ipc.ErrorReply{Error: &ipc.Error{Code: ipc.CodeTooLarge, Message: "too much"}})
	})
	_, err := c.Do(t.Context(), Request{Method: "POST", Path: ipc.PathEntries, Body: strings.Repeat("x", 200<<10)})
	if !errors.Is(err, ipc.ErrTooLarge) {
		t.Error(err)
	}
}

// TestDaemonThatEndsAnswersNobody: an ending daemon closes what it has read. A
// question is asked again, a change is not.
func TestDaemonThatEndsAnswersNobody(t *testing.T) {
	for _, question := range []bool{true, false} {
		var met atomic.Int32
		c := inProcess(t, func(conn net.Conn) {
			readRequest(conn)
			met.Add(1)
		})
		var err error
		want := int32(1)
		if question {
			_, err = c.Status(t.Context())
			want = maxTries
		} else {
			_, err = c.Code(t.Context(), "github", 0)
		}
		if !errors.Is(err, ipc.ErrUnavailable) || met.Load() != want {
			t.Errorf("a question: %t: asked %d times, %v", question, met.Load(), err)
		}
	}
}

func TestContextEndsAnExchange(t *testing.T) {
	for name, say := range map[string]string{"before the reply": "", "in the header": "HTTP/1.0 200", "in the body": "HTTP/1.0 200 OK\r\nO2fa-Api: 1\r\nO2fa-Release: 1\r\nO2fa-Profile: x\r\nContent-Length: 9\r\n\r\n1"} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			c := inProcess(t, func(conn net.Conn) {
				readRequest(conn)
				io.WriteString(conn, say)
				cancel()
				io.Copy(io.Discard, conn) // until the client gives up
			})
			_, err := c.Status(ctx)
			if !errors.Is(err, context.Canceled) || !errors.Is(err, ipc.ErrUnavailable) {
				t.Error(err)
			}
		})
	}
}

// TestMuteDaemon is one that takes connections and answers nobody.
func TestMuteDaemon(t *testing.T) {
	c := inProcess(t, func(conn net.Conn) { io.Copy(io.Discard, conn) })
	c.patience = 10 * time.Millisecond
	_, err := c.Status(t.Context())
	if !errors.Is(err, ipc.ErrUnavailable) || !strings.Contains(err.Error(), c.Profile.Socket) || !strings.Contains(err.Error(), c.Profile.LogFile()) {
		t.Error(err)
	}
}

// TestSlowDaemon is one that needs far longer than our patience for one
// request, and answers others meanwhile: that is waited for, wherever in the
// reply it is slow.
func TestSlowDaemon(t *testing.T) {
	for _, said := range []int{0, 1, 3} { // bytes of the body that come early
		var asked atomic.Int32
		enough := make(chan struct{})
		c := inProcessHTTP(t, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == ipc.PathStatus {
				if asked.Add(1) == 4 {
					close(enough)
				}
				respond(w, 503, struct{}{}) // whatever it says, it lives
				return
			}
			body := `{"undone":"add"}`
			w.Header().Set("Content-Length", fmt.Sprint(len(body)))
			if said > 0 {
				io.WriteString(w, body[:said])
				w.(http.Flusher).Flush()
			}
			<-enough
			io.WriteString(w, body[said:])
		})
		c.patience = 300 * time.Millisecond // in which a loaded machine answers, too
		if got, err := c.Undo(t.Context()); err != nil || got.Undone != "add" {
			t.Errorf("after %d bytes: Undo = %v, %v", said, got, err)
		}
	}
}

// TestWatchOverADaemonThatEnds has nobody who could be asked for a status. The
// reply may still come, so that alone ends nothing before a second look.
func TestWatchOverADaemonThatEnds(t *testing.T) {
	p := resolve(t, environment(t))
	synctest.Test(t, func(t *testing.T) {
		s := &session{Client: &Client{}, profile: p, addr: p.Socket}
		ctx, cancel := context.WithCancelCause(t.Context())
		start := time.Now()
		s.watch(ctx, cancel)
		if took := time.Since(start); took != defaultPatience || !errors.Is(context.Cause(ctx), errMute) {
			t.Errorf("given up after %v: %v", took, context.Cause(ctx))
		}
	})
}

func TestAnotherProfile(t *testing.T) {
	c := inProcessHTTP(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set(ipc.HeaderProfile, "000000000000")
		respond(w, 200, ipc.Status{})
	})
	if _, err := c.Status(t.Context()); !errors.Is(err, ipc.ErrProfile) {
		t.Error(err)
	}
	// An address given by hand may lead to another machine.
	fixed := *c.Profile
	fixed.Fixed = true
	if _, err := (&Client{Profile: &fixed}).Status(t.Context()); err != nil {
		t.Errorf("through O2FA_SOCKET: %v", err)
	}
}

func TestFixedSocketSendsNoProfile(t *testing.T) {
	c := inProcessHTTP(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get(ipc.HeaderProfile) != "" {
			t.Error("the profile of this machine went to another")
		}
		respond(w, 200, ipc.Status{})
	})
	c.Profile.Fixed = true
	if _, err := c.Status(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestNewerDaemon(t *testing.T) {
	c := inProcessHTTP(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set(ipc.HeaderVersion, "2")
		w.Header().Set(ipc.HeaderRelease, "7.0.0")
		respond(w, 200, ipc.Status{})
	})
	c.NoStart = false
	_, err := c.Status(t.Context())
	if !errors.Is(err, ipc.ErrVersion) || !strings.Contains(err.Error(), "7.0.0") {
		t.Error(err)
	}
}

func TestZeroClient(t *testing.T) {
	env := environment(t)
	for name, value := range env {
		t.Setenv(name, value)
	}
	t.Setenv("OPEN2FA_DIR", "")
	t.Setenv("O2FA_SOCKET", "")
	p := resolve(t, env)
	var c Client
	c.NoStart = true
	if _, err := c.Status(t.Context()); !errors.Is(err, ipc.ErrUnavailable) || !strings.Contains(err.Error(), p.Dir) {
		t.Error(err)
	}
	t.Setenv("HOME", "")
	if _, err := c.Status(t.Context()); !errors.Is(err, ipc.ErrUnavailable) {
		t.Error(err)
	}
}

func TestBodyThatCannotBeEncoded(t *testing.T) {
	c := inProcessHTTP(t, func(http.ResponseWriter, *http.Request) { t.Error("sent") })
	if _, err := c.Do(t.Context(), Request{Method: "POST", Path: "/", Body: func() {}}); !errors.Is(err, ipc.ErrBadRequest) {
		t.Error(err)
	}
}
