package qr

import (
	"fmt"
	"html"
	"image"
	"image/color"
	"strings"
)

// Look says how a code is drawn in characters.
type Look int

// The ways to draw. Half blocks need Unicode: two rows of modules are a line, and a
// module is a column. In Blanks a module is two columns of a line.
const (
	None   Look = iota // not at all: what is left without colours and Unicode, no reader takes
	Blocks             // half blocks, black on white by colours, whatever those of the terminal are
	Blanks             // blanks, in the same colours: for terminals without Unicode
	Dark               // half blocks without colours, light modules drawn: for light text on dark ground
	Paper              // half blocks without colours, dark modules drawn, as ink does
)

// Columns returns how wide the code is when it is drawn so.
func (c Code) Columns(look Look) int {
	modules := c.Size() + 2*Quiet
	if look == Blanks {
		return 2 * modules
	}
	return modules
}

// Sequences of the 256-colour palette, whose black and white no theme changes.
const (
	onWhite = "\x1b[38;5;16;48;5;231m"
	onBlack = "\x1b[38;5;231;48;5;16m"
	plain   = "\x1b[0m"
)

// Text draws the code in characters, with a newline after each line.
func (c Code) Text(look Look) string {
	if look == None {
		return ""
	}
	step, coloured := 2, look == Blocks || look == Blanks
	if look == Blanks {
		step = 1
	}
	var b strings.Builder
	for y := -Quiet; y < c.Size()+Quiet; y += step {
		ground := ""
		for x := -Quiet; x < c.Size()+Quiet; x++ {
			top, below := c.Dark(x, y), c.Dark(x, y+step-1)
			if want := groundOf(top || below); coloured && ground != want {
				b.WriteString(want)
				ground = want
			}
			b.WriteString(look.cell(top, below))
		}
		if coloured {
			b.WriteString(plain)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// groundOf returns the colours of a cell. One that is light all over gets a white
// ground, since a full block leaves gaps where lines stand apart. In the others the
// light half is drawn: where blocks do not quite meet, fine dark lines in the light
// disturb readers less than light ones in the dark.
func groundOf(dark bool) string {
	if dark {
		return onBlack
	}
	return onWhite
}

// cell returns the characters of one cell; top and below are whether its modules
// are dark.
func (l Look) cell(top, below bool) string {
	switch {
	case l == Blanks:
		return "  " // the ground does it
	case l == Blocks && top == below:
		return " "
	case l != Paper:
		top, below = !top, !below
	}
	i := 0
	if top {
		i++
	}
	if below {
		i += 2
	}
	return [...]string{" ", "▀", "▄", "█"}[i]
}

// SVG returns the code as an SVG element of its own, black on white, one unit a
// module: it scales to the size that its surroundings give it. label is what it
// is called for those who cannot see it.
func (c Code) SVG(label string) string {
	var path strings.Builder
	c.rows(func(y int, runs [][2]int) {
		for _, run := range runs {
			fmt.Fprintf(&path, "M%d %dh%dv1h-%dz", run[0]+Quiet, y+Quiet, run[1], run[1])
		}
	})
	side := c.Size() + 2*Quiet
	return fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" role="img" aria-label="%s" shape-rendering="crispEdges">`+
		`<path fill="#fff" d="M0 0h%dv%dh-%dz"/><path d="%s"/></svg>`, side, side, html.EscapeString(label), side, side, side, path.String())
}

// Image returns the code as an image of two colours in which a module is scale
// pixels wide, 1 at least. It is for image/png, which this package does not link:
// a command line that draws no images would pay for it at each start.
func (c Code) Image(scale int) *image.Paletted {
	scale = max(scale, 1)
	side := (c.Size() + 2*Quiet) * scale
	img := image.NewPaletted(image.Rect(0, 0, side, side), color.Palette{color.White, color.Black})
	for i := range img.Pix {
		if c.Dark(i%side/scale-Quiet, i/side/scale-Quiet) {
			img.Pix[i] = 1
		}
	}
	return img
}
