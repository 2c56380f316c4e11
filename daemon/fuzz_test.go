package daemon_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/o2fa/o2fa/daemon/daemontest"
	"github.com/o2fa/o2fa/ipc"
	"github.com/o2fa/o2fa/ipc/socket"
)

// fuzzedHeap bounds what a daemon may have on its heap after any request, in bytes.
const fuzzedHeap = 256 << 20

// FuzzRequest sends anything to a real daemon on its socket. It answers every
// request, or cuts it off; what it calls JSON is; what it calls an error has a code
// of the table; nothing is a defect of its own.
func FuzzRequest(f *testing.F) {
	var log syncBuffer
	d := daemontest.New(f)
	d.Config.Log = slog.New(slog.NewTextHandler(&log, nil))
	d.Start(f)
	if _, err := d.Client.Add(f.Context(), ipc.AddRequest{Secret: rfcSecret, Name: "github"}); err != nil {
		f.Fatal(err)
	}
	for _, seed := range requestSeeds {
		f.Add(seed[0], seed[1], seed[2], []byte(seed[3]))
	}
	f.Fuzz(func(t *testing.T, method, target, header string, body []byte) {
		if endsDaemon(method, target, header) || strings.Contains(strings.ToLower(header), "expect") {
			t.Skip("it would end the daemon, or wait for us")
		}
		reply, err := send(t, d, method, target, header, body)
		if err != nil {
			return // cut off, which status finds out about
		}
		checkReply(t, reply)
		if text := log.take(); strings.Contains(text, "panic") || strings.Contains(text, "level=ERROR") {
			t.Errorf("the log says\n%s", text)
		}
		var m runtime.MemStats
		if runtime.ReadMemStats(&m); m.HeapAlloc > fuzzedHeap {
			t.Errorf("%d MiB on the heap", m.HeapAlloc>>20)
		}
		if _, err := d.Client.Status(t.Context()); err != nil {
			t.Fatalf("the daemon does not answer any more: %v", err)
		}
	})
}

// requestSeeds are calls: method, target, header lines, body.
var requestSeeds = [][4]string{
	{"GET", ipc.PathStatus + "?secrets=true", "O2fa-Api: 1", ""},
	{"POST", ipc.PathInit, "", `{"keystore":"keyfile","recovery":true}`},
	{"POST", ipc.PathLock, "", `{}`},
	{"POST", ipc.PathUnlock, "", `{"passphrase":"correct horse"}`},
	{"POST", ipc.PathSlots, "", `{"add":"recovery"}`},
	{"POST", ipc.PathSlots, "", `{"add":"credential","credential":"o2fa.key"}`},
	{"POST", ipc.PathSlots, "", `{"add":"passphrase","passphrase":"x","remove":["0123456789abcdef0123456789abcdef"]}`},
	{"GET", ipc.PathEntries + "?search=git&tag=x&pinned=true&prefix=G&limit=1&secrets=true", "", ""},
	{"POST", ipc.PathEntries, "", `{"words":["JBSWY3DPEHPK3PXP","mail"]}`},
	{"POST", ipc.PathEntries, "", `{"uri":"otpauth://hotp/a:b?secret=JBSWY3DPEHPK3PXP&counter=1","name":"x"}`},
	{"POST", ipc.PathEntries, "", `{"secret":"jbsw y3dp","name":"é","type":"totp","algorithm":"SHA512","digits":8,"period":60,"tags":["a"],"note":"n","pinned":true}`},
	{"POST", ipc.PathFind, "", `{"name":"github","secret":"JBSWY3DPEHPK3PXP","trashed":true}`},
	{"POST", ipc.PathEdit, "", `{"id":"0123456789abcdef0123456789abcdef","name":"x","add_tags":["y"],"counter":18446744073709551615}`},
	{"POST", ipc.PathDelete, "", `{"ids":["0123456789abcdef0123456789abcdef"]}`},
	{"GET", ipc.PathEntry + "?name=github&secrets=true", "", ""},
	{"POST", ipc.PathCode + "?name=github&min_valid=1ms", "Accept: text/plain", ""},
	{"GET", ipc.PathCodes + "?limit=-1", "", ""},
	{"GET", ipc.PathTrash, "", ""},
	{"POST", ipc.PathRestore, "", `{"ids":[]}`},
	{"POST", ipc.PathEmpty, "", `{"ids":["zz"]}`},
	{"POST", ipc.PathUndo, "", ``},
	{"GET", ipc.PathConfig + "?key=trash_days", "", ""},
	{"POST", ipc.PathConfig, "", `{"set":{"trash_days":"90"},"unset":["min_valid"]}`},
	{"GET", ipc.PathReset, "", ""},
	{"GET", ipc.PathLog + "?n=1&since=1h", "", ""},
	{"POST", ipc.PathLogClear, "", ""},
	{"GET", ipc.PathBackups, "", ""},
	{"POST", ipc.PathBackupVerify, "", `{}`},
	{"PUT", ipc.PathStatus, "Origin: http://x", "{}{}"},
	{"GET", "/v1/../v1/status", "Host: evil", "\xff"},
	{"POST", ipc.PathFind, "Transfer-Encoding: chunked", "5\r\nabcde\r\n0\r\n\r\n"},
}

// endsDaemon leaves out the calls that end the daemon, or remove what it serves,
// also where they stand escaped or in another place of the request.
func endsDaemon(method, target, header string) bool {
	path, _, _ := strings.Cut(target, "?")
	all := strings.ToLower(method + target + header)
	return strings.Contains(path, "%") || strings.Contains(all, "shutdown") || strings.Contains(all, "reset") && method != http.MethodGet
}

// send writes a request as it is given, and reads what comes back.
func send(t *testing.T, d *daemontest.Daemon, method, target, header string, body []byte) (*http.Response, error) {
	t.Helper()
	conn, err := socket.Dial(t.Context(), d.Profile.Socket)
	if err != nil {
		t.Fatalf("the daemon does not answer any more: %v", err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(3 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if header != "" {
		header += "\r\n"
	}
	length := ""
	if !strings.Contains(strings.ToLower(header), "transfer-encoding") {
		length = fmt.Sprintf("Content-Length: %d\r\n", len(body))
	}
	if _, err := fmt.Fprintf(conn, "%s %s HTTP/1.0\r\nHost: o2fa\r\n%s%s\r\n%s", method, target, header, length, body); err != nil {
		return nil, err // refused before all of it was read
	}
	reply, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(reply.Body)
	reply.Body = io.NopCloser(bytes.NewReader(text))
	return reply, err
}

// checkReply holds a reply to what docs/local-api.md says of all replies.
func checkReply(t *testing.T, reply *http.Response) {
	t.Helper()
	body, _ := io.ReadAll(reply.Body)
	switch kind, _, _ := strings.Cut(reply.Header.Get("Content-Type"), ";"); {
	case kind == "application/json" && !json.Valid(body):
		t.Errorf("status %d: not JSON: %q", reply.StatusCode, body)
	case reply.StatusCode == http.StatusOK && (kind == "application/json" || kind == "text/plain"):
	case kind == "text/plain" && reply.StatusCode >= 400 && reply.Header.Get(ipc.HeaderVersion) == "":
		// the HTTP library, before it is a request
	case kind != "application/json":
		t.Errorf("status %d of type %q: %q", reply.StatusCode, kind, body)
	default:
		var wire ipc.ErrorReply
		if err := json.Unmarshal(body, &wire); err != nil || wire.Error == nil || wire.Error.Status() != reply.StatusCode || wire.Error.Message == "" {
			t.Errorf("status %d: %q, %v", reply.StatusCode, body, err)
		} else if errors.Is(wire.Error, ipc.ErrInternal) || wire.Error.Code == ipc.CodeCorrupt {
			t.Errorf("a defect: %q", body)
		}
	}
}

// syncBuffer is a log that several goroutines write.
type syncBuffer struct {
	mu   sync.Mutex // guards text
	text bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

// take returns what was written since the last call.
func (b *syncBuffer) take() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	defer b.text.Reset()
	return b.text.String()
}
