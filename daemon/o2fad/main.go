// An idle daemon would wake up every minute to see whether it may use more CPUs.
//
//go:debug updatemaxprocs=0

// Command o2fad is the daemon of o2fa.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/o2fa/o2fa/daemon/cli"
	"github.com/o2fa/o2fa/internal/command"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := cli.Run(ctx, os.Args[1:], command.Stdio{In: os.Stdin, Out: os.Stdout, Err: os.Stderr, Getenv: os.Getenv,
		Process: &command.Process{Args: os.Args, Environ: os.Environ, Unsetenv: os.Unsetenv, Stop: stop}})
	stop()
	os.Exit(code)
}
