package cli

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/o2fa/o2fa/client/kit"
	"github.com/o2fa/o2fa/internal/atomicfile"
	"github.com/o2fa/o2fa/internal/command"
	"github.com/o2fa/o2fa/internal/qr"
	"github.com/o2fa/o2fa/internal/secret"
	"github.com/o2fa/o2fa/ipc"
)

// recoveryFlags say where a new recovery code goes beside the terminal.
func recoveryFlags() []command.Flag {
	return []command.Flag{
		{Name: "kit", Value: "FILE", Default: "", Usage: "put the recovery code on a page: .html, .txt or -"},
		qrFlag,
	}
}

// stdoutKit is the FILE that means standard output.
const stdoutKit = "-"

// handout is how a new recovery code comes to its owner: in words on the
// terminal, or on the page of a kit.
type handout struct {
	inv  *command.Invocation
	path string   // of the page; stdoutKit, or none
	file *os.File // the page, empty, until it is written
}

// newHandout reads the flags, of a command that has them. code says whether there
// will be a code at all.
func newHandout(inv *command.Invocation, code bool) (*handout, error) {
	h := &handout{inv: inv, path: inv.String("kit")}
	again := inv.Path + " recovery --kit recovery.html"
	if inv.Command.Name() == "init" {
		again = inv.Path + " --kit recovery.html"
	}
	kind := strings.ToLower(filepath.Ext(h.path))
	switch {
	case !code && (h.path != "" || inv.Bool("qr")):
		return nil, command.Usage(again, "--kit and --qr are for a recovery code")
	case inv.JSON() && (h.path == stdoutKit || inv.Bool("qr")):
		return nil, command.Usage(again, "standard output is for JSON alone")
	case h.path != "" && h.path != stdoutKit && kind != ".html" && kind != ".htm" && kind != ".txt":
		return nil, command.Usage(again, "a kit is a file in .html or .txt")
	}
	return h, nil
}

// open makes the file of the page, before there is a code that it must hold.
func (h *handout) open() error {
	if h.path == "" || h.path == stdoutKit {
		return nil
	}
	file, err := secret.CreateFile(h.path)
	if errors.Is(err, fs.ErrExist) {
		return &command.Failure{Exit: command.ExitOther, Err: fmt.Errorf("%s is there already: a recovery kit replaces nothing", h.path),
			Hint: "give --kit the name of a new file"}
	}
	if err != nil {
		return fmt.Errorf("making the recovery kit: %w", err)
	}
	h.file = file
	return nil
}

// discard removes a page that was not written: there is no code.
func (h *handout) discard() {
	if h.file != nil {
		h.file.Close()
		_ = os.Remove(h.path) // ours, and of no use
		h.file = nil
	}
}

// write writes the page. If it cannot, the page is gone, and show prints the code.
func (h *handout) write(k kit.Kit) error {
	if h.path == "" {
		return nil
	}
	text, err := h.page(k)
	if err == nil && h.file == nil {
		h.inv.Printf("%s", text)
		return nil
	}
	if err == nil {
		_, err = io.WriteString(h.file, text)
	}
	if err == nil {
		err = h.file.Sync()
	}
	if err == nil {
		err = h.file.Close()
	}
	if err == nil {
		h.file = nil
		err = atomicfile.SyncDir(filepath.Dir(h.path))
	}
	if err != nil {
		h.discard()
		h.path = ""
		return fmt.Errorf("writing the recovery kit, whose code stands above: %w", err)
	}
	return nil
}

// page returns the kit in the form that its file has.
func (h *handout) page(k kit.Kit) (string, error) {
	if strings.HasPrefix(strings.ToLower(filepath.Ext(h.path)), ".htm") {
		return k.HTML()
	}
	look := qr.None
	if h.inv.Unicode() {
		look = qr.Paper
	}
	if h.path == stdoutKit && command.IsTerminal(h.inv.Out) {
		look = screenLook(h.inv.Stdio)
	}
	return k.Text(look)
}

// show tells a person the code, or where it is.
func (h *handout) show(code string) {
	switch h.path {
	case stdoutKit:
		return
	case "":
		h.inv.Printf("\nRecovery code: %s\n\n", command.Escape(code))
		h.picture(code)
		h.inv.Printf("Write it on paper and keep it away from this machine: it opens the vault when\n")
		h.inv.Printf("nothing else does. It is shown this once. To use it: o2fa unlock\n\n")
	default:
		h.picture(code)
		h.inv.Printf("Wrote the recovery kit: %s\n", command.Escape(h.path))
		h.inv.Printf("Print it, then delete the file: the code in it opens the vault.\n")
	}
}

func (h *handout) picture(code string) {
	if !h.inv.Bool("qr") {
		return
	}
	picture, err := kit.QR(code)
	if err != nil {
		h.inv.Warn(err.Error(), "")
		return
	}
	showQR(h.inv, picture, "o2fa key change recovery --kit recovery.html")
}

// say prints a result, beside a page that has standard output for itself.
func (h *handout) say(format string, args ...any) {
	if h.path == stdoutKit {
		fmt.Fprintf(h.inv.Err, format, args...)
		return
	}
	h.inv.Printf(format, args...)
}

// kitOf returns the page of a slot's code.
func kitOf(code, slot string, v ipc.VaultStatus) kit.Kit {
	host, _ := os.Hostname() // a line of the page stays empty
	return kit.Kit{Code: code, Slot: slot, Vault: v.ID, Path: v.Path, Host: host, Made: time.Now()}
}
