package kit_test

import (
	"crypto/sha256"
	"encoding/base64"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/o2fa/o2fa/client/kit"
	"github.com/o2fa/o2fa/internal/command"
	"github.com/o2fa/o2fa/internal/qr"
)

const code = "7K3QM-9XZ2A-B4CDE-FGHJK-MNPQR-T="

func sample() kit.Kit {
	return kit.Kit{
		Code: code, Slot: "0123456789abcdef0123456789abcdef", Vault: "fedcba9876543210fedcba9876543210",
		Path: "/home/me/.open2fa/vault.db", Host: "lab", Made: time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC),
	}
}

// TestPolicy: the page loads nothing, runs nothing, and its one style is the one
// that its policy names.
func TestPolicy(t *testing.T) {
	html, err := sample().HTML()
	if err != nil {
		t.Fatal(err)
	}
	style := regexp.MustCompile(`(?s)<style>(.*)</style>`).FindStringSubmatch(html)
	if style == nil {
		t.Fatal("no style")
	}
	sum := sha256.Sum256([]byte(style[1]))
	want := `content="default-src 'none'; style-src 'sha256-` + base64.StdEncoding.EncodeToString(sum[:]) + `';`
	if !strings.Contains(html, want) {
		t.Errorf("the policy must have %s", want)
	}
	for _, foreign := range []string{"<script", "<img", "<link", "style=", "url(", "@import", "src=", "href="} {
		if strings.Contains(html, foreign) {
			t.Errorf("the page has %s", foreign)
		}
	}
	if rest := strings.ReplaceAll(html, "http://www.w3.org/2000/svg", ""); strings.Contains(rest, "://") {
		t.Error("the page has an address")
	}
}

// TestHostileValues: what came from elsewhere is text on the page, once.
func TestHostileValues(t *testing.T) {
	k := sample()
	k.Path, k.Host = "/tmp/<b>&{{code}}\x1b[31m\u202e/vault.db", `"><script>alert(1)</script>`
	html, err := k.HTML()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"/tmp/&lt;b&gt;&amp;{{code}}\\u{1b}[31m\\u{202e}/vault.db", "&#34;&gt;&lt;script&gt;"} {
		if !strings.Contains(html, want) {
			t.Errorf("the page lacks %s", want)
		}
	}
	text, err := k.Text(qr.None)
	if err != nil {
		t.Fatal(err)
	}
	if strings.ContainsAny(text, "\x1b\u202e") || !strings.Contains(text, "{{code}}") {
		t.Error("the text page has what acts on a terminal, or filled a value in")
	}
}

// TestNothingIsForgotten: each value stands on both pages, and no placeholder.
func TestNothingIsForgotten(t *testing.T) {
	k := sample()
	for _, path := range []string{k.Path, "/home/" + strings.Repeat("a-long-name/", 20) + "vault.db"} {
		k.Path = path
		html, err := k.HTML()
		if err != nil {
			t.Fatal(err)
		}
		text, err := k.Text(qr.Paper)
		if err != nil {
			t.Fatal(err)
		}
		html = regexp.MustCompile(`<wbr>|</?span>`).ReplaceAllString(html, "")
		joined := strings.ReplaceAll(text, "\n"+strings.Repeat(" ", 18), "")
		for _, value := range []string{k.Code, k.Slot, k.Vault, k.Path, k.Host, "22 November 2026", "o2fa unlock", "o2fa backup restore"} {
			if !strings.Contains(html, value) || !strings.Contains(joined, value) {
				t.Errorf("%q is missing", value)
			}
		}
		if strings.Contains(html+text, "{{") {
			t.Error("a placeholder is left")
		}
		for line := range strings.Lines(text) {
			if command.Width(strings.TrimSuffix(line, "\n")) > 80 {
				t.Errorf("more than 80 columns: %q", line)
			}
		}
	}
}

// TestOnePage: the text fits on a sheet of 66 lines.
func TestOnePage(t *testing.T) {
	text, err := sample().Text(qr.Paper)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(text, "\n"); n > 60 {
		t.Errorf("%d lines", n)
	}
}

// TestScan has the QR code of the page rendered and read.
func TestScan(t *testing.T) {
	needs(t, "zbarimg", "zbar-tools")
	needs(t, "rsvg-convert", "librsvg2-bin")
	html, err := sample().HTML()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	in, out := filepath.Join(dir, "qr.svg"), filepath.Join(dir, "qr.png")
	svg := regexp.MustCompile(`(?s)<svg.*</svg>`).FindString(html)
	if err := os.WriteFile(in, []byte(svg), 0o600); err != nil {
		t.Fatal(err)
	}
	if text, err := exec.Command("rsvg-convert", "-w", "220", "-o", out, in).CombinedOutput(); err != nil {
		t.Fatalf("rendering: %v\n%s", err, text)
	}
	got, err := exec.Command("zbarimg", "--quiet", "--raw", out).Output()
	if err != nil || strings.TrimSpace(string(got)) != code {
		t.Errorf("read %q, %v", got, err)
	}
}

// needs skips a test for want of a program; where skips are failures it fails.
func needs(t *testing.T, program, pkg string) {
	t.Helper()
	if _, err := exec.LookPath(program); err == nil {
		return
	}
	if os.Getenv("O2FA_TEST_STRICT") == "1" {
		t.Fatalf("%s is not installed (package %s)", program, pkg)
	}
	t.Skipf("%s is not installed (package %s)", program, pkg)
}
