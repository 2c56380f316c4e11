package main

import (
	"context"
	"debug/buildinfo"
	"encoding/xml"
	"os/exec"
	"regexp"
	"strings"

	"github.com/o2fa/o2fa/bench/rig"
)

// peer is a tool that prints codes, too.
type peer struct {
	name    string   // of its program
	command string   // what of it prints a code; empty: the program alone
	from    string   // how to get it
	version []string // arguments that print its version; none: Go has left it in the program
	env     []string // what it needs beside HOME
	atRest  string   // what protects its secrets at rest
	asks    string   // whether it asks for a password each time
	work    string   // what it does for a code

	bin   string // where it was found
	setUp func(context.Context, home) (argv []string, input string, err error)
}

// title names the peer as a person types it.
func (p peer) title() string { return strings.TrimSpace(p.name + " " + p.command) }

// versionNumber returns the version that the program says it has, or nothing.
func (p peer) versionNumber(ctx context.Context) string {
	if p.bin == "" {
		return ""
	}
	if p.version == nil {
		info, err := buildinfo.ReadFile(p.bin)
		if err != nil {
			return ""
		}
		return firstVersion(info.Main.Version)
	}
	cmd := exec.CommandContext(ctx, p.bin, p.version...)
	cmd.Env = []string{"HOME=/", "PATH=/usr/bin:/bin"} // not the home of whoever measures
	text, _ := cmd.Output()
	return firstVersion(string(text))
}

// firstVersion returns the first numbers with points between them.
func firstVersion(text string) string { return regexp.MustCompile(`\d+(\.\d+)+`).FindString(text) }

func ours() peer {
	return peer{name: "o2fa", command: "code",
		atRest: "a sealed vault; its key in the OS keyring, under a passphrase or, as here, in a file beside it",
		asks:   "no: at most once, when the vault is opened", work: "asks o2fad, which runs and holds the key"}
}

func peers() []peer {
	return []peer{
		{name: "oathtool", from: "Debian: oathtool", version: []string{"--version"}, setUp: setUpOathtool,
			atRest: "nothing: the caller keeps it and shows it in argv", asks: "no", work: "one HMAC"},
		{name: "2fa", from: "go install rsc.io/2fa@v1.2.0", setUp: setUpTwoFA,
			atRest: "the mode of ~/.2fa, plain text", asks: "no", work: "reads ~/.2fa"},
		{name: "gopass", command: "show --2fa", from: "Debian: gopass", version: []string{"version"}, setUp: setUpGopass,
			atRest: "OpenPGP, a file for each", asks: "no: gpg-agent keeps the passphrase", work: "runs gpg, which asks gpg-agent"},
		{name: "keepassxc-cli", command: "show -t", from: "Debian: keepassxc", version: []string{"--version"}, setUp: setUpKeePassXC,
			atRest: "one file under a password", asks: "yes", work: "derives the key, decrypts the file, parses it"},
		{name: "pass", command: "otp", from: "Debian: pass-extension-otp", version: []string{"version"}, setUp: setUpPass,
			atRest: "OpenPGP, a file for each", asks: "no: gpg-agent keeps the passphrase", work: "a shell script: runs gpg, which asks gpg-agent, and oathtool"},
		{name: "totp-cli", command: "generate", from: "go install github.com/yitsushi/totp-cli@latest", version: []string{"--version"},
			env: []string{"TOTP_PASS=" + password}, setUp: setUpTOTPCLI,
			atRest: "one file under a password (age, scrypt)", asks: "yes", work: "derives the key, decrypts the file"},
	}
}

// password protects the stores that want one.
const password = "correct horse battery staple"

func setUpOathtool(_ context.Context, h home) ([]string, string, error) {
	return []string{h.bin, "--totp", "-b", h.rows[0].Secret}, "", nil
}

func setUpTwoFA(ctx context.Context, h home) ([]string, string, error) {
	for _, row := range h.rows {
		if err := h.do(ctx, row.Secret+"\n", h.bin, "-add", row.Name); err != nil {
			return nil, "", err
		}
	}
	return []string{h.bin, h.rows[0].Name}, "", nil
}

func setUpPass(ctx context.Context, h home) ([]string, string, error) {
	return []string{h.bin, "otp", h.rows[0].Name}, "", h.encrypt(ctx, func(row rig.Row) string { return uri(row) + "\n" })
}

func setUpGopass(ctx context.Context, h home) ([]string, string, error) {
	return []string{h.bin, "show", "--2fa", h.rows[0].Name}, "", h.encrypt(ctx, func(row rig.Row) string { return "2fa: " + row.Secret + "\n" })
}

func setUpKeePassXC(ctx context.Context, h home) ([]string, string, error) {
	type field struct {
		Key, Value string
	}
	type entry struct {
		String []field
	}
	var file struct {
		XMLName xml.Name `xml:"KeePassFile"`
		Meta    struct{}
		Name    string  `xml:"Root>Group>Name"`
		Entries []entry `xml:"Root>Group>Entry"`
	}
	file.Name = "Passwords"
	for _, row := range h.rows {
		file.Entries = append(file.Entries, entry{[]field{{"Title", row.Name}, {"otp", uri(row)}}})
	}
	text, err := xml.Marshal(file)
	if err != nil {
		return nil, "", err
	}
	plain, err := h.write("plain.xml", string(text))
	if err != nil {
		return nil, "", err
	}
	database := h.path("passwords.kdbx")
	if err := h.do(ctx, password+"\n"+password+"\n", h.bin, "import", "--set-password", plain, database); err != nil {
		return nil, "", err
	}
	input, err := h.write("password", password+"\n")
	return []string{h.bin, "show", "--quiet", "--totp", database, h.rows[0].Name}, input, err
}

// setUpTOTPCLI follows the tool's README.
func setUpTOTPCLI(ctx context.Context, h home) ([]string, string, error) {
	var text strings.Builder
	text.WriteString("- name: bench\n  accounts:\n")
	for _, row := range h.rows {
		text.WriteString("    - name: \"" + row.Name + "\"\n      token: " + row.Secret + "\n")
	}
	plain, err := h.write("plain.yaml", text.String())
	if err != nil {
		return nil, "", err
	}
	if err := h.do(ctx, "", "mkdir", "-p", ".config/totp-cli"); err != nil {
		return nil, "", err
	}
	return []string{h.bin, "generate", "bench", h.rows[0].Name}, "", h.do(ctx, "", h.bin, "import", plain)
}

// uri is what a service shows as a QR code.
func uri(row rig.Row) string { return "otpauth://totp/" + row.Name + "?secret=" + row.Secret }
