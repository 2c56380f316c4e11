// Package qr owns QR codes: it turns a text into a square of dark and light
// modules and draws that for a terminal, as SVG or as an image. It knows nothing of
// what the text means, and it is the only importer of rsc.io/qr.
package qr

import (
	"errors"
	"fmt"

	"rsc.io/qr/coding"
)

// Quiet is the width in modules of the light border that a reader needs around a
// code (ISO/IEC 18004 §6.3.8). Every drawing of this package has it.
const Quiet = 4

// Level says how much of a code may be covered or torn while it still reads.
type Level int

// The levels of ISO/IEC 18004.
const (
	Low      Level = iota // 7 %
	Medium                // 15 %: for screens
	Quartile              // 25 %: for paper, which is folded and stained
	High                  // 30 %
)

// What Encode does not take.
var (
	ErrEmpty   = errors.New("there is nothing to encode")
	ErrTooLong = errors.New("text is too long for a QR code")
)

// Code is a QR code. The zero value is none.
type Code struct{ grid *coding.Code }

// Encode returns the smallest code that holds text at that level. Any bytes will
// do; digits, and upper-case ASCII letters with digits, space and $%*+-./: take
// less room. A code holds at most 2,953 bytes, at High 1,273. The error is
// ErrEmpty or ErrTooLong and repeats nothing of text.
func Encode(text string, level Level) (Code, error) {
	if text == "" {
		return Code{}, ErrEmpty
	}
	data := encoding(text)
	version, ok := smallest(data, coding.Level(level))
	if !ok {
		return Code{}, fmt.Errorf("%w: %d bytes", ErrTooLong, len(text))
	}
	var best *coding.Code
	least := 0
	for mask := range coding.Mask(8) {
		plan, err := coding.NewPlan(version, coding.Level(level), mask)
		if err != nil {
			return Code{}, fmt.Errorf("planning a QR code: %w", err)
		}
		grid, err := plan.Encode(data)
		if err != nil {
			// Its own text quotes what was to be encoded.
			return Code{}, errors.New("encoding a QR code: the text does not fit its encoding")
		}
		if p := penalty(grid); best == nil || p < least {
			best, least = grid, p
		}
	}
	return Code{best}, nil
}

// encoding returns the mode that takes the least room for text.
func encoding(text string) coding.Encoding {
	if digits := coding.Num(text); digits.Check() == nil {
		return digits
	}
	if letters := coding.Alpha(text); letters.Check() == nil {
		return letters
	}
	return coding.String(text)
}

func smallest(data coding.Encoding, level coding.Level) (coding.Version, bool) {
	for v := coding.Version(coding.MinVersion); v <= coding.MaxVersion; v++ {
		if data.Bits(v) <= v.DataBytes(level)*8 {
			return v, true
		}
	}
	return 0, false
}

// Size returns the modules on a side, without the quiet zone: 21 to 177.
func (c Code) Size() int { return c.grid.Size }

// Dark says whether the module in column x and row y is dark. Outside of the
// code everything is light.
func (c Code) Dark(x, y int) bool { return c.grid.Black(x, y) }

// rows calls draw for each row of modules, the quiet zone included: y counts from
// -Quiet, and runs holds where dark modules begin and how many they are.
func (c Code) rows(draw func(y int, runs [][2]int)) {
	for y := -Quiet; y < c.Size()+Quiet; y++ {
		var runs [][2]int
		for x := 0; x < c.Size(); x++ {
			switch last := len(runs) - 1; {
			case !c.Dark(x, y):
			case c.Dark(x-1, y):
				runs[last][1]++
			default:
				runs = append(runs, [2]int{x, 1})
			}
		}
		draw(y, runs)
	}
}
