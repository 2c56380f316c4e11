//go:build unix

// Command bare is the baseline without package net: plain system calls that
// block. No client written in Go can do with less.
//
//	bare SOCKET NAME
package main

import (
	"bytes"
	"os"
	"syscall"
)

func main() {
	fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err == nil {
		err = syscall.Connect(fd, &syscall.SockaddrUnix{Name: os.Args[1]})
	}
	if err == nil {
		_, err = syscall.Write(fd, []byte("POST /v1/code?name="+os.Args[2]+" HTTP/1.0\r\nHost: o2fa\r\nO2fa-Api: 1\r\n"+
			"Accept: text/plain\r\nContent-Length: 0\r\n\r\n"))
	}
	var buf [4096]byte
	reply := buf[:0]
	for n := 1; err == nil && n > 0; {
		n, err = syscall.Read(fd, buf[len(reply):])
		reply = buf[:len(reply)+max(n, 0)]
	}
	_, body, found := bytes.Cut(reply, []byte("\r\n\r\n"))
	if err != nil || !found || !bytes.HasPrefix(reply, []byte("HTTP/1.0 200 ")) {
		os.Exit(1)
	}
	_, _ = syscall.Write(1, body)
}
