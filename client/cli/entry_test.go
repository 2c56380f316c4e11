package cli

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/o2fa/o2fa/internal/command"
	"github.com/o2fa/o2fa/internal/command/ptytest"
	"github.com/o2fa/o2fa/ipc"
)

// A person is asked for each field and shown what it is; Enter keeps, a dash
// empties.
func TestEditAsks(t *testing.T) {
	w := started(t)
	w.ok("add", rfcSecret, "my\x1bbank", "--issuer", "ACME", "--account", "ann", "--tag", "a", "--tag", "b", "--note", "one\ntwo")
	p := ptytest.New(t)
	done := w.sit(p, "edit", "my")
	for _, step := range []struct{ question, answer string }{
		{"Enter keeps what stands in brackets, - empties it.\r\nFor the secret and the kind of codes: o2fa edit --help\r\n", ""},
		{`Name [my\u{1b}bank]: `, "Bank\n"}, {"Issuer [ACME]: ", "\n"}, {"Account [ann]: ", " - \n"}, {`Note [one\u{a}two]: `, "\n"},
		{"Tags, with commas between [a, b]: ", "b, , c d\n"}, {"Pinned (y/n) [no]: ", "perhaps\n"}, {"perhaps\r\nPinned (y/n) [no]: ", "y\n"},
		{"to take it back: o2fa undo\r\n", ""},
	} {
		p.Expect(step.question)
		p.Type(step.answer)
	}
	const want = "Changed my\\u{1b}bank:\n  name: my\\u{1b}bank -> Bank\n  account: ann -> (none)\n  tags: a, b -> b, c d\n  pinned: no -> yes\n"
	if got := <-done; got != (outcome{0, want, ""}) {
		t.Errorf("%v", got)
	}
	e := fromJSON[ipc.EntryDetail](t, w.ok("show", "Bank", "--json"))
	if e.Issuer != "ACME" || e.Account != "" || e.Note != "one\ntwo" || strings.Join(e.Tags, "|") != "b|c d" || !e.Pinned {
		t.Errorf("%+v", e)
	}
}

// Enter at each question changes nothing, and neither does leaving.
func TestEditThatChangesNothing(t *testing.T) {
	w := started(t)
	w.ok("add", rfcSecret, "bank", "--pin", "--tag", "with, comma")
	before := w.ok("show", "bank", "--json")
	questions := []string{"Name [bank]: ", "Issuer []: ", "Account []: ", "Note []: ", "Tags, with commas between [with, comma]: ", "Pinned (y/n) [yes]: "}
	for _, tc := range []struct {
		answers []string
		want    outcome
	}{
		{[]string{"\n", "\n", "\n", "\n", "\n", "\n"}, outcome{0, "Nothing changed.\n", ""}},
		{[]string{"new\n", "\n", "\x04"}, outcome{130, "", ""}},
	} {
		p := ptytest.New(t)
		done := w.sit(p, "edit", "bank")
		for i, answer := range tc.answers {
			p.Expect(questions[i])
			p.Type(answer)
		}
		if got := <-done; got != tc.want {
			t.Errorf("%q: %v %q", tc.answers, got, p.Screen())
		}
	}
	if after := w.ok("show", "bank", "--json"); after != before {
		t.Errorf("%s, was %s", after, before)
	}
}

// A new secret is asked for unseen, as often as it takes.
func TestEditAsksForTheSecret(t *testing.T) {
	w := started(t)
	w.Add(t, rfcSecret, "bank")
	p := ptytest.New(t)
	done := w.sit(p, "edit", "bank", "--secret")
	p.Expect("Secret (not shown): ")
	p.Type("otpauth://totp/x?secret=" + open2faSecret + "\n")
	p.Expect("it is a URI, and the secret alone is wanted: o2fa add makes an entry of a URI, try again\r\nSecret (not shown): ")
	p.Type(open2faSecret + "\n")
	if got := <-done; got.code != 0 || got.out != "Changed bank:\n  secret changed\n" || strings.Contains(p.Screen(), open2faSecret) {
		t.Errorf("%v %q", got, p.Screen())
	}
	if e := fromJSON[ipc.EntryDetail](t, w.ok("show", "bank", "--json", "-s")); e.Secret != open2faSecret {
		t.Errorf("%+v", e)
	}
	for args, text := range map[string]string{
		"edit bank --no-input":          "no flag says what to change",
		"edit bank --secret --no-input": "no secret on standard input, and no questions allowed",
		"edit bank --note - --no-input": "no note on standard input, and no questions allowed",
		"edit nobody":                   "no entry matches",
	} {
		p := ptytest.New(t)
		if got := <-w.sit(p, strings.Fields(args)...); got.code < 2 || got.out != "" {
			t.Errorf("o2fa %s: %v", args, got)
		}
		p.Expect("o2fa: error: " + text)
	}
}

// A note of several lines may be typed, too.
func TestNoteIsTyped(t *testing.T) {
	w := started(t)
	p := ptytest.New(t)
	done := w.sit(p, "add", rfcSecret, "bank", "--note", "-")
	p.Expect("The note, up to Ctrl-D on a line of its own (Windows: Ctrl-Z):\r\n")
	p.Type("one\ntwo\n\x04")
	if got := <-done; got.code != 0 {
		t.Fatal(got)
	}
	if e := fromJSON[ipc.EntryDetail](t, w.ok("show", "bank", "--json")); e.Note != "one\ntwo" {
		t.Errorf("%+v", e)
	}
	if got := w.run("x\r\ny\r\n", "edit", "bank", "--note", "-"); got.code != 0 || got.out != "Changed bank:\n  note changed\n" {
		t.Errorf("%v", got)
	}
	if e := fromJSON[ipc.EntryDetail](t, w.ok("show", "bank", "--json")); e.Note != "x\ny" {
		t.Errorf("%+v", e)
	}
	if got := w.run(rfcSecret, "add", "-", "x", "--note", "-"); got.code != 2 || got.out != "" {
		t.Errorf("standard input twice: %v", got)
	}
}

// Removing for good is asked about, with the number; no is exit 1.
func TestEmptyAsks(t *testing.T) {
	w := newWorld(t)
	var tick atomic.Int64 // two deletions have two times, however fast they are
	w.Config.Now = func() time.Time { return time.Unix(1_700_000_000+tick.Add(1), 0) }
	w.Start(t)
	for _, name := range []string{"a", "b\x1b", "c", "d", "keep"} {
		w.Add(t, rfcSecret, name)
	}
	for _, name := range []string{"a", "b\x1b", "c", "d"} {
		w.ok("delete", "-f", name)
	}
	for _, tc := range []struct{ args, question, answer, out string }{
		{"trash empty", `Remove 4 entries (d, c, b\u{1b}, 1 more) for good? (y/n): `, "n", ""},
		{"trash empty a", "Remove a for good? (y/n): ", "y", "Removed 1 entry for good.\n"},
		{"trash empty", `Remove 3 entries (d, c, b\u{1b}) for good? (y/n): `, "yes", "Removed 3 entries for good.\n"},
		{"trash empty", "", "", "The trash is empty.\n"},
	} {
		p := ptytest.New(t)
		done := w.sit(p, strings.Fields(tc.args)...)
		p.Expect(tc.question)
		if tc.answer != "" {
			p.Type(tc.answer + "\n")
		}
		got := <-done
		if got.out != tc.out || (got.code == 1) != (tc.answer == "n") {
			t.Errorf("o2fa %s, %s: %v", tc.args, tc.answer, got)
		}
		if tc.answer == "n" {
			p.Expect("o2fa: error: nothing was removed: the answer was no\r\n")
		}
	}
	if got := fromJSON[ipc.Entries](t, w.ok("list", "--json")); got.Total != 1 {
		t.Errorf("%+v", got)
	}
}

// Notes that a person gets, and nobody else: where deleted things are, and how
// they come back.
func TestAdviceForAPerson(t *testing.T) {
	w := started(t)
	w.Add(t, rfcSecret, "my bank")
	for _, tc := range []struct{ args, advice string }{
		{"undo", "to bring back what is in the trash: o2fa trash restore 'my bank'\r\n"},
		{"trash restore my bank", "to take it back: o2fa undo\r\n"},
		{"delete -f my bank", "to take it back: o2fa undo\r\n"},
		{"trash empty -f", ""},
		{"trash", "the trash is empty\r\n"},
	} {
		p := ptytest.New(t)
		if got := <-w.sit(p, strings.Fields(tc.args)...); got.code != 0 {
			t.Errorf("o2fa %s: %v", tc.args, got)
		}
		p.Expect(tc.advice)
		if tc.advice == "" && p.Screen() != "" {
			t.Errorf("o2fa %s: %q", tc.args, p.Screen())
		}
	}
}

// A search that finds nothing names what is spelt like it.
func TestListSuggests(t *testing.T) {
	w := started(t)
	w.Add(t, rfcSecret, "github")
	w.Add(t, rfcSecret, "git\x1bhub")
	w.Add(t, rfcSecret, "straße")
	for text, note := range map[string]string{
		"githup":                   "no entry matches; spelt like it: git\\u{1b}hub, github\r\n",
		"STRASZE":                  "no entry matches; spelt like it: straße\r\n",
		"zzz":                      "no entry matches\r\n",
		strings.Repeat("ü", 512):   "no entry matches\r\n",
		"--tag zzz":                "no entry matches\r\n",
		"--pinned":                 "no entry matches\r\n",
		"--pinned github --tag no": "no entry matches\r\n",
	} {
		p := ptytest.New(t)
		if got := <-w.sit(p, append([]string{"list"}, strings.Fields(text)...)...); got.code != 0 {
			t.Errorf("o2fa list %s: %v", text, got)
		}
		p.Expect(note)
	}
}

// What a list asks the daemon for.
func TestListAsksFor(t *testing.T) {
	for args, want := range map[string]string{
		"list":                    "",
		"list my bank":            "search=my%20bank",
		"list --tag a&b --pinned": "pinned=true&tag=a%26b",
		"list -s x":               "search=x&secrets=true",
		"show my bank":            "name=my%20bank",
		"show my bank -s":         "name=my%20bank&secrets=true",
		"show my bank --uri":      "name=my%20bank&secrets=true",
		"show --json bank --uri":  "name=bank&secrets=true",
	} {
		seen := make(chan string, 1)
		w := newWorld(t)
		w.env["O2FA_SOCKET"] = serve(t, func(r *http.Request) (int, string) {
			seen <- r.Method + " " + r.URL.RawQuery
			return 200, `{"uri":"otpauth://x"}`
		})
		w.ok(strings.Fields(args)...)
		if got := <-seen; got != "GET "+want {
			t.Errorf("o2fa %s: %s, want %s", args, got, want)
		}
	}
}

// An entry that counts is asked for its counter, too.
func TestAddAsksForTheCounter(t *testing.T) {
	w := started(t)
	for answer, want := range map[string]string{"": "755224\n", "nine\n-1\n9": "520489\n"} {
		p := ptytest.New(t)
		done := w.sit(p, "add", "--type", "hotp")
		p.Expect("Secret (not shown): ")
		p.Type(rfcSecret + "\n")
		p.Expect("Name: ")
		p.Type("token " + answer[:min(1, len(answer))] + "\n")
		asked := ""
		for line := range strings.Lines(answer + "\n") {
			asked += "Counter of the next code [0]: "
			p.Expect(asked)
			p.Type(line)
			asked += strings.TrimSuffix(line, "\n") + "\r\n"
		}
		if got := <-done; got.code != 0 {
			t.Fatalf("%v %q", got, p.Screen())
		}
		if got := w.ok("code", strings.TrimSpace("token "+answer[:min(1, len(answer))])); got != want {
			t.Errorf("%q: %s", answer, got)
		}
	}
	p := ptytest.New(t)
	done := w.sit(p, "add", "--type", "hotp", "--counter", "1", "-n", "given")
	p.Expect("Secret of given (not shown): ")
	p.Type(rfcSecret + "\n")
	if got := <-done; got.code != 0 || strings.Contains(p.Screen(), "Counter") {
		t.Errorf("%v %q", got, p.Screen())
	}
	w.want("code given", outcome{0, "287082\n", ""})
}

// Names as long and as odd as they may be are found, suggested and shown.
func TestOddNames(t *testing.T) {
	w := started(t)
	long := strings.Repeat("длинный ", 68) + "x" // just below 1 KiB
	for _, name := range []string{long, "日本の銀行", "Straße", "e\u0301cole", "שלום", "a\x1b[2J", "-", "--", "a\nb"} {
		w.Add(t, rfcSecret, name)
		for _, args := range [][]string{{"code"}, {"show"}, {"code", "--next"}} {
			if got := w.run("", append(args, "--", name)...); got.code != 0 || got.errs != "" || strings.ContainsAny(got.out, "\x1b") {
				t.Errorf("o2fa %q %q: %v", args, name, got)
			}
		}
	}
	for name, near := range map[string]string{
		"STRASSE": "", "école": "", "日本の金行": "  日本の銀行  G...Q\n", "Strasze": "  Straße  G...Q\n", "שלןם": "  שלום  G...Q\n",
		strings.Repeat("y", 1024): "o2fa: hint: o2fa list\n", strings.Repeat("ж", 600): "o2fa: hint: o2fa list\n", "a\x1b[2K": "  a\\u{1b}[2J  G...Q\n",
	} {
		got := w.run("", "code", name)
		if near == "" && got.code != 0 || near != "" && (got.code != 3 || !strings.Contains(got.errs, near)) || strings.ContainsAny(got.errs, "\x1b") {
			t.Errorf("o2fa code %q: %v", name, got)
		}
	}
	if got := w.run("", "add", open2faSecret, long+long); got.code != 2 || strings.Contains(got.errs, "длин") {
		t.Errorf("a name that is too long: %v", got)
	}
}

// What is removed for good is named, so that nothing goes that came to the trash
// since; only a whole trash of more than fits in a request is not.
func TestWhatIsRemovedIsNamed(t *testing.T) {
	some, many := make([]ipc.Entry, 3), make([]ipc.Entry, mostIDs+1)
	all, named := &command.Invocation{}, &command.Invocation{Args: []string{"x"}}
	for _, tc := range []struct {
		inv   *command.Invocation
		found []ipc.Entry
		ids   int
	}{{all, some, 3}, {all, many[1:], mostIDs}, {all, many, 0}, {named, some, 3}, {named, many, mostIDs + 1}} {
		if got := removal(tc.inv, tc.found); len(got.IDs) != tc.ids {
			t.Errorf("%d found, named %q: %d ids, want %d", len(tc.found), tc.inv.Args, len(got.IDs), tc.ids)
		}
	}
	most, err := json.Marshal(ipc.EmptyRequest{IDs: slices.Repeat([]string{strings.Repeat("0", 32)}, mostIDs)})
	if err != nil || len(most) > ipc.MaxRequestBody {
		t.Errorf("%d bytes, %v", len(most), err)
	}
}

// Replies that only a newer daemon, or another configuration, gives.
func TestOtherReplies(t *testing.T) {
	counter := uint64(7)
	before := ipc.EntryDetail{Entry: ipc.Entry{ID: strings.Repeat("1", 32), Name: "a", Type: "totp", Period: 30, Tags: []string{"x"}}, InFile: true}
	after := ipc.EntryDetail{Entry: ipc.Entry{ID: before.ID, Name: "a", Type: "hotp", Counter: &counter, Pinned: true}, Note: "one\ntwo"}
	var out, errs strings.Builder
	showEdit(&command.Invocation{Root: &command.Command{Use: "o2fa"}, Stdio: command.Stdio{Out: &out, Err: &errs}}, before,
		ipc.EditReply{Entry: after, Changed: []string{"type", "period", "counter", "tags", "pinned", "note", "secret", "co\x1blour"}, SameName: 2})
	const want = "Changed a:\n  type: totp -> hotp\n  period: 30 s -> (none)\n  counter: (none) -> 7\n  tags: x -> (none)\n  pinned: no -> yes\n" +
		"  note changed\n  secret changed\n  co\\u{1b}lour changed\n"
	if out.String() != want || errs.String() != "o2fa: warning: secrets.json still holds it as it was, in clear; o2fa leaves the file alone\n" {
		t.Errorf("%s%s", out.String(), errs.String())
	}

	if got := served(t, ipc.Entries{Entries: []ipc.Entry{{ID: before.ID, Mask: "A...Z", Trashed: "soon"}}}, "trash"); got != "\nName  Secret  Deleted  Id\n----  ------  -------  --------\nNone  A...Z   soon     11111111\n\n" {
		t.Errorf("a trash that is kept for ever: %q", got)
	}
	w := newWorld(t)
	w.env["O2FA_SOCKET"] = serve(t, func(*http.Request) (int, string) { return 200, `{"id":"` + before.ID + `","type":"steam"}` })
	w.want("show a --uri", outcome{1, "", "o2fa: error: no otpauth:// URI can say what that entry is\no2fa: hint: o2fa show -s 11111111\n"})
}

// Several ids bring back, or remove, several entries; all or none.
func TestTrashByIDs(t *testing.T) {
	w := started(t)
	for _, secret := range []string{rfcSecret, open2faSecret, "JBSWY3DPEHPK3PXP"} {
		w.Add(t, secret, "twice")
	}
	w.ok("delete", "-f", "twice")
	list := fromJSON[ipc.Entries](t, w.ok("trash", "--json")).Entries
	ids := shortIDs(list)
	if got := w.run("", "trash", "restore", ids[0], "00000000"); got.code != 3 || !strings.Contains(got.errs, `nothing in the trash is called "00000000"`) {
		t.Errorf("one that is not there: %v", got)
	}
	if got := w.run("", "trash", "restore", ids[0], list[1].ID); got.code != 0 || got.out != "Restored 2 entries (twice, twice).\n" ||
		!strings.HasPrefix(got.errs, "o2fa: warning: 2 entries are now called twice: ") || strings.Count(got.errs, "warning") != 1 {
		t.Errorf("two ids: %v", got)
	}
	w.want("trash empty -f "+ids[2], outcome{0, "Removed 1 entry for good.\n", ""})
	if left := fromJSON[ipc.Entries](t, w.ok("list", "--json")); left.Total != 2 {
		t.Errorf("%+v", left)
	}
}
