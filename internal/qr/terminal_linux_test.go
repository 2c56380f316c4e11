package qr_test

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"image"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/o2fa/o2fa/internal/qr"
)

// patience is how long a terminal may take to show what it was told.
const patience = 20 * time.Second

// TestTerminal shows codes in a real terminal, on dark and on light ground, and
// has its picture read as a camera would.
func TestTerminal(t *testing.T) {
	needs(t, reader, "zbar-tools")
	needs(t, "Xvfb", "xvfb")
	needs(t, "xterm", "xterm")
	const text = "7K3QM-9XZ2A-B4CDE-FGHJK-MNPQR-T*"
	code, err := qr.Encode(text, qr.Quartile)
	if err != nil {
		t.Fatal(err)
	}
	screen := newScreen(t)
	dark, light := [2]string{"black", "grey80"}, [2]string{"lightyellow", "black"}
	for _, c := range []struct {
		name    string
		look    qr.Look
		colours [2]string
	}{
		{"colours on dark", qr.Blocks, dark},
		{"colours on light", qr.Blocks, light},
		{"colours without Unicode on dark", qr.Blanks, dark},
		{"colours without Unicode on light", qr.Blanks, light},
		{"no colours on dark", qr.Dark, dark},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := screen.show(t, code.Text(c.look), c.colours); got != text {
				t.Errorf("read %q", got)
			}
		})
	}
}

// screen is an X server that draws into a file.
type screen struct{ display, picture string }

// newScreen starts an X server that ends with the test.
func newScreen(t *testing.T) screen {
	t.Helper()
	dir := t.TempDir()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	server := exec.Command("Xvfb", "-displayfd", "3", "-screen", "0", "1200x900x24", "-fbdir", dir, "-nolisten", "tcp")
	server.ExtraFiles = []*os.File{w}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	w.Close()
	t.Cleanup(func() { end(server) })
	if err := r.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	number, err := bufio.NewReader(r).ReadString('\n')
	if err != nil {
		t.Fatalf("starting Xvfb: %v", err)
	}
	return screen{":" + strings.TrimSpace(number), filepath.Join(dir, "Xvfb_screen0")}
}

func end(cmd *exec.Cmd) {
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
}

// show prints text in a terminal with that ground and foreground until a code can
// be read off the screen, and returns what it says.
func (s screen) show(t *testing.T, text string, colours [2]string) string {
	t.Helper()
	dir := t.TempDir()
	file, picture := filepath.Join(dir, "text"), filepath.Join(dir, "screen.png")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	term := exec.Command("xterm", "-u8", "-fa", "DejaVu Sans Mono", "-fs", "12", "-geometry", "90x45", "-bg", colours[0], "-fg", colours[1],
		"-e", "sh", "-c", `cat "$0"; read -r _`, file)
	term.Env = append(os.Environ(), "DISPLAY="+s.display, "LC_ALL=C.UTF-8")
	if err := term.Start(); err != nil {
		t.Fatal(err)
	}
	defer end(term)
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); <-time.After(20 * time.Millisecond) {
		if err := s.save(picture); err != nil {
			t.Fatal(err)
		}
		if got := read(t, picture); len(got) > 0 {
			return got[0]
		}
	}
	return ""
}

// save writes what the server shows as PNG. The server's own file is in the
// format of xwd: a header of 32-bit numbers, a list of colours, the pixels.
func (s screen) save(path string) error {
	data, err := os.ReadFile(s.picture)
	if err != nil {
		return err
	}
	field := func(i int) int { return int(binary.BigEndian.Uint32(data[4*i:])) }
	width, height, stride := field(4), field(5), field(12)
	pixels := data[field(0)+12*field(19):]
	if bits := field(11); bits != 32 || len(pixels) < stride*height {
		return fmt.Errorf("a picture of %d by %d, %d bits a pixel", width, height, bits)
	}
	// Each pixel of the result is the mean of a square, as a camera sees it.
	const square = 3
	img := image.NewGray(image.Rect(0, 0, width/square, height/square))
	for i := range img.Pix {
		sum := 0
		for j := range square * square {
			x, y := i%(width/square)*square+j%square, i/(width/square)*square+j/square
			for _, colour := range pixels[y*stride+4*x:][:3] {
				sum += int(colour)
			}
		}
		img.Pix[i] = uint8(sum / (3 * square * square))
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	return png.Encode(f, img)
}
