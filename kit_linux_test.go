package o2fa_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestRecoveryKit makes a kit, loses the key file, scans the kit's QR code and
// opens the vault with what the scanner says, as it says it and as people type.
func TestRecoveryKit(t *testing.T) {
	for program, pkg := range map[string]string{"zbarimg": "zbar-tools", "rsvg-convert": "librsvg2-bin"} {
		if _, err := exec.LookPath(program); err != nil {
			leftOut(t, program+" is not installed (package "+pkg+")")
		}
	}
	bin, u := buildPrograms(t), newUser(t)
	u.must(bin, "add", "JBSWY3DPEHPK3PXP", "github")
	page := filepath.Join(u.b.work, "kit.html")
	u.must(bin, "key", "add", "recovery", "--kit", page)
	if info, err := os.Stat(page); err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("the kit: %v, %v", info, err)
	}
	code := scan(t, page)

	for _, path := range u.b.profiles() {
		if err := os.Remove(filepath.Join(path, "vault.key")); err != nil {
			t.Fatal(err)
		}
	}
	for _, typed := range []string{code, strings.ToLower(code), strings.ReplaceAll(code, "-", ""), strings.ReplaceAll(code, "-", " ") + " "} {
		u.must(bin, "lock")
		if out, exit := u.run(bin, "code", "github"); exit != 5 {
			t.Fatalf("locked, and yet: %s", out)
		}
		pass := filepath.Join(u.b.work, "pass")
		if err := os.WriteFile(pass, []byte(typed+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(filepath.Join(bin, "o2fa"), "unlock")
		cmd.Env = append(u.environ(), "O2FA_PASSPHRASE_FILE="+pass)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("unlocking: %v\n%s", err, out)
		}
		u.must(bin, "code", "github")
	}
}

// TestKitFollowsNoLink: a kit is never written through a link that somebody put
// in its place.
func TestKitFollowsNoLink(t *testing.T) {
	bin, u := buildPrograms(t), newUser(t)
	u.must(bin, "add", "JBSWY3DPEHPK3PXP", "github")
	link, target := filepath.Join(u.b.work, "kit.txt"), filepath.Join(u.b.work, "elsewhere")
	if err := os.Symlink(target, link); err != nil {
		t.Fatal(err)
	}
	if out, exit := u.run(bin, "key", "add", "recovery", "--kit", link); exit != 1 || !strings.Contains(out, "is there already") {
		t.Errorf("exit code %d: %s", exit, out)
	}
	if _, err := os.Lstat(target); err == nil {
		t.Error("the kit went through the link")
	}
	if out := u.must(bin, "key", "list"); strings.Contains(out, "\nrecovery ") {
		t.Errorf("a slot was made whose code nobody has:\n%s", out)
	}
}

// TestKitOnAFullDisk: a page that cannot be written leaves the code on the
// screen, as its slot is there.
func TestKitOnAFullDisk(t *testing.T) {
	bin, u := buildPrograms(t), newUser(t)
	u.must(bin, "add", "JBSWY3DPEHPK3PXP", "github")
	page := filepath.Join(u.b.work, "kit.html")
	cmd := exec.Command("sh", "-c", `ulimit -f 0; exec "$0" key add recovery --kit "$1" 2>&1 | cat`, filepath.Join(bin, "o2fa"), page)
	cmd.Env = u.environ()
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "Recovery code: ") || !strings.Contains(string(out), "writing the recovery kit, whose code stands above") {
		t.Errorf("%v: %s", err, out)
	}
	if _, err := os.Lstat(page); err == nil {
		t.Error("half a kit is left")
	}
}

// scan renders the QR code of a kit and reads it.
func scan(t *testing.T, page string) string {
	t.Helper()
	html, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	in, out := filepath.Join(dir, "qr.svg"), filepath.Join(dir, "qr.png")
	if err := os.WriteFile(in, regexp.MustCompile(`(?s)<svg.*</svg>`).Find(html), 0o600); err != nil {
		t.Fatal(err)
	}
	if text, err := exec.Command("rsvg-convert", "-w", "250", "-o", out, in).CombinedOutput(); err != nil {
		t.Fatalf("rendering: %v\n%s", err, text)
	}
	text, err := exec.Command("zbarimg", "--quiet", "--raw", out).Output()
	if err != nil {
		t.Fatalf("reading the QR code: %v", err)
	}
	return strings.TrimSpace(string(text))
}
