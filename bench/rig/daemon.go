package rig

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os/exec"
	"syscall"
	"time"
)

// patience is how long anything may take before a measurement gives up.
const patience = 2 * time.Minute

// Pauses between two looks for something that comes about by itself: the
// resolution of what is measured that way. A look costs the daemon time, too.
const (
	Fine   = 200 * time.Microsecond
	coarse = 5 * time.Millisecond
)

// Daemon is an o2fad that runs.
type Daemon struct {
	Socket string // empty until Ready
	PID    int

	cmd     *exec.Cmd
	profile Profile
}

// Start starts the profile's daemon and returns at once.
func (p Profile) Start(ctx context.Context) (*Daemon, error) {
	cmd := exec.CommandContext(ctx, p.rig.Bin("o2fad"), "run")
	cmd.Env, cmd.Dir = p.Environ(), "/"
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return &Daemon{PID: cmd.Process.Pid, cmd: cmd, profile: p}, nil
}

// Create starts the daemon of a new profile, has the vault made and waits until
// it holds what secrets.json does. It also returns how long that took, from the
// request for a vault to the reply, which comes when the file has been taken in.
func (p Profile) Create(ctx context.Context) (*Daemon, time.Duration, error) {
	d, err := p.Start(ctx)
	if err != nil {
		return nil, 0, err
	}
	took, err := d.init(ctx)
	if err != nil {
		return nil, 0, errors.Join(err, d.Stop())
	}
	return d, took, nil
}

func (d *Daemon) init(ctx context.Context) (time.Duration, error) {
	if err := d.Ready(ctx, 0); err != nil {
		return 0, err
	}
	cmd := exec.CommandContext(ctx, d.profile.rig.Bin("o2fa"), "init")
	cmd.Env = d.profile.Environ()
	start := time.Now()
	if text, err := cmd.CombinedOutput(); err != nil {
		return 0, fmt.Errorf("making the vault: %w\n%s", err, text)
	}
	took := time.Since(start)
	return took, d.Ready(ctx, d.profile.entries)
}

// Ready waits until the daemon serves entries entries.
func (d *Daemon) Ready(ctx context.Context, entries int) error {
	err := Await(ctx, coarse, func() (bool, error) {
		var err error
		if d.Socket, err = d.profile.Socket(); err != nil {
			return false, nil // it has not written its lock file
		}
		n, err := Entries(d.Socket)
		return err == nil && n == entries, nil
	})
	if err != nil {
		return fmt.Errorf("waiting for %d entries: %w", entries, err)
	}
	return nil
}

// Stop asks the daemon to end and waits for that.
func (d *Daemon) Stop() error {
	if err := d.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	return d.cmd.Wait()
}

// Await returns when done says so or fails, or when it took too long.
func Await(ctx context.Context, pause time.Duration, done func() (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		if ok, err := done(); ok || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
	}
}

// Entries returns how many entries the daemon at socket says it has.
func Entries(socket string) (int, error) {
	body, err := Exchange(socket, "GET", "/v1/status", "application/json")
	if err != nil {
		return 0, err
	}
	var status struct {
		Vault struct {
			Entries int `json:"entries"`
		} `json:"vault"`
	}
	return status.Vault.Entries, json.Unmarshal(body, &status)
}

// CodePath is the path of a request for the code of name.
func CodePath(name string) string { return "/v1/code?name=" + url.QueryEscape(name) }

// Exchange makes one request on a connection of its own and returns the body of
// the reply.
func Exchange(socket, method, path, accept string) ([]byte, error) {
	conn, err := net.Dial("unix", socket)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	_, err = fmt.Fprintf(conn, "%s %s HTTP/1.0\r\nHost: o2fa\r\nAccept: %s\r\nContent-Length: 0\r\n\r\n", method, path, accept)
	if err != nil {
		return nil, err
	}
	reply, err := io.ReadAll(conn)
	if err != nil {
		return nil, err
	}
	head, body, _ := bytes.Cut(reply, []byte("\r\n\r\n"))
	if !bytes.HasPrefix(head, []byte("HTTP/1.0 200 ")) {
		return nil, errors.New("answer: " + string(body))
	}
	return body, nil
}
