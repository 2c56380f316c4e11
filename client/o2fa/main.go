// Command o2fa shows two-factor codes: it asks the daemon for them.
package main

import (
	"context"
	"os"

	"github.com/o2fa/o2fa/client/cli"
	"github.com/o2fa/o2fa/internal/command"
)

func main() {
	// No signal handler: Ctrl-C ends the process as the system does it, and
	// installing one would cost a tenth of the time of "o2fa code".
	os.Exit(cli.Run(context.Background(), os.Args[1:],
		command.Stdio{In: os.Stdin, Out: os.Stdout, Err: os.Stderr, Getenv: os.Getenv}))
}
