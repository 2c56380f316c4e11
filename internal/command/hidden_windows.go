package command

import (
	"os"

	"golang.org/x/term"
)

// readHidden reads a line that the console does not show.
func readHidden(console *os.File) ([]byte, error) { return term.ReadPassword(int(console.Fd())) }
