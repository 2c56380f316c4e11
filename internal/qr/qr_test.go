package qr_test

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/o2fa/o2fa/internal/qr"
)

// reader is a program that reads codes and was written by others.
const reader = "zbarimg"

// needs skips a test for want of a program; where skips are failures it fails.
func needs(t testing.TB, program, pkg string) {
	t.Helper()
	if _, err := exec.LookPath(program); err == nil {
		return
	}
	if os.Getenv("O2FA_TEST_STRICT") == "1" {
		t.Fatalf("%s is not installed (package %s)", program, pkg)
	}
	t.Skipf("%s is not installed (package %s)", program, pkg)
}

// read returns what the reader finds in image files, a line for each code.
func read(t testing.TB, files ...string) []string {
	t.Helper()
	out, err := exec.Command(reader, append([]string{"--quiet", "--raw", "-Sdisable", "-Sqrcode.enable"}, files...)...).Output()
	if err != nil && len(out) == 0 {
		return nil // it found none
	}
	return strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
}

func writePNG(t testing.TB, c qr.Code, path string) {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, c.Image(4)); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestReadsBack encodes texts of each mode, level and many sizes, and has them
// read from PNG.
func TestReadsBack(t *testing.T) {
	needs(t, reader, "zbar-tools")
	const seed = 1
	random := rand.New(rand.NewPCG(seed, 0))
	alphabets := []string{"0123456789", "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:", "abcdefghijklmnopqrstuvwxyz?&=%~@ABC019"}
	var files, want []string
	sizes := map[int]bool{}
	dir := t.TempDir()
	for _, alphabet := range alphabets {
		for level := qr.Low; level <= qr.High; level++ {
			for _, length := range []int{1, 7, 31, 32, 90, 250, 600, 1200} {
				text := make([]byte, length)
				for i := range text {
					text[i] = alphabet[random.IntN(len(alphabet))]
				}
				code, err := qr.Encode(string(text), level)
				if err != nil {
					t.Fatalf("%d characters at level %d: %v", length, level, err)
				}
				sizes[code.Size()] = true
				files = append(files, filepath.Join(dir, fmt.Sprintf("%d.png", len(files))))
				want = append(want, string(text))
				writePNG(t, code, files[len(files)-1])
			}
		}
	}
	got := read(t, files...)
	if len(got) != len(want) {
		t.Fatalf("seed %d: %d codes of %d were read", seed, len(got), len(want))
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("seed %d: %q was read as %q", seed, want[i], got[i])
		}
	}
	if len(sizes) < 20 {
		t.Errorf("only %d sizes were tried", len(sizes))
	}
}

// TestAnyBytes: what is no text comes back as it is, too.
func TestAnyBytes(t *testing.T) {
	needs(t, reader, "zbar-tools")
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	code, err := qr.Encode(string(all), qr.Medium)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "all.png")
	writePNG(t, code, path)
	out, err := exec.Command(reader, "--quiet", "--raw", "--oneshot", "-Sbinary", path).Output()
	if err != nil || !bytes.Equal(out, all) {
		t.Errorf("read %x, %v", out, err)
	}
}

// TestBounds: the longest texts of the standard fit, and one byte more does not.
func TestBounds(t *testing.T) {
	for level, most := range []int{2953, 2331, 1663, 1273} {
		text := strings.Repeat("x", most)
		if code, err := qr.Encode(text, qr.Level(level)); err != nil || code.Size() != 177 {
			t.Errorf("level %d: %d bytes: %v", level, most, err)
		}
		_, err := qr.Encode(text+"SECRET", qr.Level(level))
		if !errors.Is(err, qr.ErrTooLong) || strings.Contains(err.Error(), "SECRET") {
			t.Errorf("level %d: more: %v", level, err)
		}
	}
	if _, err := qr.Encode("", qr.Low); !errors.Is(err, qr.ErrEmpty) {
		t.Errorf("nothing: %v", err)
	}
}

// TestSVG has the drawing rendered and read.
func TestSVG(t *testing.T) {
	needs(t, reader, "zbar-tools")
	needs(t, "rsvg-convert", "librsvg2-bin")
	code, err := qr.Encode("otpauth://totp/a?secret=JBSWY3DPEHPK3PXP", qr.Quartile)
	if err != nil {
		t.Fatal(err)
	}
	svg := code.SVG(`a <label> & "more"`)
	dir := t.TempDir()
	in, out := filepath.Join(dir, "a.svg"), filepath.Join(dir, "a.png")
	if err := os.WriteFile(in, []byte(svg), 0o600); err != nil {
		t.Fatal(err)
	}
	if text, err := exec.Command("rsvg-convert", "-w", "300", "-o", out, in).CombinedOutput(); err != nil {
		t.Fatalf("rendering: %v\n%s", err, text)
	}
	if got := read(t, out); len(got) != 1 || got[0] != "otpauth://totp/a?secret=JBSWY3DPEHPK3PXP" {
		t.Errorf("read %q", got)
	}
}

// TestQuietZone: every drawing has a light border of four modules, and what it
// draws is the code.
func TestQuietZone(t *testing.T) {
	code, err := qr.Encode("ABCDE", qr.Quartile)
	if err != nil {
		t.Fatal(err)
	}
	img := code.Image(1)
	side := code.Size() + 2*qr.Quiet
	if img.Bounds() != image.Rect(0, 0, side, side) {
		t.Fatalf("bounds %v, size %d", img.Bounds(), code.Size())
	}
	for y := range side {
		for x := range side {
			dark := code.Dark(x-qr.Quiet, y-qr.Quiet)
			if got := img.At(x, y) == color.Black; got != dark {
				t.Fatalf("image at %d, %d: dark is %v", x, y, got)
			}
			if outside := x < qr.Quiet || y < qr.Quiet || x >= side-qr.Quiet || y >= side-qr.Quiet; outside && dark {
				t.Fatalf("dark at %d, %d", x, y)
			}
		}
	}
}

// TestText: half blocks say the same as modules, and colours end with their line.
func TestText(t *testing.T) {
	code, err := qr.Encode("ABCDE", qr.Quartile)
	if err != nil {
		t.Fatal(err)
	}
	for _, look := range []qr.Look{qr.Dark, qr.Paper} {
		for i, line := range strings.Split(strings.TrimSuffix(code.Text(look), "\n"), "\n") {
			if n := utf8.RuneCountInString(line); n != code.Columns(look) {
				t.Fatalf("look %d: line %d has %d columns, not %d", look, i, n, code.Columns(look))
			}
			for x, r := range []rune(line) {
				top, below := code.Dark(x-qr.Quiet, 2*i-qr.Quiet), code.Dark(x-qr.Quiet, 2*i+1-qr.Quiet)
				if look == qr.Dark {
					top, below = !top, !below
				}
				want := map[[2]bool]rune{{true, true}: '█', {true, false}: '▀', {false, true}: '▄', {false, false}: ' '}[[2]bool{top, below}]
				if r != want {
					t.Fatalf("look %d: line %d, column %d is %c, not %c", look, i, x, r, want)
				}
			}
		}
	}
	for _, look := range []qr.Look{qr.Blocks, qr.Blanks} {
		for line := range strings.Lines(code.Text(look)) {
			if !strings.HasPrefix(line, "\x1b[38;5;16;48;5;231m") || !strings.HasSuffix(line, "\x1b[0m\n") {
				t.Fatalf("a line begins or ends in the colours of another: %q", line)
			}
			bare := regexp.MustCompile(`\x1b\[[0-9;]*m`).ReplaceAllString(strings.TrimSuffix(line, "\n"), "")
			if n := utf8.RuneCountInString(bare); n != code.Columns(look) || look == qr.Blanks && strings.Trim(bare, " ") != "" {
				t.Fatalf("look %d: %q", look, bare)
			}
		}
	}
	if got := code.Text(qr.None); got != "" {
		t.Errorf("drawn where nothing can be: %q", got)
	}
}

// FuzzEncode: any text gives a code, or an error that does not repeat it.
func FuzzEncode(f *testing.F) {
	for _, seed := range []string{"0", "01234567", "AC-42", "https://example.com/?q=1", "\x00\xff", "日本語", strings.Repeat("7", 8000)} {
		f.Add(seed, 1)
	}
	f.Fuzz(func(t *testing.T, text string, level int) {
		code, err := qr.Encode(text, qr.Level(uint(level)%4))
		if err != nil {
			if len(text) > 8 && strings.Contains(err.Error(), text) {
				t.Errorf("the error repeats the text: %v", err)
			}
			return
		}
		if n := code.Size(); n < 21 || n > 177 || (n-17)%4 != 0 {
			t.Errorf("size %d", n)
		}
	})
}
