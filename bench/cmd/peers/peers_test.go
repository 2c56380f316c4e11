package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/o2fa/o2fa/bench/rig"
)

func TestFindTellsWhatIsMissing(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "pass"), nil, 0o700); err != nil {
		t.Fatal(err)
	}
	locate := func(name string) (string, error) {
		path := filepath.Join(dir, name)
		if _, err := os.Stat(path); err != nil {
			return "", &exec.Error{Name: name, Err: exec.ErrNotFound}
		}
		return path, nil
	}
	found, missing, err := find(locate, peers())
	if err != nil || len(found) != 1 || found[0].bin != filepath.Join(dir, "pass") {
		t.Errorf("found %v, %v", found, err)
	}
	if len(missing) != len(peers())-1 {
		t.Errorf("%d are missing, want all but one", len(missing))
	}
	denied := func(string) (string, error) { return "", os.ErrPermission }
	if _, _, err := find(denied, peers()); !errors.Is(err, os.ErrPermission) {
		t.Errorf("a program that may not be read: %v", err)
	}
}

func TestFirstVersion(t *testing.T) {
	for text, want := range map[string]string{
		"oathtool (OATH Toolkit) 2.6.7\nCopyright (C) 2021 Simon Josefsson\n": "2.6.7",
		"=                  v1.7.4                  =":                        "1.7.4",
		"gopass v1.5.0\n": "1.5.0",
		"v1.2.0":          "1.2.0",
		"(devel)":         "",
	} {
		if got := firstVersion(text); got != want {
			t.Errorf("version %q in %q, want %q", got, text, want)
		}
	}
}

// TestPeers sets up those that are here, each as a measurement does, with
// several entries, and wants the right code.
func TestPeers(t *testing.T) {
	found, missing, err := find(exec.LookPath, peers())
	if err != nil {
		t.Fatal(err)
	}
	if len(found) == 0 {
		t.Skip("oathtool is not installed (package oathtool), nor any other tool to compare with")
	}
	for _, p := range missing {
		t.Logf("not installed, so not tried: %s (%s)", p.name, p.from)
	}
	for _, p := range found {
		t.Run(p.name, func(t *testing.T) {
			h := home{bin: p.bin, dir: t.TempDir(), rows: []rig.Row{
				{Name: rig.Name(0), Secret: rig.Secret}, {Name: rig.Name(1), Secret: "JBSWY3DPEHPK3PXP"},
			}}
			h.env = append(p.env, "HOME="+h.dir, "GNUPGHOME="+h.path("gnupg"), "PATH=/usr/bin:/bin", "LANG=C.UTF-8")
			defer h.close(t.Context())
			switch _, err := enter(t.Context(), p, h); {
			case errors.Is(err, rig.ErrWrongCode), err != nil && p.name == "oathtool":
				t.Error(err)
			case err != nil: // another program of that name, or another version
				t.Skipf("the %s that is installed is not the one of %q: %v", p.name, p.from, err)
			}
		})
	}
}

// TestWrongCode keeps a peer that prints something else out of the tables.
func TestWrongCode(t *testing.T) {
	oathtool, err := exec.LookPath("oathtool")
	if err != nil {
		t.Skip("oathtool is not installed (package oathtool)")
	}
	h := home{bin: oathtool, dir: t.TempDir(), rows: []rig.Row{{Secret: "JBSWY3DPEHPK3PXP"}}}
	if _, err := enter(t.Context(), peer{name: "oathtool", setUp: setUpOathtool}, h); !errors.Is(err, rig.ErrWrongCode) {
		t.Errorf("the code of another secret: %v", err)
	}
}
