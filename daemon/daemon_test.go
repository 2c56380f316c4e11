package daemon_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/o2fa/o2fa/daemon"
	"github.com/o2fa/o2fa/daemon/daemontest"
	"github.com/o2fa/o2fa/daemon/internal/keystore"
	"github.com/o2fa/o2fa/ipc"
	"github.com/o2fa/o2fa/ipc/socket"
)

// The secret of RFC 6238 appendix B, "12345678901234567890".
const rfcSecret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"

func fixed(seconds int64) func() time.Time {
	return func() time.Time { return time.Unix(seconds, 0) }
}

func TestCodesOfTheRFC(t *testing.T) {
	for seconds, want := range map[int64]string{59: "94287082", 1111111109: "07081804", 20000000000: "65353130"} {
		d := daemontest.New(t)
		d.Config.Now = fixed(seconds)
		d.Start(t)
		if _, err := d.Client.Add(t.Context(), ipc.AddRequest{Secret: rfcSecret, Name: "RFC 6238", Digits: 8}); err != nil {
			t.Fatal(err)
		}
		code, err := d.Client.Code(t.Context(), "rfc 6238", 0)
		if err != nil {
			t.Fatal(err)
		}
		left := float64(30 - seconds%30)
		if code.Code != want || code.SecondsLeft != left || code.Period != 30 || code.Next == want || len(code.Next) != 8 {
			t.Errorf("at %d: %+v, want %s", seconds, code, want)
		}
		d.Stop(t)
	}
}

func TestCounterIsStoredBeforeItsCode(t *testing.T) {
	d := daemontest.Run(t)
	_, err := d.Client.Add(t.Context(), ipc.AddRequest{Secret: rfcSecret, Name: "bank", Type: "hotp"})
	if err != nil {
		t.Fatal(err)
	}
	// RFC 4226 appendix D.
	for i, want := range []string{"755224", "287082", "359152", "969429", "338314"} {
		code, err := d.Client.Code(t.Context(), "bank", 0)
		if err != nil || code.Code != want || code.Counter == nil || *code.Counter != uint64(i) {
			t.Fatalf("step %d: %+v, %v", i, code, err)
		}
		d.Stop(t)
		d.Start(t)
	}
	if _, err := d.Client.Undo(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Client.Code(t.Context(), "bank", 0); !errors.Is(err, ipc.ErrNotFound) {
		t.Errorf("undo took something else back than the add: %v", err)
	}
}

func TestStates(t *testing.T) {
	d := daemontest.Run(t)
	ctx := t.Context()
	state := func(want ipc.State) {
		t.Helper()
		s, err := d.Client.Status(ctx)
		if err != nil || s.State != want {
			t.Errorf("state %s, want %s (%v)", s.State, want, err)
		}
	}
	state(ipc.StateUninitialized)
	if _, err := d.Client.Code(ctx, "x", 0); !errors.Is(err, ipc.ErrUninitialized) {
		t.Errorf("code without a vault: %v", err)
	}
	if _, err := d.Client.Init(ctx, ipc.InitRequest{}); err != nil {
		t.Fatal(err)
	}
	state(ipc.StateReady)
	if _, err := d.Client.Init(ctx, ipc.InitRequest{}); !errors.Is(err, ipc.ErrInitialized) {
		t.Errorf("second init: %v", err)
	}
	d.Add(t, rfcSecret, "github")
	if _, err := d.Client.Lock(ctx); err != nil {
		t.Fatal(err)
	}
	state(ipc.StateLocked)
	for what, err := range map[string]error{
		"code":    second(d.Client.Code(ctx, "github", 0)),
		"add":     second(d.Client.Add(ctx, ipc.AddRequest{Secret: rfcSecret, Name: "y"})),
		"entries": second(d.Client.Entries(ctx, "", false)),
		"undo":    second(d.Client.Undo(ctx)),
		"delete":  second(d.Client.Delete(ctx, ipc.DeleteRequest{IDs: []string{strings.Repeat("0", 32)}})),
	} {
		if !errors.Is(err, ipc.ErrLocked) {
			t.Errorf("%s while locked: %v", what, err)
		}
	}
	if _, err := d.Client.Unlock(ctx, ipc.UnlockRequest{}); err != nil {
		t.Fatal(err)
	}
	state(ipc.StateReady)
	if _, err := d.Client.Code(ctx, "github", 0); err != nil {
		t.Error(err)
	}
}

func second[T any](_ T, err error) error { return err }

func TestPassphrase(t *testing.T) {
	d := daemontest.Run(t)
	ctx := t.Context()
	if _, err := d.Client.Init(ctx, ipc.InitRequest{Keystore: "passphrase"}); !errors.Is(err, ipc.ErrKeystore) {
		t.Errorf("init without a passphrase: %v", err)
	}
	if _, err := d.Client.Init(ctx, ipc.InitRequest{Keystore: "passphrase", Passphrase: "correct horse"}); err != nil {
		t.Fatal(err)
	}
	d.Add(t, rfcSecret, "github")
	d.Stop(t)
	d.Start(t)
	if _, err := d.Client.Code(ctx, "github", 0); !errors.Is(err, ipc.ErrLocked) {
		t.Errorf("after a restart: %v", err)
	}
	if _, err := d.Client.Unlock(ctx, ipc.UnlockRequest{Passphrase: "battery staple"}); !errors.Is(err, ipc.ErrPassphrase) {
		t.Errorf("wrong passphrase: %v", err)
	}
	if _, err := d.Client.Unlock(ctx, ipc.UnlockRequest{Passphrase: "correct horse"}); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Client.Code(ctx, "github", 0); err != nil {
		t.Error(err)
	}
	// The passphrase file opens it without anybody.
	d.Stop(t)
	d.Config.PassphraseFile = filepath.Join(d.Profile.Dir, "pass")
	if err := os.WriteFile(d.Config.PassphraseFile, []byte("correct horse\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	d.Start(t)
	if _, err := d.Client.Code(ctx, "github", 0); err != nil {
		t.Error(err)
	}
}

func TestSecondDaemon(t *testing.T) {
	d := daemontest.Run(t)
	err := daemon.New(d.Config).Run(t.Context())
	if !errors.Is(err, socket.ErrHeld) || !strings.Contains(err.Error(), fmt.Sprint(os.Getpid())) {
		t.Errorf("second daemon: %v", err)
	}
	if _, err := d.Client.Status(t.Context()); err != nil {
		t.Errorf("the first one is gone: %v", err)
	}
}

func TestVaultGoneIsNotAFreshProfile(t *testing.T) {
	d := daemontest.Run(t)
	d.Add(t, rfcSecret, "github")
	d.Stop(t)
	kept := d.Profile.VaultFile() + ".kept"
	if err := os.Rename(d.Profile.VaultFile(), kept); err != nil {
		t.Fatal(err)
	}
	d.Start(t)
	s, err := d.Client.Status(t.Context())
	if err != nil || s.State != ipc.StateFailed || !errors.Is(s.Problem, ipc.ErrOrphan) || s.Problem.Hint == "" {
		t.Fatalf("%+v, %v", s, err)
	}
	for what, err := range map[string]error{
		"init": second(d.Client.Init(t.Context(), ipc.InitRequest{})),
		"add":  second(d.Client.Add(t.Context(), ipc.AddRequest{Secret: rfcSecret, Name: "new"})),
	} {
		if !errors.Is(err, ipc.ErrOrphan) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, err := os.Stat(d.Profile.VaultFile()); !errors.Is(err, fs.ErrNotExist) {
		t.Error("a vault was made over the old one's key")
	}
	if err := os.Rename(kept, d.Profile.VaultFile()); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Client.Unlock(t.Context(), ipc.UnlockRequest{}); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Client.Code(t.Context(), "github", 0); err != nil {
		t.Error(err)
	}
}

func TestKeyGone(t *testing.T) {
	d := daemontest.Run(t)
	d.Add(t, rfcSecret, "github")
	d.Stop(t)
	d.Config.Keyring = keystore.NewMemory()
	d.Start(t)
	s, err := d.Client.Status(t.Context())
	if err != nil || s.State != ipc.StateLocked || !errors.Is(s.Problem, ipc.ErrOrphan) {
		t.Errorf("%+v, %v", s, err)
	}
	if _, err := d.Client.Init(t.Context(), ipc.InitRequest{}); !errors.Is(err, ipc.ErrInitialized) {
		t.Errorf("init over a vault whose key is gone: %v", err)
	}
}

// An init that dies between key and vault leaves a key file that nothing uses;
// the next init keeps it, under another name.
func TestInterruptedInitWithKeyfile(t *testing.T) {
	d := daemontest.New(t)
	d.Config.Keystore = "keyfile"
	if err := os.MkdirAll(d.Profile.Dir, 0o700); err != nil {
		t.Fatal(err)
	}
	left := []byte("left by an init that was interrupted")
	if err := os.WriteFile(filepath.Join(d.Profile.Dir, "vault.key"), left, 0o600); err != nil {
		t.Fatal(err)
	}
	d.Start(t)
	d.Add(t, rfcSecret, "github")
	kept, err := filepath.Glob(filepath.Join(d.Profile.Dir, "vault.key.unused-*"))
	if err != nil || len(kept) != 1 {
		t.Fatalf("kept: %v, %v", kept, err)
	}
	if data, err := os.ReadFile(kept[0]); err != nil || !bytes.Equal(data, left) {
		t.Errorf("%q, %v", data, err)
	}
	d.Stop(t)
	d.Start(t)
	s, err := d.Client.Status(t.Context())
	if err != nil || s.State != ipc.StateReady || s.Vault.Slots[0].Protected {
		t.Errorf("%+v, %v", s, err)
	}
	var codes []string
	for _, w := range s.Warnings {
		codes = append(codes, w.Code)
	}
	if !strings.Contains(strings.Join(codes, " "), "unprotected_key") {
		t.Errorf("warnings %v do not name the unprotected key", codes)
	}
}

func TestDeleteAndUndoAcrossRestarts(t *testing.T) {
	d := daemontest.Run(t)
	ctx := t.Context()
	a, b := d.Add(t, rfcSecret, "a"), d.Add(t, "JBSWY3DPEHPK3PXP", "b")
	if a.Total != 1 || b.Total != 2 || a.Existed {
		t.Errorf("%+v %+v", a, b)
	}
	if again := d.Add(t, strings.ToLower(rfcSecret), "a"); !again.Existed || again.Total != 2 || again.Entry.ID != a.Entry.ID {
		t.Errorf("the same entry again: %+v", again)
	}
	missing := strings.Repeat("0", 32)
	if _, err := d.Client.Delete(ctx, ipc.DeleteRequest{IDs: []string{a.Entry.ID, missing}}); !errors.Is(err, ipc.ErrNotFound) {
		t.Errorf("deleting an unknown id: %v", err)
	}
	reply, err := d.Client.Delete(ctx, ipc.DeleteRequest{IDs: []string{a.Entry.ID, b.Entry.ID}})
	if err != nil || reply.Deleted != 2 {
		t.Fatalf("%+v, %v", reply, err)
	}
	d.Stop(t)
	d.Start(t)
	u, err := d.Client.Undo(ctx)
	if err != nil || u.Undone != "delete" || u.Count != 2 || len(u.Names) != 2 {
		t.Fatalf("%+v, %v", u, err)
	}
	list, err := d.Client.Entries(ctx, "", true)
	if err != nil || len(list.Entries) != 2 || list.Entries[0].Secret != rfcSecret || list.Entries[0].Mask != "G...Q" {
		t.Errorf("%+v, %v", list, err)
	}
	for range 2 {
		if _, err := d.Client.Undo(ctx); err != nil {
			t.Error(err)
		}
	}
	if _, err := d.Client.Undo(ctx); !errors.Is(err, ipc.ErrNothing) {
		t.Errorf("undo of nothing: %v", err)
	}
}

func TestWordsInEitherOrder(t *testing.T) {
	uri := "otpauth://totp/ACME:me?secret=" + rfcSecret + "&issuer=ACME&digits=8"
	for _, c := range []struct {
		words        []string
		name, secret string
		digits       int
	}{
		{[]string{rfcSecret, "github"}, "github", rfcSecret, 6},
		{[]string{"github", rfcSecret}, "github", rfcSecret, 6},
		{[]string{"mail", rfcSecret}, "mail", rfcSecret, 6},
		{[]string{"GEZDGNBV", "ann@example.com-and-more"}, "ann@example.com-and-more", "GEZDGNBV", 6},
		{[]string{rfcSecret, "JBSWY3DPEHPK3PXP"}, "JBSWY3DPEHPK3PXP", rfcSecret, 6},
		{[]string{"gezd gnbv-gy3tqojq gezdgnbvgy3tqojq", "x"}, "x", rfcSecret, 6},
		{[]string{rfcSecret}, "", rfcSecret, 6},
		{[]string{uri}, "ACME:me", rfcSecret, 8},
		{[]string{"mine", uri}, "mine", rfcSecret, 8},
	} {
		d := daemontest.Run(t)
		reply, err := d.Client.Add(t.Context(), ipc.AddRequest{Words: c.words})
		if err != nil || reply.Entry.Name != c.name || reply.Entry.Digits != c.digits {
			t.Errorf("%q: %+v, %v", c.words, reply, err)
		}
		list, err := d.Client.Entries(t.Context(), "", true)
		if err != nil || len(list.Entries) != 1 || list.Entries[0].Secret != c.secret {
			t.Errorf("%q: %+v, %v", c.words, list, err)
		}
		d.Stop(t)
	}
	d := daemontest.Run(t)
	reply, err := d.Client.Add(t.Context(), ipc.AddRequest{URI: uri, Period: 60, Algorithm: "sha256", Digits: 7})
	if e := reply.Entry; err != nil || e.Period != 60 || e.Algorithm != "SHA256" || e.Digits != 7 || e.Issuer != "ACME" {
		t.Errorf("what is said beside a URI: %+v, %v", e, err)
	}
	for _, words := range [][]string{{"github"}, {"not-base32!", "x1"}, {"a", "b", "c"}, {"otpauth://totp/x"},
		// A short word must not make a name of a secret with a typing error.
		{"I65VU7K5ZQL7WB41", "mail"}, {"mail", "i65v u7k5 zql7 wb41"}, {"I65VU7K5ZQL7WB4E===", "mail"}, {"mail", "otpauth//totp/x?secret=" + rfcSecret}} {
		_, err := d.Client.Add(t.Context(), ipc.AddRequest{Words: words})
		if !errors.Is(err, ipc.ErrInvalid) && !errors.Is(err, ipc.ErrBadRequest) {
			t.Errorf("%q: %v", words, err)
		}
		if err != nil && (strings.Contains(err.Error(), "base32!") || strings.Contains(strings.ToLower(err.Error()), "i65v")) {
			t.Errorf("the error repeats what was typed: %v", err)
		}
	}
}

// raw speaks HTTP without the client, as another program would.
func raw(t *testing.T, d *daemontest.Daemon, method, path, body string, header http.Header) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, "http://o2fa"+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for name, values := range header {
		req.Header[name] = values
	}
	if host := header.Get("Host"); host != "" {
		req.Host = host
	}
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return socket.Dial(ctx, d.Profile.Socket)
	}}
	defer transport.CloseIdleConnections()
	resp, err := transport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(text)
}

func TestRefusals(t *testing.T) {
	d := daemontest.Run(t)
	d.Add(t, rfcSecret, "github")
	big := `{"secret":"` + strings.Repeat("A", ipc.MaxRequestBody) + `"}`
	for _, c := range []struct {
		what, method, path, body string
		header                   http.Header
		code                     ipc.ErrorCode
	}{
		{"a page's origin", "GET", ipc.PathStatus, "", http.Header{"Origin": {"https://evil.example"}}, ipc.CodeRefused},
		{"a null origin", "POST", ipc.PathCode + "?name=github", "", http.Header{"Origin": {"null"}}, ipc.CodeRefused},
		{"a referer", "GET", ipc.PathEntries, "", http.Header{"Referer": {"https://evil.example/"}}, ipc.CodeRefused},
		{"a foreign host", "GET", ipc.PathStatus, "", http.Header{"Host": {"evil.example"}}, ipc.CodeRefused},
		{"a host that begins like ours", "GET", ipc.PathStatus, "", http.Header{"Host": {"o2fa.evil.example"}}, ipc.CodeRefused},
		{"another profile", "GET", ipc.PathStatus, "", http.Header{ipc.HeaderProfile: {"000000000000"}}, ipc.CodeProfile},
		{"a newer API", "GET", ipc.PathStatus, "", http.Header{ipc.HeaderVersion: {"2"}}, ipc.CodeVersion},
		{"an API that is no number", "GET", ipc.PathStatus, "", http.Header{ipc.HeaderVersion: {"x"}}, ipc.CodeVersion},
		{"an unknown path", "GET", "/v1/nothing", "", nil, ipc.CodeUnknownPath},
		{"the root", "GET", "/", "", nil, ipc.CodeUnknownPath},
		{"GET of a code", "GET", ipc.PathCode + "?name=github", "", nil, ipc.CodeMethod},
		{"an odd method", "BREW", ipc.PathStatus, "", nil, ipc.CodeMethod},
		{"a large body", "POST", ipc.PathEntries, big, nil, ipc.CodeTooLarge},
		{"no JSON", "POST", ipc.PathEntries, rfcSecret, nil, ipc.CodeBadRequest},
		{"half a JSON", "POST", ipc.PathEntries, `{"secret":"` + rfcSecret, nil, ipc.CodeBadRequest},
		{"two values", "POST", ipc.PathEntries, `{} {"secret":"` + rfcSecret + `"}`, nil, ipc.CodeBadRequest},
		{"an unknown field", "POST", ipc.PathEntries, `{"` + rfcSecret + `":1}`, nil, ipc.CodeBadRequest},
		{"a wrong type", "POST", ipc.PathEntries, `{"secret":12,"name":"` + rfcSecret + `"}`, nil, ipc.CodeBadRequest},
		{"text that is not UTF-8", "POST", ipc.PathEntries, `{"secret":"` + rfcSecret + `","name":"caf` + "\xe9" + `"}`, nil, ipc.CodeBadRequest},
		{"a bad secret", "POST", ipc.PathEntries, `{"secret":"` + rfcSecret + `!"}`, nil, ipc.CodeInvalid},
		{"a bad URI", "POST", ipc.PathEntries, `{"uri":"otpauth://totp/x?secret=` + rfcSecret + `!"}`, nil, ipc.CodeInvalid},
		{"no name", "POST", ipc.PathCode, "", nil, ipc.CodeBadRequest},
		{"a bad duration", "POST", ipc.PathCode + "?name=github&min_valid=soon", "", nil, ipc.CodeBadRequest},
		{"more validity than a period", "POST", ipc.PathCode + "?name=github&min_valid=31s", "", nil, ipc.CodeInvalid},
		{"an unknown name", "POST", ipc.PathCode + "?name=nobody", "", nil, ipc.CodeNotFound},
		{"a bad id", "POST", ipc.PathDelete, `{"ids":["x"]}`, nil, ipc.CodeBadRequest},
		{"a hand-over to an older release", "POST", ipc.PathShutdown, `{"successor":"0.0.1"}`, nil, ipc.CodeRefused},
		{"a hand-over to a development build", "POST", ipc.PathShutdown, `{"successor":"99.0.0-dev"}`, nil, ipc.CodeRefused},
	} {
		resp, text := raw(t, d, c.method, c.path, c.body, c.header)
		var reply ipc.ErrorReply
		if err := json.Unmarshal([]byte(text), &reply); err != nil || reply.Error == nil {
			t.Errorf("%s: %d %s", c.what, resp.StatusCode, text)
			continue
		}
		if reply.Error.Code != c.code || resp.StatusCode != reply.Error.Status() {
			t.Errorf("%s: %d %s, want %s", c.what, resp.StatusCode, text, c.code)
		}
		if strings.Contains(text, rfcSecret[:8]) {
			t.Errorf("%s: the reply repeats the secret: %s", c.what, text)
		}
		if resp.ContentLength < 0 || resp.Header.Get(ipc.HeaderProfile) != d.Profile.ID || resp.Header.Get(ipc.HeaderVersion) != "1" {
			t.Errorf("%s: headers %v", c.what, resp.Header)
		}
	}
	resp, text := raw(t, d, "POST", ipc.PathCode+"?name=github", "", http.Header{"Accept": {"text/plain"}, "Host": {"localhost:99"}})
	if resp.StatusCode != 200 || len(text) != 7 || resp.ContentLength != 7 {
		t.Errorf("%d %q", resp.StatusCode, text)
	}
}

func TestShutdown(t *testing.T) {
	d := daemontest.New(t)
	ended := make(chan error, 1)
	go func() { ended <- daemon.New(d.Config).Run(t.Context()) }()
	until(t, func() bool { return d.Client.Shutdown(t.Context(), ipc.ShutdownRequest{}) == nil })
	select {
	case err := <-ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("the daemon does not end")
	}
	if _, held, err := socket.ReadLock(d.Profile); held || err != nil {
		t.Errorf("the lock is held after the end: %t, %v", held, err)
	}
}

// until waits for what another process or goroutine does.
func until(t *testing.T, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !done(); <-time.After(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it never happens")
		}
	}
}

// A vault that was put in the place of the open one is not written around.
func TestVaultReplacedWhileOpen(t *testing.T) {
	d := daemontest.Run(t)
	ctx := t.Context()
	d.Add(t, rfcSecret, "one")
	path := d.Profile.VaultFile()
	old, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	d.Add(t, secretA, "two")
	if err := os.WriteFile(path+".copy", old, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".copy", path); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Client.Add(ctx, ipc.AddRequest{Secret: secretB, Name: "three"}); !errors.Is(err, ipc.ErrReplaced) {
		t.Errorf("add: %v", err)
	}
	s, err := d.Client.Status(ctx)
	if err != nil || !errors.Is(s.Problem, ipc.ErrReplaced) || s.Problem.Hint == "" {
		t.Errorf("%+v, %v", s.Problem, err)
	}
	if _, err := d.Client.Unlock(ctx, ipc.UnlockRequest{}); err != nil {
		t.Fatal(err)
	}
	waitNames(t, d, "one")
	d.Add(t, secretB, "three")
	d.Stop(t)
	d.Start(t)
	waitNames(t, d, "one", "three")

	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Client.Add(ctx, ipc.AddRequest{Secret: secretC, Name: "four"}); !errors.Is(err, ipc.ErrReplaced) {
		t.Errorf("add without a file: %v", err)
	}
}

// An entry that cannot be stored makes no vault either.
func TestInvalidFirstEntryMakesNoVault(t *testing.T) {
	d := daemontest.Run(t)
	_, err := d.Client.Add(t.Context(), ipc.AddRequest{Secret: rfcSecret, Name: strings.Repeat("x", 2000)})
	if !errors.Is(err, ipc.ErrInvalid) {
		t.Errorf("a long name: %v", err)
	}
	if s, err := d.Client.Status(t.Context()); err != nil || s.State != ipc.StateUninitialized {
		t.Errorf("%+v, %v", s, err)
	}
}

func TestOneShortWordIsAsked(t *testing.T) {
	d := daemontest.Run(t)
	for _, word := range []string{"facebook", "JB", "data"} {
		if _, err := d.Client.Add(t.Context(), ipc.AddRequest{Words: []string{word}}); !errors.Is(err, ipc.ErrInvalid) || strings.Contains(err.Error(), word) {
			t.Errorf("%s: %v", word, err)
		}
	}
	first, err := d.Client.Add(t.Context(), ipc.AddRequest{Words: []string{"facebook"}, Name: "named"})
	if err != nil || first.SameName != 1 {
		t.Errorf("%+v, %v", first, err)
	}
	second, err := d.Client.Add(t.Context(), ipc.AddRequest{Secret: rfcSecret, Name: "NAMED"})
	if err != nil || second.SameName != 2 {
		t.Errorf("%+v, %v", second, err)
	}
}

func TestNamelessEntryIsNone(t *testing.T) {
	d := daemontest.Run(t)
	d.Add(t, rfcSecret, "")
	if _, err := d.Client.Code(t.Context(), "None", 0); err != nil {
		t.Error(err)
	}
	if found, err := d.Client.Find(t.Context(), ipc.FindRequest{Name: "None"}); err != nil || len(found.Entries) != 1 {
		t.Errorf("%+v, %v", found, err)
	}
}
