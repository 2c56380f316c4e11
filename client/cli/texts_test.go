package cli

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/o2fa/o2fa"
	"github.com/o2fa/o2fa/ipc"
)

// The texts of open2fa 1.4.7, to the byte.
func TestTextsOfOpen2FA(t *testing.T) {
	w := started(t)
	w.want("add I65VU7K5ZQL7WB4E abc123", outcome{0, "\nADDED NEW SECRET: abc123 I...E\n\n1 secrets total.\n", ""})
	w.want("add Zeta GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ", outcome{0, "\nADDED NEW SECRET: Zeta G...Q\n\n2 secrets total.\n", ""})
	w.want("add JBSWY3DPEHPK3PXP", outcome{0, "\nADDED NEW SECRET: None J...P\n\n3 secrets total.\n", ""})
	w.want("add I65VU7K5ZQL7WB4E abc123", outcome{0, "\nALREADY THERE, NOTHING CHANGED: abc123 I...E\n\n3 secrets total.\n", ""})
	w.want("list abc", outcome{0, "\nName      Secret\n------    ------\nabc123    I...E\n\n", ""})
	w.want("list -s", outcome{0, "\nName      Secret\n" +
		"------    --------------------------------\n" +
		"None      JBSWY3DPEHPK3PXP\n" +
		"abc123    I65VU7K5ZQL7WB4E\n" +
		"Zeta      GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ\n\n", ""})
	w.want("list nothing-like-it", outcome{0, "\nName    Secret\n----    ------\n\n", ""})
	w.want("delete -n abc123 -f", outcome{0, "Deleted 1 secret(s).\n", ""})
	w.want("delete", outcome{2, "", "o2fa: error: No secret OR name provided to delete.\no2fa: hint: o2fa delete NAME\n"})
	w.want("-v", outcome{0, "o2fa version: " + o2fa.Version() + "\n", ""})
	w.want("version", outcome{0, "o2fa version: " + o2fa.Version() + "\n", ""})
	if help := w.run(""); help.code != 0 || help != w.run("", "help") || !strings.HasPrefix(help.out, "Keep ") {
		t.Errorf("without arguments: %v", help)
	}
}

func TestInfo(t *testing.T) {
	w := newWorld(t)
	w.Config.UUID, w.Config.APIURL = "0e4742ef-780b-406d-8651-7766cf67be3f", "http://localhost:8000/api/v1"
	w.Start(t)
	w.Add(t, rfcSecret, "github")
	const head = "\n========== Open2FA INFO/STATUS ==========\n(add -s to show uncensored secrets)\n\n"
	shown := fmt.Sprintf("%sOpen2FA Directory: %s\nOpen2FA Remote API URL: http://localhost:8000/api/v1\nNumber of secrets: 1\n", head, w.Profile.Dir)
	for args, account := range map[string]string{
		"info": "Open2FA UUID: 0...\nOpen2FA ID: X...\nOpen2FA Secret: Q...\n\n",
		"i -s": "Open2FA UUID: 0e4742ef-780b-406d-8651-7766cf67be3f\nOpen2FA ID: XF1628BGJeibVv8C9UacG4\nOpen2FA Secret: QGcst74V9JXnyBnQmWSoCx\n\n",
	} {
		got := w.run("", strings.Fields(args)...)
		want := regexp.QuoteMeta(shown+account+"State: ready\nVault: "+w.Profile.Dir+"/vault.db (format 1)\nOpened by: ") +
			`\w+\nBackups: none yet, the first is about to be made\nDaemon: \S+, pid \d+, since [-0-9]+ [:0-9]+\nSocket: ` + regexp.QuoteMeta(w.Profile.Socket) + `\nWarning: one key slot`
		if got.code != 0 || got.errs != "" || !regexp.MustCompile("^"+want).MatchString(got.out) {
			t.Errorf("o2fa %s: exit %d\n%s%s", args, got.code, got.out, got.errs)
		}
	}
}

// status names what needs mending, whatever the state.
func TestStatusTells(t *testing.T) {
	for name, tc := range map[string]struct {
		status ipc.Status
		want   []string
	}{
		"no vault": {ipc.Status{State: ipc.StateUninitialized}, []string{"Number of secrets: 0\n", "Open2FA UUID: None\n", "State: uninitialized, o2fa add or o2fa init makes the vault\n"}},
		"locked": {ipc.Status{State: ipc.StateLocked, Vault: &ipc.VaultStatus{Path: "/p/vault.db", Format: 1, ReadOnly: true,
			Slots: []ipc.Slot{{Type: "passphrase", Protected: true}, {Type: "keyfile", Path: "/p/vault\x1b.key"}}}},
			[]string{"Number of secrets: unknown, the vault is not open\n", "State: locked, o2fa unlock opens it\n", "Vault: /p/vault.db (format 1, read-only)\n",
				"Opened by: passphrase\n", "Opened by: key file /p/vault\\u{1b}.key (unprotected)\n"}},
		"failed": {ipc.Status{State: ipc.StateFailed, Problem: &ipc.Error{Message: "the vault is damaged", Hint: "put a copy back"}},
			[]string{"State: failed\nProblem: the vault is damaged\n  Hint: put a copy back\n"}},
		"backups": {ipc.Status{State: ipc.StateReady, Backups: &ipc.BackupsStatus{Keep: 20, Count: 3, Newest: "2026-11-22T00:15:03Z"}},
			[]string{"Backups: 3, the newest of 2026-11-22 "}},
		"no backups": {ipc.Status{State: ipc.StateReady, Backups: &ipc.BackupsStatus{}},
			[]string{"Backups: none, backups = 0 in config.toml\n"}},
		"rows": {ipc.Status{State: ipc.StateReady, Vault: &ipc.VaultStatus{Entries: 2, Trashed: 1},
			SecretsFile: &ipc.SecretsFileStatus{Path: "/p/secrets.json", Present: true, Rows: 2, NeedLook: true,
				Rejected: []ipc.RowProblem{{Position: 3, Reason: "not base32"}}}},
			[]string{"In the trash: 1 entry\n", "Secrets file: /p/secrets.json, 2 secrets in clear\n  row 3 was left alone: not base32\n  it changed while"}},
		"many rows": {ipc.Status{State: ipc.StateReady, SecretsFile: &ipc.SecretsFileStatus{Path: "/p/secrets.json", Present: true,
			Rejected: []ipc.RowProblem{{Position: 3, Reason: "x"}, {Position: 4, Reason: "x"}, {Position: 5, Reason: "x"}, {Position: 6, Reason: "x"}, {Position: 7, Reason: "x"}}}},
			[]string{"  row 5 was left alone: x\n  and 2 more: o2fa status --json\nDaemon: "}},
		"a choice": {ipc.Status{State: ipc.StateUninitialized, Problem: &ipc.Error{Message: "no keyring", Hint: "o2fa init --keystore a, or o2fa init --keystore b"}},
			[]string{"State: uninitialized\nProblem: no keyring\n  Hint: o2fa init --keystore a\n  Hint: o2fa init --keystore b\n"}},
		"bad file": {ipc.Status{SecretsFile: &ipc.SecretsFileStatus{Path: "/p/secrets.json", Present: true, Problem: "line 1 is no JSON"}},
			[]string{"Secrets file: /p/secrets.json, left alone: line 1 is no JSON\n"}},
		"no file":  {ipc.Status{SecretsFile: &ipc.SecretsFileStatus{Path: "/p/secrets.json"}}, []string{"State: \nDaemon: "}},
		"warnings": {ipc.Status{Warnings: []ipc.Warning{{Message: "the clock is off", Hint: "set it"}}}, []string{"Warning: the clock is off\n  Hint: set it\n"}},
	} {
		t.Run(name, func(t *testing.T) {
			out := served(t, tc.status, "status")
			for _, want := range tc.want {
				if !strings.Contains(out, want) {
					t.Errorf("no %q in\n%s", want, out)
				}
			}
		})
	}
}

// Spellings of open2fa, in any case; a full name wins over what begins like it.
func TestSpellings(t *testing.T) {
	top := root()
	for command, words := range map[string]string{
		"add":     "add ADD a A -a -A -add --add --Add",
		"delete":  "delete d -d -delete --delete DELETE",
		"list":    "list l -l -list --list L",
		"status":  "status info i -i -info --info -status --status Info STATUS",
		"version": "version -v --version -V",
	} {
		for _, word := range strings.Fields(words) {
			found := ""
			for _, c := range top.Sub {
				for _, name := range append([]string{c.Name()}, c.Aliases...) {
					if strings.EqualFold(name, word) {
						found += c.Name()
					}
				}
			}
			if found != command {
				t.Errorf("%s is %q, want %s", word, found, command)
			}
		}
	}
	w := started(t)
	w.Add(t, open2faSecret, "abc123")
	for _, word := range []string{"l", "-l", "-list", "--LIST"} {
		if got := w.run("", word); got != w.run("", "list") || got.code != 0 {
			t.Errorf("o2fa %s: %v", word, got)
		}
	}
	w.want("lits", outcome{2, "", "o2fa: error: \"lits\" is no command of o2fa\no2fa: hint: o2fa list\n"})
	if got := w.run("", ""); got != (outcome{2, "", "o2fa: error: \"\" is no command of o2fa\no2fa: hint: o2fa help\n"}) {
		t.Errorf("an empty word: %v", got)
	}
}

// A name may hold anything; a terminal shows it as text.
func TestNamesCannotActOnATerminal(t *testing.T) {
	w := started(t)
	const evil = "a\x1b[2J\n\u202eb"
	add := w.ok("add", open2faSecret, evil)
	list := w.ok("list")
	question := w.run("n\n", "delete", evil)
	undone := w.ok("undo")
	for _, text := range []string{add, list, question.errs, undone} {
		if strings.ContainsAny(text, "\x1b\u202e") || !strings.Contains(text, `a\u{1b}[2J\u{a}\u{202e}b`) {
			t.Errorf("%q", text)
		}
	}
	if question.code != 1 {
		t.Errorf("%v", question)
	}
}

// How long a vault stays open is told as people would.
func TestLocksIn(t *testing.T) {
	now := time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC)
	for left, want := range map[time.Duration]string{
		-time.Second: "0 s", 400 * time.Millisecond: "0 s", 59 * time.Second: "59 s", 9*time.Minute + 59*time.Second: "10 min",
		time.Minute: "1 min", 90 * time.Minute: "90 min", 2 * time.Hour: "2 h", 719*time.Hour + 59*time.Minute: "720 h",
	} {
		if got := locksIn(now.Add(left).Format(time.RFC3339Nano), now); got != ", locks in "+want {
			t.Errorf("%s: %q, want %q", left, got, want)
		}
	}
	for _, odd := range []string{"", "tomorrow"} {
		if got := locksIn(odd, now); got != "" {
			t.Errorf("%q: %q", odd, got)
		}
	}
}
