package cli

import (
	"context"
	"encoding/json"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/o2fa/o2fa/internal/command"
	"github.com/o2fa/o2fa/internal/command/ptytest"
	"github.com/o2fa/o2fa/ipc"
)

// hostileNames are names that would act on a terminal, deceive its reader, or
// push columns out of place. Each has letters of its own.
var hostileNames = []string{
	"aa\x1b[2J\x1b[1;1Hb", "ab\x1b]8;;https://example.com\x1b\\link\x1b]8;;\x1b\\", "ac\x1b]52;c;cm0gLXJm\a", "ad\x1bP+q544e\x1b\\", "ae\x1b[5;31mred\x1b[0m",
	"af\u009b2Jc1\u0090q\u009c", "ag\nsecond line\r\n\tthird\vand\f", "ah\x00nul\x7fdel\x08back", "ai\rbefore",
	"aj\u202egpj.exe\u202c", "ak\u2066isolate\u2069\u200e\u200f\u061c", "al\u2028line\u2029paragraph\u0085next", "am\U000e0041\U000e007ftags\U000e0001",
	"an\u200bzero\u200cwidth\u2060\ufeff\u00ad", "ao\u3164filler\u115f\u1160\uffa0\u2800\u034f", "ap\ufe0f\U000e0100\ufe00selectors", "aq\ufffe\U0010ffff\u0378none",
	"\u0301\u0301ar", "as" + strings.Repeat("Z\u0300\u0301\u0302\u0303\u0304\u0305\u0306\u0307\u0308", 20),
	"at日本語のなまえ", "au한국어", "avשָׁלוֹם עולם", "awمرحبا", "axที่นี่", "ayq\u0308rich", "az葛\U000e0100",
	"ba👍🏽👨\u200d👩\u200d👧\u200d👦", "bb🏳\ufe0f\u200d🌈🏴\u200d☠\ufe0f", "bc🇨🇭🇺🇦🇨", "bd1\ufe0f\u20e3#\ufe0f\u20e3", "be⚙\ufe0f❤\ufe0f✈\ufe0f☁", "bf✅⭐⚡🔑🪪🛠\ufe0f",
	"bg" + strings.Repeat("x", 1022), "bh" + strings.Repeat("界", 340), "bi" + strings.Repeat("👩🏽\u200d⚕\ufe0f", 40), "bj" + strings.Repeat("\x1b", 1022), "bk" + strings.Repeat("\u202e", 340),
	`bl\u{1b}[2J\x{9b}`, "bm$(reboot)`reboot`;reboot|'\"\\", "bn  two  blanks  ", "bo-n", "--bp", "%s%d%n%!bq",
}

// hostileWords are a few that have it all, for the many calls that repeat a word.
var hostileWords = []string{
	"wa" + strings.Join(hostileNames[:5], ""), "wb" + strings.Join(hostileNames[5:9], ""), "wc" + strings.Join(hostileNames[9:12], ""), "wd" + strings.Join(hostileNames[12:18], ""),
	"we" + strings.Join(hostileNames[18:31], " "), "\x1b" + strings.Repeat("x", 1000), `wf\u{1b}[2J $(reboot);'"`, "wg%s%n", "wh\x1b[2J",
}

// hostileWorld is a profile whose entries have those names, and as much of them
// as fits in issuer, account, tags and note.
func hostileWorld(t *testing.T) *world {
	w := started(t)
	w.env["TERM"] = "xterm-256color"
	for i, name := range hostileNames {
		req := ipc.AddRequest{Secret: rfcSecret, Name: name}
		if i%3 == 0 {
			req.Issuer, req.Account, req.Note, req.Tags = name, name, name+"\n"+name, []string{name, "tag"}
		}
		if i%5 == 0 {
			req.Type = "hotp"
		}
		if _, err := w.Client.Add(t.Context(), req); err != nil {
			t.Fatalf("%.40q: %v", name, err)
		}
	}
	return w
}

// at calls o2fa with both ends at a terminal of that many columns, and returns
// all that this was sent. dialog holds texts to wait for, each with what is typed then.
func (w *world) at(columns int, dialog []string, args ...string) string {
	w.t.Helper()
	p := ptytest.New(w.t)
	p.Resize(columns, 100)
	ctx, cancel := context.WithTimeout(w.t.Context(), 20*time.Second)
	defer cancel()
	done := make(chan struct{})
	go func() {
		defer close(done)
		Run(ctx, args, command.Stdio{In: p.Device, Out: p.Device, Err: p.Device, Getenv: w.getenv})
	}()
	for i := 0; i < len(dialog); i += 2 {
		p.Expect(dialog[i])
		p.Type(dialog[i+1] + "\n")
	}
	<-done
	if ctx.Err() != nil {
		w.t.Errorf("o2fa %.80q waits for something", args)
	}
	const end = "<that was all>"
	if _, err := p.Device.WriteString(end); err != nil {
		w.t.Fatal(err)
	}
	p.Expect(end)
	return strings.TrimSuffix(p.Screen(), end)
}

// hostileCalls are calls of every command that shows a name, an error that
// repeats one, or a hint that holds one.
func hostileCalls(name string) [][]string {
	return [][]string{
		{"list", name}, {"code", name}, {"code", name + "?"}, {"code", "--json", name + "?"}, {"add", "JBSWY3DPEHPK3PXP", name},
		{"add", "otpauth://totp/" + url.PathEscape(name) + "?secret=JBSWY3DPEHPK3PXQ&issuer=" + url.QueryEscape(name)},
		{"add", "--json", "JBSWY3DPEHPK3PXP", "json" + name}, {"add", "not base32!", name}, {"add", "--type", name, "JBSWY3DPEHPK3PXP"},
		{"add", "otpauth://totp/x?secret=" + url.QueryEscape(name)}, {"add", "otpauth://" + name}, {"add", "otpauth://totp/x?secret=JBSWY3DPEHPK3PXP&algorithm=" + url.QueryEscape(name)},
		{"delete", "--no-input", "-n", name}, {"delete", "-f", "-n", name + "?"}, {"delete", "-f", "--json", "-n", name + "?"}, {"delete", "-f", "-s", name},
		{"show", name}, {"show", "-s", name}, {"show", "--uri", name}, {"show", "--json", name}, {"show", name + "?"}, {"generate", "-r", "1", "-n", name}, {"generate", "-r", "1", "--tag", name},
		{"list", "--tag", name}, {"list", "--pinned", name}, {"edit", "--name", name + "!", "--note", name, "--tag", name, name}, {"edit", "--issuer", name, name + "!"}, {"edit", "--type", name, name + "!"},
		{"edit", "--digits", name, "x"}, {"edit", "--json", "--account", name, name + "!"}, {"undo"}, {"undo"}, {"delete", "-f", "-n", name + "!"}, {"trash"}, {"trash", "--json"}, {"trash", "restore", name + "?"},
		{"trash", "empty", "--no-input", name + "!"}, {"trash", "restore", name + "!"}, {"undo"}, {"undo", "--json"}, {name}, {"cod", name}, {"help", name}, {"cod", "x", name}, {"code", "--min-valid", name}, {"--" + name}, {"code", "--" + name}, {"init", "--keystore", name},
	}
}

// Nothing that an entry, an argument or a reply holds reaches a terminal raw.
func TestHostileNames(t *testing.T) {
	w := hostileWorld(t)
	check := func(columns int, args []string, text string) {
		t.Helper()
		if _, err := ptytest.Draw(strings.ReplaceAll(text, "\r\n", "\n"), columns, ptytest.Joined); err != nil {
			t.Errorf("o2fa %.80q at %d columns: %v", args, columns, err)
		}
	}
	for _, columns := range []int{30, 80, 300} {
		for _, args := range [][]string{{"list"}, {"list", "-s"}, {"list", "-l"}, {"list", "--json"}, {"generate", "-r", "1"}, {"generate", "-r", "2", "-d", "0"}, {"generate", "--json"}, {"trash"}, {"status"}, {"status", "--json"}, {"code", "a"}, {"code", "a", "--json"}, {"code", "b"}} {
			check(columns, args, w.at(columns, nil, args...))
		}
	}
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		for _, line := range []string{"o2fa code ", "o2fa show a", "o2fa list --tag "} {
			w.env["COMPLETE_LINE"] = line
			args := []string{"__complete", shell}
			text := strings.ReplaceAll(w.at(80, nil, args...), "\t", " ") // between name and meaning
			check(80, args, text)
			if strings.Count(text, "\n") < 5 {
				t.Errorf("%s completes %q with %q", shell, line, text)
			}
		}
	}
	for i, name := range hostileWords {
		columns := []int{30, 80, 300}[i%3]
		for _, args := range hostileCalls(strings.ReplaceAll(name, "\x00", "")) { // no system passes that
			check(columns, args, w.at(columns, nil, args...))
		}
		name = strings.ReplaceAll(name, "\x00", "")
		id := fromJSON[ipc.AddReply](t, w.ok("add", "--json", open2faSecret, name, "--issuer", name, "--note", name+"\n"+name, "--tag", name)).Entry.ID
		for _, question := range []struct{ dialog, args []string }{
			{[]string{"Name [", "", "Issuer [", "", "Account [", "", "Note [", "", "Tags", "", "Pinned", "y"}, []string{"edit", id}},
			{[]string{"(y/n): ", "n"}, []string{"delete", id}}, {[]string{"(y/n): ", "y"}, []string{"delete", "-n", name, "-s", open2faSecret}},
			{[]string{"(y/n): ", "n"}, []string{"trash", "empty", id}}, {[]string{"(y/n): ", "y"}, []string{"trash", "empty"}},
		} {
			check(columns, question.args, w.at(columns, question.dialog, question.args...))
		}
		// What is typed the terminal itself repeats; what follows is ours.
		text := w.at(columns, []string{"Secret", "JBSWY3DPEHPK3PXT", "Name: ", strings.Map(withoutControls, name)}, "add")
		_, added, _ := strings.Cut(text, "\r\n\r\nADDED")
		check(columns, []string{"add"}, added)
	}
}

// withoutControls leaves out what a terminal acts on when it is typed.
func withoutControls(r rune) rune {
	if r < ' ' || r == 0x7f {
		return -1
	}
	return r
}

// A table's second column begins at one place, whatever a terminal thinks of the
// widths in the first, and no line is wider than the terminal.
func TestColumnsOfHostileNames(t *testing.T) {
	w := hostileWorld(t)
	code := regexp.MustCompile(`\b\d{6}\b`)
	for _, columns := range []int{30, 80, 300} {
		for _, args := range [][]string{{"list"}, {"list", "-l"}, {"generate", "-r", "1"}, {"code", "a"}} {
			if args[0] == "code" && columns < 300 {
				continue // the lines of an error wrap: nothing is cut there that tells two entries apart
			}
			text := strings.ReplaceAll(w.at(columns, nil, args...), "\r\n", "\n")
			second := "G...Q"
			if args[0] == "generate" {
				second = code.FindString(text) // all have one secret, and "hotp" stands for the rest
			}
			for name, widths := range map[string]ptytest.Widths{"summed": ptytest.Summed, "joined": ptytest.Joined, "narrow": ptytest.Narrow} {
				g, err := ptytest.Draw(text, columns, widths)
				if err != nil {
					t.Fatal(err)
				}
				at := g.Columns(second)
				if len(at) < 15 || slices.Min(at) != slices.Max(at) || g.Widest > columns {
					t.Errorf("o2fa %q, %s at %d columns: secrets begin at %v, the widest line has %d cells\n%s", args, name, columns, at, g.Widest, strings.Join(g.Lines(), "\n"))
				}
			}
		}
	}
}

// What is printed for programs holds every name as it is.
func TestHostileNamesAsJSON(t *testing.T) {
	w := hostileWorld(t)
	for where, text := range map[string]string{"a file": w.ok("list", "--json"), "a terminal": w.at(80, nil, "list", "--json")} {
		var reply ipc.Entries
		if err := json.Unmarshal([]byte(text), &reply); err != nil {
			t.Fatalf("%s: %v", where, err)
		}
		have := map[string]bool{}
		for _, e := range reply.Entries {
			have[e.Name] = true
		}
		for _, name := range hostileNames {
			if !have[name] {
				t.Errorf("%s: no %.40q", where, name)
			}
		}
	}
}

// What is no UTF-8 is refused where it comes in: as JSON it would be another name.
func TestTextsAreUTF8(t *testing.T) {
	w := started(t)
	const bad = "caf\xe9"
	for _, tc := range []struct {
		in   string
		args []string
	}{
		{"", []string{"add", rfcSecret, bad}}, {"", []string{"add", rfcSecret, "x", "--note=" + bad}}, {"", []string{"code", bad}}, {"", []string{"list", "--json", bad}},
		{bad, []string{"add", "-", "x"}}, {"otpauth://totp/caf%E9?secret=" + rfcSecret, []string{"add", "-"}},
	} {
		got := w.run(tc.in, tc.args...)
		if got.code == 0 || got.out != "" || !strings.Contains(got.errs, "UTF-8") || strings.Contains(got.errs, "caf") {
			t.Errorf("o2fa %q: %v", tc.args, got)
		}
	}
	if got := w.run("", "list"); got.code != 0 && !strings.Contains(got.errs, "no vault") {
		t.Errorf("something was added: %v", got)
	}
}

// Each name that a terminal shows can be told from all others.
func TestHostileNamesStayDifferent(t *testing.T) {
	shown := map[string]string{}
	for _, name := range append(slices.Clone(hostileNames), `aa\x1b[2J`, `aa\u{1b}[2J\u{1b}[1;1Hb`, "bn two blanks") {
		text := command.Escape(name)
		if other, ok := shown[text]; ok {
			t.Errorf("%q and %q are both shown as %s", name, other, text)
		}
		shown[text] = name
	}
}
