package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/o2fa/o2fa/daemon"
	"github.com/o2fa/o2fa/internal/command"
)

// handoverVariable holds what one image of the daemon's process leaves to the
// next. Nothing else sets it, and nobody else gets to see it: it is unset before
// anything is started.
const handoverVariable = "O2FA_HANDOVER"

// takeHandover returns what the image before has left, nil if this is a start.
func takeHandover(inv *command.Invocation) (*daemon.Handover, error) {
	text := inv.Getenv(handoverVariable)
	if text == "" {
		return nil, nil
	}
	if inv.Process != nil {
		if err := inv.Process.Unsetenv(handoverVariable); err != nil {
			return nil, fmt.Errorf("unsetting %s: %w", handoverVariable, err)
		}
	}
	handover, err := daemon.ParseHandover(text)
	if err != nil {
		return nil, handoverFailure(err)
	}
	return handover, nil
}

// handoverFailure is for somebody who set the variable by hand: nobody else sees
// that.
func handoverFailure(err error) error {
	return &command.Failure{Exit: command.ExitOther, Code: "handover", Err: fmt.Errorf("%s: %w", handoverVariable, err),
		Hint: "unset " + handoverVariable}
}

// environ returns the environment of the next image. What names a place is what
// this image made of it: the working directory is another by now, and links may
// lead elsewhere. The socket of a service manager is not passed on under its own
// name, as its number is another.
func environ(before []string, cfg daemon.Config, handover string) []string {
	set := map[string]string{handoverVariable: handover, "OPEN2FA_DIR": cfg.Profile.Dir,
		"LISTEN_PID": "", "LISTEN_FDS": "", "LISTEN_FDNAMES": ""}
	if cfg.PassphraseFile != "" {
		set["O2FA_PASSPHRASE_FILE"] = cfg.PassphraseFile
	}
	if cfg.Profile.Fixed {
		set["O2FA_SOCKET"] = cfg.Profile.Socket
	}
	env := slices.DeleteFunc(slices.Clone(before), func(v string) bool {
		name, _, _ := strings.Cut(v, "=")
		_, ok := set[name]
		return ok
	})
	for name, value := range set {
		if value != "" {
			env = append(env, name+"="+value)
		}
	}
	return env
}
