package o2fa_test

import (
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/o2fa/o2fa"
	clientcli "github.com/o2fa/o2fa/client/cli"
	daemoncli "github.com/o2fa/o2fa/daemon/cli"
	"github.com/o2fa/o2fa/internal/command"
)

// TestManual makes the pages that packages carry and has them checked.
func TestManual(t *testing.T) {
	mandoc, err := exec.LookPath("mandoc")
	if err != nil {
		t.Skip("mandoc is not installed (package mandoc)")
	}
	dir := t.TempDir()
	manual := command.Manual{Release: o2fa.Version(), Date: time.Unix(1e9, 0)}
	if err := manual.WritePages(dir, clientcli.Commands(), daemoncli.Commands()); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "man1", "*.1"))
	if err != nil || len(files) < 15 {
		t.Fatal(files, err)
	}
	if out, err := exec.Command(mandoc, append([]string{"-T", "lint", "-W", "warning"}, files...)...).CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("%v\n%s", err, out)
	}
	pages := manual.Pages(clientcli.Commands())
	for name, text := range manual.Pages(daemoncli.Commands()) {
		pages[name] = text
	}
	for name, text := range pages {
		for _, section := range []string{"NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "EXAMPLES", "EXIT STATUS", "ENVIRONMENT", "FILES", "SEE ALSO"} {
			if !strings.Contains(text, "\n.SH "+section+"\n") {
				t.Errorf("%s has no %s", name, section)
			}
		}
		for _, m := range regexp.MustCompile(`(?m)^\\fB(.*)\\fR\(1\)`).FindAllStringSubmatch(text, -1) {
			if page := strings.ReplaceAll(m[1], `\-`, "-") + ".1"; pages[page] == "" {
				t.Errorf("%s points to %s, which is not there", name, page)
			}
		}
	}
}

// TestPagesAreReproducible builds the pages twice as packages do.
func TestPagesAreReproducible(t *testing.T) {
	var dirs [2]string
	for i := range dirs {
		dirs[i] = t.TempDir()
		cmd := exec.Command("go", "run", "./packaging/pages", dirs[i])
		cmd.Env = append(cmd.Environ(), "SOURCE_DATE_EPOCH=1000000000")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	if out, err := exec.Command("diff", "-r", dirs[0], dirs[1]).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
