package cli

import (
	"fmt"

	"github.com/o2fa/o2fa/internal/command"
	"github.com/o2fa/o2fa/internal/qr"
)

var qrFlag = command.Flag{Name: "qr", Default: false, Usage: "show the recovery code as a QR code, too"}

// screenLook returns how a QR code can be drawn where Out shows it.
func screenLook(s command.Stdio) qr.Look {
	colours := s.Colours() && s.MovesCursor()
	switch {
	case colours && s.Unicode():
		return qr.Blocks
	case colours:
		return qr.Blanks
	case s.Unicode():
		return qr.Dark
	}
	return qr.None
}

// showQR prints a QR code, or says why it cannot; instead is what to type then.
func showQR(inv *command.Invocation, code qr.Code, instead string) {
	look := screenLook(inv.Stdio)
	if look == qr.None {
		inv.Warn("a QR code needs colours or a locale with UTF-8", instead)
		return
	}
	width, _ := inv.Size()
	if need := code.Columns(look); command.IsTerminal(inv.Out) && need > width {
		inv.Warn(fmt.Sprintf("the QR code is %d columns wide, and the terminal %d", need, width), instead)
		return
	}
	inv.Printf("%s\n", code.Text(look))
	if look == qr.Dark {
		inv.Note("Drawn without colours: it reads on a dark ground only.")
	}
}
