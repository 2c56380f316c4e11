package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/o2fa/o2fa/bench/rig"
)

// home is the throw-away HOME of one peer; all that it keeps is below.
type home struct {
	bin  string // the peer's program
	dir  string
	env  []string
	rows []rig.Row // what the peer is to hold; the first is the one asked for
}

func newHome(r *rig.Rig, p peer, profile rig.Profile) (home, error) {
	rows, err := profile.Rows()
	if err != nil {
		return home{}, err
	}
	dir, err := r.Dir(fmt.Sprintf("home%d", len(rows)), p.name)
	env := append(profile.Environ(), "HOME="+dir, "GNUPGHOME="+filepath.Join(dir, "gnupg"))
	return home{p.bin, dir, slices.Concat(env, p.env), rows}, err
}

// path returns the path of a file below the home.
func (h home) path(names ...string) string { return filepath.Join(h.dir, filepath.Join(names...)) }

// write makes a file below the home and returns its path.
func (h home) write(name, text string) (string, error) {
	path := h.path(name)
	return path, os.WriteFile(path, []byte(text), 0o600)
}

// do runs a command of the set-up with input as its standard input.
func (h home) do(ctx context.Context, input string, argv ...string) error {
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Env, cmd.Dir, cmd.Stdin = h.env, h.dir, strings.NewReader(input)
	if text, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s %s: %w: %s", filepath.Base(argv[0]), argv[1], err, strings.TrimSpace(string(text)))
	}
	return nil
}

// keyOwner is whom the OpenPGP key of a home belongs to.
const keyOwner = "bench@example.com"

// encrypt makes an OpenPGP key without a passphrase, a password store and a file
// in it for each row, with what text says, as "pass insert" does. GnuPG encrypts
// all in one run: one run for each of 1,000 would take a minute.
func (h home) encrypt(ctx context.Context, text func(rig.Row) string) error {
	if err := os.Mkdir(h.path("gnupg"), 0o700); err != nil {
		return err
	}
	err := h.do(ctx, "", "gpg", "--batch", "--quiet", "--passphrase", "", "--quick-generate-key", keyOwner, "future-default", "default", "never")
	if err != nil {
		return err
	}
	if err := h.do(ctx, "", h.bin, "init", keyOwner); err != nil {
		return err
	}
	argv := []string{"gpg", "--encrypt", "--batch", "--quiet", "--compress-algo=none", "--recipient", keyOwner, "--multifile"}
	plain := len(argv)
	for _, row := range h.rows {
		path, err := h.write(filepath.Join(".password-store", row.Name), text(row))
		if err != nil {
			return err
		}
		argv = append(argv, path)
	}
	if err := h.do(ctx, "", argv...); err != nil {
		return err
	}
	for _, path := range argv[plain:] {
		if err := os.Remove(path); err != nil {
			return err
		}
	}
	return nil
}

// close ends the agent that gpg has started, if any; the rig removes the files.
func (h home) close(ctx context.Context) {
	if _, err := os.Stat(h.path("gnupg")); err == nil {
		_ = h.do(context.WithoutCancel(ctx), "", "gpgconf", "--kill", "gpg-agent")
		_ = h.do(context.WithoutCancel(ctx), "", "gpgconf", "--remove-socketdir")
	}
}
