// Package kit owns the recovery kit: the one page, as HTML or as text, on which
// a person prints a recovery code. It knows what stands on that page and how it
// looks; where the code comes from and where the page goes is its callers'.
package kit

import (
	_ "embed"
	"html"
	"strings"
	"time"

	"github.com/o2fa/o2fa/internal/command"
	"github.com/o2fa/o2fa/internal/qr"
)

// Kit is what one page says.
type Kit struct {
	Code  string // the recovery code in its groups
	Slot  string // id of its key slot
	Vault string // id of the vault
	Path  string // of vault.db
	Host  string // name of the machine
	Made  time.Time
}

//go:embed kit.html
var pageHTML string

//go:embed kit.txt
var pageText string

// dateForm is read alike everywhere.
const dateForm = "2 January 2006"

// QR returns the code as a QR code, which may be folded and stained.
func QR(code string) (qr.Code, error) { return qr.Encode(code, qr.Quartile) }

// HTML returns the page as one file of HTML without script, and without anything
// from elsewhere.
func (k Kit) HTML() (string, error) {
	picture, err := QR(k.Code)
	if err != nil {
		return "", err
	}
	var groups strings.Builder
	for i, group := range strings.Split(k.Code, "-") {
		if i > 0 {
			groups.WriteString("-<wbr>")
		}
		groups.WriteString("<span>" + html.EscapeString(group) + "</span>")
	}
	return k.fill(pageHTML, func(text string) string { return html.EscapeString(command.Escape(text)) },
		"{{code}}", groups.String(), "{{qr}}", picture.SVG("The recovery code as a QR code")), nil
}

// Text returns the page in lines of 80 columns. look says how the QR code is
// drawn; where it cannot be, the page says that instead.
func (k Kit) Text(look qr.Look) (string, error) {
	picture, err := QR(k.Code)
	if err != nil {
		return "", err
	}
	drawn := noPicture
	if look != qr.None {
		drawn = center(picture.Text(look), picture.Columns(look))
	}
	return k.fill(pageText, fold, "{{code}}", k.Code, "{{qr}}", drawn), nil
}

const noPicture = "(A QR code cannot be drawn in this character set; a kit in HTML has one.)"

// center moves lines of a width to the middle of the page.
func center(drawn string, width int) string {
	margin := strings.Repeat(" ", max(0, columns-width)/2)
	var b strings.Builder
	for line := range strings.Lines(drawn) {
		b.WriteString(strings.TrimRight(margin+line, " \n") + "\n")
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// fill puts the values into a page. Each goes in once: what looks like a
// placeholder in one is text.
func (k Kit) fill(page string, escape func(string) string, more ...string) string {
	return strings.NewReplacer(append(more, "{{vault}}", escape(k.Vault), "{{slot}}", escape(k.Slot), "{{path}}", escape(k.Path),
		"{{host}}", escape(k.Host), "{{date}}", k.Made.Format(dateForm))...).Replace(page)
}

// The text page.
const (
	columns = 80
	indent  = 18 // of values beside their names
)

// fold breaks a value that is too long for its line.
func fold(text string) string {
	var lines []string
	for rest := command.Escape(text); rest != ""; {
		line := rest
		for command.Width(line) > columns-indent {
			runes := []rune(line)
			line = string(runes[:len(runes)-1])
		}
		lines, rest = append(lines, line), rest[len(line):]
	}
	return strings.Join(lines, "\n"+strings.Repeat(" ", indent))
}
