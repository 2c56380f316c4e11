// Command echo is the least that a server with net/http must do for a reply:
// every request to its socket gets the same body, until SIGTERM.
//
//	echo SOCKET BODY TYPE
package main

import (
	"net"
	"net/http"
	"os"
	"strconv"
)

func main() {
	listener, err := net.Listen("unix", os.Args[1])
	if err != nil {
		os.Exit(1)
	}
	body, kind, length := []byte(os.Args[2]), os.Args[3], strconv.Itoa(len(os.Args[2]))
	_ = http.Serve(listener, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", kind)
		w.Header().Set("Content-Length", length)
		_, _ = w.Write(body)
	}))
}
