package cli

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/o2fa/o2fa/client"
	"github.com/o2fa/o2fa/internal/command"
	"github.com/o2fa/o2fa/ipc"
)

var codeLine = regexp.MustCompile(`^\d{6}\n$`)

func TestCode(t *testing.T) {
	w := started(t)
	w.Add(t, rfcSecret, "My Bank")
	w.Add(t, open2faSecret, "mygit")
	for _, args := range [][]string{{"My Bank"}, {"my", "bank"}, {"my", "--min-valid", "1s", "bank"}, {"bank", "--min-valid", "0.5"}, {"BANK", "--no-input"}, {"--", "My Bank"}} {
		if got := w.run("", append([]string{"code"}, args...)...); got.code != 0 || !codeLine.MatchString(got.out) || got.errs != "" {
			t.Errorf("o2fa code %q: %v", args, got)
		}
	}
	c := fromJSON[ipc.Code](t, w.ok("code", "bank", "--json"))
	if c.Name != "My Bank" || c.Period != 30 || len(c.Next) != 6 || c.SecondsLeft <= 0 {
		t.Errorf("%+v", c)
	}
	got := w.run("", "code", "my")
	if got.code != 4 || got.out != "" || !strings.Contains(got.errs, "  My Bank  G...Q\n") || !strings.Contains(got.errs, "  mygit    I...E\n") {
		t.Errorf("ambiguous: %v", got)
	}
	reply := fromJSON[ipc.ErrorReply](t, w.run("", "code", "--json", "my").errs)
	if reply.Error.Code != ipc.CodeAmbiguous || len(reply.Error.Candidates) != 2 || reply.Error.Candidates[0].ID == "" {
		t.Errorf("%+v", reply.Error)
	}
	if got := w.run("", "code", "nobody"); got.code != 3 || got.out != "" || !strings.HasPrefix(got.errs, "o2fa: error: ") {
		t.Errorf("not found: %v", got)
	}
	if got := w.run("", "code", "bank", "--min-valid", "31"); got.code != 2 || strings.Contains(got.errs, "such as") { // seconds
		t.Errorf("%v", got)
	}
	if got := w.run("", "code", "bank", "--min-valid", "31s"); got.code != 2 {
		t.Errorf("more than a code lives: %v", got)
	}
}

// A counting entry gives another code at each call, those of RFC 4226.
func TestCodeOfACountingEntry(t *testing.T) {
	w := started(t)
	w.ok("add", "--type", "hotp", "--counter", "1", rfcSecret, "token")
	for _, want := range []string{"287082\n", "359152\n", "969429\n"} {
		w.want("code token", outcome{0, want, ""})
	}
	c := fromJSON[ipc.Code](t, w.ok("code", "token", "--json"))
	if c.Code != "338314" || c.Counter == nil || *c.Counter != 4 {
		t.Errorf("%+v", c)
	}
}

func TestAddOptions(t *testing.T) {
	w := started(t)
	got := w.run(rfcSecret, "add", "-", "github", "--issuer", "GitHub", "--account", "ann", "--tag", "work", "--tag", "code",
		"--note", "n", "--digits", "8", "--algorithm", "sha256", "--period", "60")
	if got.code != 0 {
		t.Fatal(got)
	}
	e := fromJSON[ipc.Entries](t, w.ok("list", "--json", "-s", "github")).Entries[0]
	if e.Name != "github" || e.Issuer != "GitHub" || e.Account != "ann" || strings.Join(e.Tags, " ") != "work code" ||
		e.Digits != 8 || e.Algorithm != "SHA256" || e.Period != 60 || e.Secret != rfcSecret {
		t.Errorf("%+v", e)
	}
}

func TestAddFromStandardInput(t *testing.T) {
	w := started(t)
	const uri = "otpauth://totp/GitHub:ann?secret=" + rfcSecret + "&issuer=GitHub&digits=8"
	for _, tc := range []struct {
		in, args string
		want     outcome
	}{
		{rfcSecret + "\n", "add - one", outcome{0, "\nADDED NEW SECRET: one G...Q\n\n1 secrets total.\n", ""}},
		{"  gezd gnbv gy3t qojq gezd gnbv gy3t qojq  ", "add two -", outcome{0, "\nADDED NEW SECRET: two G...Q\n\n2 secrets total.\n", ""}},
		{uri + "\n", "add -", outcome{0, "\nADDED NEW SECRET: GitHub:ann G...Q\n\n3 secrets total.\n", ""}},
		{uri + "\n", "add - -n hub", outcome{0, "\nADDED NEW SECRET: hub G...Q\n\n4 secrets total.\n", ""}},
		{"\n \n" + rfcSecret + "\n\n", "add - word -n ignored", outcome{0, "\nADDED NEW SECRET: word G...Q\n\n5 secrets total.\n", ""}},
	} {
		if got := w.run(tc.in, strings.Fields(tc.args)...); got != tc.want {
			t.Errorf("o2fa %s: %v", tc.args, got)
		}
	}
	for _, args := range []string{"add - -", "add", "add a b c", "add --digits x", "add " + rfcSecret + " n --digits 5", "add - "} {
		if got := w.run("not base32!\n", strings.Fields(args)...); got.code != 2 || got.out != "" {
			t.Errorf("o2fa %s: %v", args, got)
		}
	}
}

// No error repeats what may be a secret.
func TestErrorsNeverShowASecret(t *testing.T) {
	const canary = "CANARY1SECRET8TEXT"
	w := started(t)
	for _, args := range [][]string{{"add", canary}, {"add", canary, "name!"}, {"add", "-"}, {"delete", "-f", "-s", canary}, {"delete", canary}, {"delete", "-n", canary}, {"delete", "--json", "-f", canary}, {"code", canary},
		{"github", canary}, {"cod", canary}, {"lits", canary}, {"help", canary}, {"cod", "CANA", "RY1S", "ECRE", "T8TE", "XT"},
		{"add", "--digits", canary, "x"}, {canary}, {"add", "otpauth://totp/x?secret=" + canary}} {
		got := w.run(canary, args...)
		if got.code == 0 || strings.Contains(got.out+got.errs, canary) {
			t.Errorf("o2fa %q: %v", args, got)
		}
	}
}

func TestDelete(t *testing.T) {
	w := started(t)
	w.Add(t, rfcSecret, "bank")
	w.Add(t, open2faSecret, "bank")
	w.Add(t, rfcSecret, "other")
	const q1, q2 = "Are you sure you want to remove bank G...Q? (y/n): ", "Are you sure you want to remove bank I...E? (y/n): "
	ask := func(in string) outcome { return w.run(in, "delete", "bank") }

	if got := ask("n\nn\n"); got.code != 1 || got.out != "Deleted 0 secret(s).\n" || !strings.Contains(got.errs, q1) || !strings.Contains(got.errs, q2) ||
		strings.Contains(got.errs, rfcSecret) {
		t.Errorf("two times no: %v", got)
	}
	if got := ask(""); got.code != 2 || got.out != "" {
		t.Errorf("no answer: %v", got)
	}
	w.want("delete bank --no-input", outcome{2, "", "o2fa: error: deleting wants an answer, and no questions are allowed\no2fa: hint: o2fa delete -f bank\n"})
	if got := ask("perhaps\ny\nn\n"); got.code != 0 || got.out != "Deleted 1 secret(s).\n" {
		t.Errorf("one yes: %v", got)
	}
	w.want("delete -s "+open2faSecret+" -n nobody -f", outcome{3, "", "o2fa: error: no entry is called \"nobody\"\no2fa: hint: o2fa list\n"})
	if got := w.run(open2faSecret+"\n", "delete", "-f", "-s", "-"); got != (outcome{3, "", "o2fa: error: no entry has that secret\no2fa: hint: o2fa list\n"}) &&
		got != (outcome{0, "Deleted 1 secret(s).\n", ""}) {
		t.Errorf("by secret: %v", got)
	}
	id := fromJSON[ipc.Entries](t, w.ok("list", "--json", "other")).Entries[0].ID
	w.want("delete -f oth", outcome{3, "", "o2fa: error: no entry is called \"oth\"\n  " + id[:8] + "  other  G...Q\no2fa: hint: o2fa list\n"})
	w.want("delete -f "+strings.Repeat("0", 32), outcome{3, "", "o2fa: error: no entry has that name\no2fa: hint: o2fa list\no2fa: hint: o2fa delete -s -\n"})
	w.want("delete -f "+id[:7], outcome{3, "", "o2fa: error: no entry is called \"" + id[:7] + "\"\no2fa: hint: o2fa list\n"})
	w.want("delete --json -f "+strings.ToUpper(id[:8]), outcome{0, `{"deleted":1}` + "\n", ""})
}

func TestDeleteSaysThatTheFileStillHoldsIt(t *testing.T) {
	w := newWorld(t)
	w.write("secrets.json", `{"secrets": [{"secret": "`+open2faSecret+`", "name": "abc123"}]}`)
	w.Start(t)
	for !strings.Contains(w.ok("list"), "abc123") { // the file is taken in behind our back
		if t.Context().Err() != nil {
			t.Fatal("never taken in")
		}
	}
	w.want("delete -f abc123", outcome{0, "Deleted 1 secret(s).\n",
		"o2fa: warning: secrets.json still holds 1 of them in clear; o2fa does not take it in again\n"})
}

func TestInit(t *testing.T) {
	w := started(t)
	if out := w.ok("init"); !strings.HasPrefix(out, "Made the vault "+w.Profile.Dir+"/vault.db\nOpened by: ") {
		t.Errorf("%q", out)
	}
	if got := w.run("", "init"); got.code != 1 || got.out != "" || !strings.HasSuffix(got.errs, "o2fa: hint: o2fa status\n") {
		t.Errorf("a second init: %v", got)
	}
	out := served(t, ipc.InitReply{Vault: ipc.VaultStatus{Path: "/p", Slots: []ipc.Slot{{Type: "keyring", Protected: true}}}, Taken: 2}, "init")
	if out != "Made the vault /p\nOpened by: keyring\nTaken in from secrets.json: 2 entries\n" {
		t.Errorf("%q", out)
	}
}

func TestUndo(t *testing.T) {
	w := started(t)
	w.Add(t, rfcSecret, "bank")
	w.want("undo", outcome{0, "Undone: adding bank. It is in the trash now.\n", ""})
	if got := w.run("", "undo"); got.code != 1 || got.out != "" {
		t.Errorf("nothing left to undo: %v", got)
	}
	long := strings.Repeat("x", 41)
	for _, tc := range []struct {
		reply ipc.UndoReply
		want  string
	}{
		{ipc.UndoReply{Undone: "add", Count: 1, Names: []string{long}}, "Undone: adding " + long[:39] + "…. It is in the trash now.\n"},
		{ipc.UndoReply{Undone: "add", Count: 2, Names: []string{"a", ""}}, "Undone: adding 2 entries (a, None). They are in the trash now.\n"},
		{ipc.UndoReply{Undone: "delete", Count: 1, Names: []string{"a"}}, "Undone: deleting a. It is back.\n"},
		{ipc.UndoReply{Undone: "delete", Count: 12, Names: []string{"a", "b", "c", "d"}}, "Undone: deleting 12 entries (a, b, c, 9 more). They are back.\n"},
		{ipc.UndoReply{Undone: "restore", Count: 1, Names: []string{"a"}}, "Undone: restoring a. It is in the trash again.\n"},
		{ipc.UndoReply{Undone: "restore", Count: 2, Names: []string{"a", "b"}}, "Undone: restoring 2 entries (a, b). They are in the trash again.\n"},
		{ipc.UndoReply{Undone: "edit", Count: 1, Names: []string{"a"}}, "Undone: editing a. It is as before.\n"},
		{ipc.UndoReply{Undone: "secrets-file", At: "soon", Count: 1, Names: []string{"a"}},
			"Undone: taking in 1 entry from secrets.json (soon). Its row stays in the file and is not taken in again.\n"},
		{ipc.UndoReply{Undone: "secrets-file", At: time.Date(2026, 11, 21, 19, 12, 59, 0, time.Local).UTC().Format(time.RFC3339), Count: 2},
			"Undone: taking in 2 entries from secrets.json (2026-11-21 19:12). Their rows stay in the file and are not taken in again.\n"},
		{ipc.UndoReply{Undone: "merge", Count: 2}, "Undone: merge of 2 entries.\n"},
	} {
		var b bytes.Buffer
		showUndo(&command.Invocation{Stdio: command.Stdio{Out: &b}}, tc.reply)
		if b.String() != tc.want {
			t.Errorf("%+v: %q", tc.reply, b.String())
		}
	}
}

// Without a terminal a locked vault is exit 5; unlock opens what needs nobody.
func TestLock(t *testing.T) {
	w := started(t)
	w.Add(t, rfcSecret, "bank")
	w.want("lock", outcome{0, "State: locked\n", ""})
	for _, args := range []string{"code bank", "list", "add " + open2faSecret + " x", "delete -f bank", "undo"} {
		if got := w.run("", strings.Fields(args)...); got.code != 5 || got.out != "" || !strings.HasSuffix(got.errs, "o2fa: hint: o2fa unlock\n") {
			t.Errorf("o2fa %s: %v", args, got)
		}
	}
	if s := fromJSON[ipc.Status](t, w.ok("status", "--json")); s.State != ipc.StateLocked {
		t.Errorf("%+v", s)
	}
	w.want("unlock", outcome{0, "State: ready\n", ""})
	w.want("unlock", outcome{0, "State: ready\n", ""})
	if s := fromJSON[ipc.Status](t, w.ok("lock", "--json")); s.State != ipc.StateLocked {
		t.Errorf("%+v", s)
	}
}

func TestWithoutADaemon(t *testing.T) {
	w := newWorld(t)
	if err := os.MkdirAll(w.Profile.Dir, 0o700); err != nil {
		t.Fatal(err)
	}
	w.want("lock", outcome{0, "No daemon is running, so no key is in memory.\n", ""})
	w.want("lock --json", outcome{0, `{"running":false}` + "\n", ""})
	if got := w.run("", "code", "x"); got.code != 6 || got.out != "" || !strings.HasPrefix(got.errs, "o2fa: error: ") {
		t.Errorf("%v", got)
	}
	w.env = map[string]string{}
	if got := w.run("", "code", "x"); got.code != 1 || got.out != "" {
		t.Errorf("no home: %v", got)
	}
	if v := fromJSON[struct{ API int }](t, w.ok("version", "--json")); v.API != ipc.Version {
		t.Errorf("%+v", v)
	}
}

// --json prints the reply to the byte.
func TestJSONIsTheReplyAsItCame(t *testing.T) {
	w := started(t)
	w.Add(t, rfcSecret, "bank")
	raw, err := w.Client.Do(t.Context(), client.Request{Method: "GET", Path: ipc.PathEntries})
	if err != nil {
		t.Fatal(err)
	}
	w.want("list --json", outcome{0, strings.TrimRight(string(raw), "\n") + "\n", ""})
	w.want("--json l", outcome{0, strings.TrimRight(string(raw), "\n") + "\n", ""})
	for _, args := range []string{"status", "lock", "unlock", "version", "undo", "code bank", "list zzz", "init", "nonsense"} {
		got := w.run("", append([]string{"--json"}, strings.Fields(args)...)...)
		if !json.Valid([]byte(got.out+got.errs)) || (got.code == 0) != (got.errs == "") {
			t.Errorf("o2fa --json %s: %v", args, got)
		}
	}
}

func TestFullDisk(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip(err)
	}
	defer full.Close()
	w := started(t)
	w.Add(t, rfcSecret, "bank")
	for _, args := range []string{"code bank", "code --json bank", "list", "status", "version"} {
		var errs strings.Builder
		code := Run(t.Context(), strings.Fields(args), command.Stdio{In: strings.NewReader(""), Out: full, Err: &errs, Getenv: w.getenv})
		if code != 1 || strings.Count(errs.String(), "/dev/full") != 1 || strings.Count(errs.String(), "\n") != 1 || strings.Contains(errs.String(), "u{a}") {
			t.Errorf("o2fa %s: exit %d, %s", args, code, errs.String())
		}
	}
}

// A code that is about to change is passed over; the flag reaches the daemon.
func TestMinValidIsSentAsTyped(t *testing.T) {
	seen := make(chan string, 1)
	addr := serve(t, func(r *http.Request) (int, string) {
		seen <- r.URL.RawQuery
		return 200, "123456\n"
	})
	env := map[string]string{"OPEN2FA_DIR": t.TempDir(), "O2FA_SOCKET": addr}
	var out strings.Builder
	code := Run(t.Context(), []string{"code", "a&b c", "--min-valid", "5s"}, command.Stdio{In: strings.NewReader(""), Out: &out, Err: io.Discard,
		Getenv: func(name string) string { return env[name] }})
	if query := <-seen; code != 0 || out.String() != "123456\n" || query != "min_valid="+(5*time.Second).String()+"&name=a%26b%20c" {
		t.Errorf("exit %d, %q, %s", code, out.String(), query)
	}
}

// The first error is told, and the hint holds what was typed.
func TestHintsOfMisspeltCommands(t *testing.T) {
	w := newWorld(t)
	for args, want := range map[string]string{
		"unlok":                      "o2fa unlock",
		"cod github --min-valid 5s":  "o2fa code github --min-valid 5s",
		"cod":                        "o2fa code NAME",
		"get github":                 "o2fa code github",
		"totp my bank":               "o2fa code my bank",
		"rm github":                  "o2fa delete github",
		"remove x":                   "o2fa delete x",
		"del":                        "o2fa delete",
		"ls":                         "o2fa list",
		"ad " + open2faSecret:        "o2fa add",
		"ad otpauth://totp/x":        "o2fa add",
		"help lits":                  "o2fa help list",
		"-x":                         "o2fa help",
		"--min-valid 5s code github": "o2fa code --min-valid 5s github",
		"code":                       "o2fa list",
		"edit":                       "o2fa list",
		"edti":                       "o2fa edit NAME",
		"rename github":              "o2fa edit github --name NEW",
		"mv github hub":              "o2fa edit github --name hub",
		"RENAME":                     "o2fa edit NAME --name NEW",
		"rename a\x1b[2J b":          "o2fa edit NAME --name b",
		"search git":                 "o2fa list git",
		"find":                       "o2fa list",
		"insert github":              "o2fa add github",
		"new":                        "o2fa add",
		"restore github":             "o2fa trash restore github",
		"restore":                    "o2fa trash restore NAME",
		"trash restor":               "o2fa trash restore NAME",
		"key remov":                  "o2fa key remove KIND",
		"qr github":                  "o2fa show --uri github",
		"export":                     "o2fa show --uri NAME",
		"stop":                       "o2fa status",
		"kill 123":                   "o2fa status",
		"trash github":               "o2fa help trash",
		"trash restor github":        "o2fa trash restore github",
		"trash purge":                "o2fa trash empty",
		"bin":                        "o2fa trash",
		"quit":                       "o2fa status",
		"github":                     "o2fa code github|o2fa help",
		"GitHub work":                "o2fa code GitHub work|o2fa help",
		"remote push":                "o2fa help",
		"a\x1b[2J":                   "o2fa list|o2fa help", // nobody can type it
		"cod a\x1b[2J":               "o2fa code NAME",
		open2faSecret:                "o2fa add|o2fa help",
		"otpauth://totp/x?secret=A":  "o2fa add|o2fa help",
	} {
		got := w.run("", strings.Fields(args)...)
		_, hints, _ := strings.Cut(got.errs, "\n")
		if want = "o2fa: hint: " + strings.ReplaceAll(want, "|", "\no2fa: hint: ") + "\n"; got.code != 2 || hints != want {
			t.Errorf("o2fa %s: exit %d\n%s", args, got.code, got.errs)
		}
	}
	w.want("code", outcome{2, "", "o2fa: error: which entry? o2fa code NAME\no2fa: hint: o2fa list\n"})
	w.want("-x", outcome{2, "", "o2fa: error: o2fa has no flag -x\no2fa: hint: o2fa help\n"})
	w.want("add a b c", outcome{2, "", "o2fa: error: 3 words, at most 2: put a name with blanks in quotes\no2fa: hint: o2fa add --help\n"})
}

// What cannot be meant is refused before anything is done.
func TestContradictions(t *testing.T) {
	w := started(t)
	w.Add(t, rfcSecret, "a")
	w.Add(t, open2faSecret, "b")
	for _, tc := range []struct{ in, args, text string }{
		{"", "delete -f a -n b", "two names: one as a word, one with -n"},
		{"", "add --counter 5 " + rfcSecret + " x", "--counter belongs to codes by counter"},
		{"", "add --counter 0 --type totp " + rfcSecret + " x", "--counter belongs to codes by counter"},
		{rfcSecret, "add --counter 5 - x", "--counter belongs to codes by counter"},
		{"", "add --counter 5 otpauth://totp/x?secret=" + rfcSecret, "--counter belongs to codes by counter"},
		{rfcSecret + "\n" + open2faSecret + "\n", "add - two", "standard input has several lines, and one secret is wanted"},
		{rfcSecret + "\n" + open2faSecret + "\n", "delete -f -s -", "standard input has several lines, and one secret is wanted"},
		{"", "code a --min-valid -1s", "--min-valid wants a time from 0 up, such as 5s"},
		{"", "code a --min-valid soon", "flag --min-valid wants a time such as 5s or 1m"},
		{rfcSecret, "add --type hotp --period 60 - x", "--period belongs to codes by time, and these go by counter"},
		{"", "undo now", "o2fa undo takes no words"},
	} {
		if got := w.run(tc.in, strings.Fields(tc.args)...); got.code != 2 || got.out != "" || !strings.HasPrefix(got.errs, "o2fa: error: "+tc.text) {
			t.Errorf("o2fa %s: %v", tc.args, got)
		}
	}
	w.ok("add", "--counter", "1", "otpauth://HOTP/x?counter=0&secret="+rfcSecret)
	w.want("code x", outcome{0, "287082\n", ""})
	if got := w.run("otpauth://hotp/y?counter=0&secret="+rfcSecret, "add", "-", "--counter", "2"); got.code != 0 {
		t.Errorf("%v", got)
	}
	w.want("list a", outcome{0, "\nName    Secret\n----    ------\na       G...Q\n\n", ""})
}

// The name alone yields no code any more, and whoever made that so is told.
func TestAddOfASecondEntryOfAName(t *testing.T) {
	w := started(t)
	w.Add(t, rfcSecret, "Bank")
	got := w.run("", "add", open2faSecret, "bank")
	id := fromJSON[ipc.Entries](t, w.ok("list", "--json", "bank")).Entries
	want := "o2fa: warning: 2 entries are now called bank: name the id or the issuer to get one\no2fa: hint: o2fa code "
	hint, found := strings.CutPrefix(got.errs, want)
	if hint = strings.TrimSpace(hint); got.code != 0 || !found || len(hint) != 8 || !strings.HasPrefix(id[0].ID, hint) && !strings.HasPrefix(id[1].ID, hint) {
		t.Fatalf("%v", got)
	}
	if got := w.run("", "code", hint); got.code != 0 || !codeLine.MatchString(got.out) {
		t.Errorf("o2fa code %s: %v", hint, got)
	}
	if got := w.run("", "add", open2faSecret, "bank"); got.code != 0 || got.errs != "" {
		t.Errorf("nothing changed: %v", got)
	}
	if got := w.run("", "code", "BANK"); got.code != 4 || !regexp.MustCompile(`\n  [0-9a-f]{8}  [Bb]ank  .*\no2fa: hint: o2fa code [0-9a-f]{8}\n$`).MatchString(got.errs) {
		t.Errorf("ambiguous: %v", got)
	}
}
