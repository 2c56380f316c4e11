package command

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// nasty is a program whose texts hold everything that roff means something by.
func nasty() *Command {
	return &Command{Use: "prog COMMAND", Short: `Do \fBthings\fR`, Exits: []int{ExitOK}, Manual: ".so /etc/passwd\n'so too",
		Environment: []Item{{"PROG_DIR", "where ~ is `home`"}}, Files: []Item{{"~/.prog/x", `a "file"`}}, SeeAlso: []string{"other"}, Flags: []Flag{JSONFlag},
		Sub: []*Command{{Use: "go [--fast] NAME... [DIR|-]", Short: "Go", Group: `The "first"`, Aliases: []string{"-g", "--go"},
			Long:    "On a line of its own.\n\n  .first    a \\ b\n  'second   c^d\n\nThe end – really.",
			Example: "prog go 'a b'   # .x\n.prog \\n $x \"y\"",
			Flags:   []Flag{{Name: "dry-run", Short: "n", Default: 5, Value: "N", Usage: `-n is 'quoted' and \e`}}}}}
}

func TestPages(t *testing.T) {
	pages := Manual{Release: "1.2.3-dev", Date: time.Unix(1e9, 0)}.Pages(nasty())
	if len(pages) != 3 || pages["prog.1"] == "" || pages["prog-help.1"] == "" {
		t.Fatalf("%d pages", len(pages))
	}
	for _, want := range []string{
		".TH \"PROG\\-GO\" 1 \"2001-09-09\" \"prog 1.2.3\\-dev\" \"prog manual\"\n",
		".SH NAME\nprog\\-go \\- go\n",
		"\\fBprog go\\fR [\\fIFLAG\\fR]... [\\-\\-fast] \\fINAME\\fR... [\\fIDIR\\fR|\\-]\n",
		".SH DESCRIPTION\nGo.\nOn a line of its own.\n.PP\n.RS 4\n.nf\n\\&.first    a \\e b\n\\(aqsecond   c\\(had\n.fi\n.RE\n.PP\nThe end \\[u2013] really.\n",
		"Other spellings: \\fB\\-g, \\-\\-go\\fR\n",
		".TP\n\\fB\\-n\\fR, \\fB\\-\\-dry\\-run\\fR \\fIN\\fR\n\\-n is \\(aqquoted\\(aq and \\ee (default 5)\n",
		"\n\\&.prog \\en $x \\(dqy\\(dq\n",
		".SH EXIT STATUS\n.TP\n\\fB0\\fR\ndone\n",
		".SH ENVIRONMENT\n.TP\n\\fBPROG_DIR\\fR\nwhere \\(ti is \\(gahome\\(ga\n",
		".SH SEE ALSO\n\\fBprog\\fR(1)\n",
	} {
		if !strings.Contains(pages["prog-go.1"], want) {
			t.Errorf("no %s in\n%s", want, pages["prog-go.1"])
		}
	}
	for _, want := range []string{"\n\\&.so /etc/passwd\n\\(aqso too\n", ".SS \"The \\(dqfirst\\(dq\"\n", "\\fBother\\fR(1)\n"} {
		if !strings.Contains(pages["prog.1"], want) {
			t.Errorf("no %s in\n%s", want, pages["prog.1"])
		}
	}
}

// Two programs that read manuals agree that a page shows what was written.
func TestPagesRender(t *testing.T) {
	dir := t.TempDir()
	if err := (Manual{Release: "1"}).WritePages(dir, nasty(), program()); err != nil {
		t.Fatal(err)
	}
	page := filepath.Join(dir, "man1", "prog-go.1")
	for name, cmd := range map[string]*exec.Cmd{
		"mandoc": exec.Command("mandoc", "-T", "utf8", page), "man": exec.Command("man", "--warnings=all", "-P", "cat", "-l", page)} {
		if cmd.Err != nil {
			t.Skipf("%s is not installed (package %s)", name, map[string]string{"mandoc": "mandoc", "man": "man-db"}[name])
		}
		cmd.Env = append(os.Environ(), "MANWIDTH=80", "LC_ALL=C.UTF-8", "GROFF_NO_SGR=1")
		var errs strings.Builder
		cmd.Stderr = &errs
		out, err := cmd.Output()
		shown := plainText(string(out))
		if err != nil || errs.Len() > 0 {
			t.Errorf("%s: %v\n%s", name, err, errs.String())
		}
		for _, want := range []string{"prog go [FLAG]... [--fast] NAME... [DIR|-]", `.first    a \ b`, "'second   c^d", "The end – really.",
			"-n, --dry-run N", `-n is 'quoted' and \e (default 5)`, "prog go 'a b'   # .x", `.prog \n $x "y"`, "where ~ is `home`"} {
			if !strings.Contains(shown, want) {
				t.Errorf("%s does not show %s:\n%s", name, want, shown)
			}
		}
	}
	for _, name := range []string{"bash/prog", "zsh/_prog", "fish/prog.fish", "powershell/prog.ps1"} {
		if text, err := os.ReadFile(filepath.Join(dir, "completions", name)); err != nil || !strings.Contains(string(text), "__complete") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// plainText takes away how bold and underlined letters are printed.
func plainText(text string) string {
	runes := []rune(text)
	var b strings.Builder
	for i, r := range runes {
		if r != '\b' && (i+1 == len(runes) || runes[i+1] != '\b') {
			b.WriteRune(r)
		}
	}
	return b.String()
}

func TestReleaseDate(t *testing.T) {
	for epoch, want := range map[string]int64{"": 0, "1000000000": 1e9} {
		if got, err := ReleaseDate(epoch); err != nil || got.Unix() != want {
			t.Errorf("%q: %v %v", epoch, got, err)
		}
	}
	if _, err := ReleaseDate("today"); err == nil {
		t.Error("today is a date")
	}
}
