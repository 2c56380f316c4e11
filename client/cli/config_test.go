package cli

import (
	"slices"
	"strings"
	"testing"

	"github.com/o2fa/o2fa/internal/command"
	"github.com/o2fa/o2fa/internal/command/ptytest"
	"github.com/o2fa/o2fa/ipc"
)

// The help and the shells know every setting that the daemon has, and no other.
func TestSettingsAreThoseOfTheDaemon(t *testing.T) {
	w := started(t)
	c := fromJSON[ipc.Config](t, w.ok("config", "--json"))
	help := strings.Join(strings.Fields(w.ok("help", "config")), " ")
	if len(c.Settings) != len(settingKeys) {
		t.Errorf("%d settings, %d here", len(c.Settings), len(settingKeys))
	}
	for i, s := range c.Settings {
		if s.Key != settingKeys[i] || !strings.Contains(help, s.Key+" "+s.Usage) {
			t.Errorf("%d is %s; %q is not in the help", i, s.Key, s.Key+" "+s.Usage)
		}
	}
	for want, args := range map[string][]string{
		strings.Join(settingKeys[:], " "): nil, "auto keyring passphrase keyfile credential": {"keystore"}, "": {"trash_days"},
	} {
		var got []string
		for _, candidate := range completeSetting(t.Context(), &command.Completion{Args: args}) {
			got = append(got, candidate.Value)
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%q completes to %q", args, got)
		}
	}
}

func TestConfig(t *testing.T) {
	w := newWorld(t)
	w.write("config.toml", "# mine\nmin_valid = '2s'\n")
	w.Start(t)
	w.want("config", outcome{0, "\nSetting            Value            Source\n---------------    -------------    -------------\n" +
		"backups            20               default\nkeystore           keyring          O2FA_KEYSTORE\nlock_after         0s               default\n" +
		"lock_idle          0s               default\nlock_on            screen, sleep    default\n" +
		"log                on               default\n" +
		"min_valid          2s               config.toml\npassphrase_file    None             default\n" +
		"pinentry           None             default\nsecrets_file       watch            default\ntrash_days         30               default\nunlock             auto             default\n\n", ""})
	w.want("config list", w.run("", "config"))
	w.want("config get min_valid", outcome{0, "2s\n", ""})
	w.want("config path", outcome{0, w.Profile.Dir + "/config.toml\n", ""})
	w.want("config set trash_days 90", outcome{0, "trash_days is 90 now (config.toml)\n", ""})
	w.want("config set keystore keyfile", outcome{0, "keystore is keyring now (O2FA_KEYSTORE)\n",
		"o2fa: warning: O2FA_KEYSTORE in the daemon's environment wins over the file\n"})
	w.want("config unset keystore", outcome{0, "keystore is keyring now (O2FA_KEYSTORE)\n", ""})
	w.want("config set min_valid 5", outcome{0, "min_valid is 5s now (config.toml)\n", ""})
	w.want("config unset min_valid", outcome{0, "min_valid is 0s now (default)\n", ""})
	for args, want := range map[string]string{
		"config set trash_day 3":             "there is no setting \"trash_day\": is it trash_days?\no2fa: hint: o2fa config set trash_days VALUE\n",
		"config unset trash-days":            "there is no setting \"trash-days\": is it trash_days?\no2fa: hint: o2fa config unset trash_days\n",
		"config get keystor":                 "there is no setting \"keystor\": is it keystore?\no2fa: hint: o2fa config get keystore\n",
		"config get moon":                    "there is no setting \"moon\"\no2fa: hint: o2fa config\n",
		"config set trash_days 0":            "trash_days must be a number from 1 to 3650\no2fa: hint: o2fa config\n",
		"config set trash_days":              "o2fa config set needs more arguments: set KEY VALUE\no2fa: hint: o2fa config set --help\n",
		"config sett trash_days 90":          "\"sett\" is no command of o2fa config\no2fa: hint: o2fa config set trash_days 90\n",
		"config lock_idle":                   "\"lock_idle\" is no command of o2fa config\no2fa: hint: o2fa config get lock_idle\n",
		"config lock_idle 5m":                "\"lock_idle\" is no command of o2fa config\no2fa: hint: o2fa config set lock_idle 5m\n",
		"config set " + open2faSecret + " x": "there is no such setting\no2fa: hint: o2fa config\n",
	} {
		w.want(args, outcome{2, "", "o2fa: error: " + want})
	}
	if c := fromJSON[ipc.Config](t, w.ok("config", "set", "--json", "trash_days", "7")); !slices.ContainsFunc(c.Settings, func(s ipc.Setting) bool { return s.Key == "trash_days" && s.Value == "7" }) {
		t.Errorf("%+v", c)
	}
}

// What is shown while the file is bad is not what the file says.
func TestConfigWithAMistake(t *testing.T) {
	w := newWorld(t)
	path := w.write("config.toml", "trash_days = 'x'\n")
	w.Start(t)
	const wrong = ":1: trash_days must be a number from 1 to 3650, without quotes"
	w.want("config get trash_days", outcome{0, "30\n",
		"o2fa: warning: the file is not in force: " + path + wrong + "\no2fa: hint: mend it, or remove it: it is read at once\n"})
	w.want("config set trash_days 9", outcome{2, "",
		"o2fa: error: " + path + wrong + ": the file is left as it is\no2fa: hint: mend it with an editor, or remove it\n"})
	if out := w.ok("status"); !strings.Contains(out, "Warning: "+path+wrong+"; the defaults stand in for it\n  Hint: mend the file") {
		t.Errorf("%s", out)
	}
}

// The daemon's own passphrase file opens the vault for whoever asks.
func TestConfiguredPassphraseFile(t *testing.T) {
	if testing.Short() {
		t.Skip("computes a passphrase's key several times")
	}
	w := started(t)
	path := w.write("pass", "correct horse\n")
	w.ok("config", "set", "passphrase_file", path)
	w.Config.Keystore = ""
	w.Stop(t)
	w.Start(t)
	w.ok("config", "set", "keystore", "passphrase")
	p := ptytest.New(t)
	if got := <-w.sit(p, "init"); got.code != 0 || strings.Contains(p.Screen(), "passphrase") || !strings.Contains(got.out, "Opened by: passphrase\n") {
		t.Errorf("%v %q", got, p.Screen())
	}
	w.ok("lock")
	w.want("unlock", outcome{0, "State: ready\n", ""})
	w.ok("lock")
	w.ok("config", "unset", "passphrase_file")
	if got := w.run("", "unlock"); got.code != 5 {
		t.Errorf("%v", got)
	}
}
