// Command pages writes the manual and the completion scripts of o2fa into a
// directory, its argument, for packages. SOURCE_DATE_EPOCH is the date of pages.
package main

import (
	"log"
	"os"

	"github.com/o2fa/o2fa"
	client "github.com/o2fa/o2fa/client/cli"
	daemon "github.com/o2fa/o2fa/daemon/cli"
	"github.com/o2fa/o2fa/internal/command"
)

func main() {
	date, err := command.ReleaseDate(os.Getenv("SOURCE_DATE_EPOCH"))
	if err == nil {
		manual := command.Manual{Release: o2fa.Version(), Date: date}
		err = manual.WritePages(os.Args[1], client.Commands(), daemon.Commands())
	}
	if err != nil {
		log.Fatal(err)
	}
}
