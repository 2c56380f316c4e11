// Command baseline is the least that a client written in Go must do for a code:
// connect to the daemon's socket, send the request that o2fa sends, copy the
// reply's body to stdout. It checks nothing, starts nothing and explains
// nothing; what o2fa costs beyond it is the price of that.
//
//	baseline SOCKET NAME
package main

import (
	"bytes"
	"io"
	"net"
	"net/url"
	"os"
)

func main() {
	conn, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: os.Args[1], Net: "unix"})
	if err != nil {
		os.Exit(1)
	}
	request := "POST /v1/code?name=" + url.QueryEscape(os.Args[2]) + " HTTP/1.0\r\nHost: o2fa\r\nO2fa-Api: 1\r\n" +
		"Accept: text/plain\r\nContent-Length: 0\r\n\r\n"
	if _, err := conn.Write([]byte(request)); err != nil {
		os.Exit(1)
	}
	reply, err := io.ReadAll(conn)
	_, body, found := bytes.Cut(reply, []byte("\r\n\r\n"))
	if err != nil || !found || !bytes.HasPrefix(reply, []byte("HTTP/1.0 200 ")) {
		os.Exit(1)
	}
	os.Stdout.Write(body)
}
