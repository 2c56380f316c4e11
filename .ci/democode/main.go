// Command democode prints the code of the SHA-1 secret of RFC 6238 for the
// present step, computed by package totp alone. The demonstration compares the
// daemon's code with it.
package main

import (
	"fmt"
	"os"
	"time"

	"github.com/o2fa/o2fa/totp"
)

func main() {
	key, err := totp.NewKey([]byte("12345678901234567890"), totp.Options{})
	if err != nil {
		fmt.Fprintln(os.Stderr, "democode:", err)
		os.Exit(1)
	}
	fmt.Println(key.Code(time.Now()))
}
