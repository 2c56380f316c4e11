//go:build linux

package dbustest

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/o2fa/o2fa/internal/dbus"
)

// Password is what unlocks the private keyring. It is also what a test types
// into the dialog.
const Password = "private-test-password"

const (
	secretsName     = "org.freedesktop.secrets"
	secretsPath     = dbus.Path("/org/freedesktop/secrets")
	loginCollection = dbus.Path("/org/freedesktop/secrets/collection/login")
	serviceIface    = "org.freedesktop.Secret.Service"
	// unlockMethod is gnome-keyring's own way to unlock without a dialog; login
	// managers use it.
	unlockMethod = "org.gnome.keyring.InternalUnsupportedGuiltRiddenInterface.UnlockWithMasterPassword"
)

// StartKeyring starts gnome-keyring on the bus and unlocks its login
// collection, which the first start makes.
func (b *Bus) StartKeyring() {
	b.tb.Helper()
	b.startKeyring(Password, "--unlock")
}

// StartKeyringLocked starts gnome-keyring with its collection as it is on disk,
// locked; without an earlier StartKeyring it has none.
func (b *Bus) StartKeyringLocked() {
	b.tb.Helper()
	b.startKeyring("")
}

func (b *Bus) startKeyring(stdin string, args ...string) {
	b.tb.Helper()
	Need(b.tb, "gnome-keyring-daemon", "gnome-keyring")
	// Without --foreground it would leave its parent, and the test.
	cmd := exec.Command("gnome-keyring-daemon", append(args, "--foreground", "--components=secrets")...)
	cmd.Env, cmd.Stdin = b.Environ(), strings.NewReader(stdin)
	b.with(func(ctx context.Context, conn *dbus.Conn) error {
		owners, err := conn.Signals(ctx, dbus.Match{Sender: dbus.BusName, Interface: dbus.BusName, Arg0: secretsName})
		if err != nil {
			return err
		}
		b.keyring = start(b.tb, cmd)
		for {
			select {
			case <-ctx.Done():
				b.tb.Fatalf("gnome-keyring-daemon: %v: %s", ctx.Err(), b.keyring.output())
			case <-b.keyring.done:
				b.tb.Fatalf("gnome-keyring-daemon ended: %s", b.keyring.output())
			case signal := <-owners:
				if signal.Name == dbus.BusName+".NameOwnerChanged" && signal.Body[0] == secretsName && signal.Body[2] != "" {
					return nil
				}
			}
		}
	})
}

// KillKeyring ends the keyring daemon at once. What it stored stays on disk.
func (b *Bus) KillKeyring() {
	b.keyring.kill()
	b.keyring = nil
}

// KeyringIsContent checks that the keyring daemon runs and has met no misuse of
// itself: gnome-keyring says so on its standard error, before it goes on or ends.
func (b *Bus) KeyringIsContent() {
	b.tb.Helper()
	select {
	case <-b.keyring.done:
		b.tb.Errorf("gnome-keyring-daemon has ended: %s", b.keyring.output())
	default:
		if said := b.keyring.output(); strings.Contains(said, "CRITICAL") {
			b.tb.Errorf("gnome-keyring-daemon says %s", said)
		}
	}
}

// FreezeKeyring stops the keyring daemon without ending it: it has its name on
// the bus and never answers. ThawKeyring lets it go on.
func (b *Bus) FreezeKeyring() { b.keyring.freeze(b.tb) }

// ThawKeyring undoes FreezeKeyring.
func (b *Bus) ThawKeyring() { b.keyring.thaw(b.tb) }

// LockKeyring locks the login collection.
func (b *Bus) LockKeyring() {
	b.tb.Helper()
	b.with(func(ctx context.Context, conn *dbus.Conn) error {
		var locked []dbus.Path
		var prompt dbus.Path
		return conn.Object(secretsName, secretsPath).
			Call(ctx, serviceIface+".Lock", []dbus.Path{loginCollection}).Store(&locked, &prompt)
	})
}

// UnlockKeyring unlocks the login collection without a dialog.
func (b *Bus) UnlockKeyring() {
	b.tb.Helper()
	b.with(func(ctx context.Context, conn *dbus.Conn) error {
		service := conn.Object(secretsName, secretsPath)
		var output dbus.Variant
		var session dbus.Path
		err := service.Call(ctx, serviceIface+".OpenSession", "plain", dbus.MakeVariant("")).Store(&output, &session)
		if err != nil {
			return err
		}
		password := struct {
			Session     dbus.Path
			Parameters  []byte
			Value       []byte
			ContentType string
		}{session, []byte{}, []byte(Password), "text/plain"}
		return service.Call(ctx, unlockMethod, loginCollection, password).Store()
	})
}

// KeyringLocked reports whether the login collection is locked.
func (b *Bus) KeyringLocked() (locked bool) {
	b.tb.Helper()
	b.with(func(ctx context.Context, conn *dbus.Conn) error {
		return conn.Object(secretsName, loginCollection).
			Property(ctx, "org.freedesktop.Secret.Collection", "Locked", &locked)
	})
	return locked
}

// DeleteItems deletes the keyring's items of a service, as a person would with
// seahorse. The keyring is unlocked.
func (b *Bus) DeleteItems(service string) {
	b.tb.Helper()
	b.with(func(ctx context.Context, conn *dbus.Conn) error {
		var items, locked []dbus.Path
		err := conn.Object(secretsName, secretsPath).
			Call(ctx, serviceIface+".SearchItems", map[string]string{"service": service}).Store(&items, &locked)
		for _, item := range items {
			var prompt dbus.Path
			if err == nil {
				err = conn.Object(secretsName, item).Call(ctx, "org.freedesktop.Secret.Item.Delete").Store(&prompt)
			}
		}
		return err
	})
}

// ResetKeyring deletes the files of the keyring, as a person does who has
// forgotten its password, and starts it with a new, empty collection.
func (b *Bus) ResetKeyring() {
	b.tb.Helper()
	b.KillKeyring()
	if err := os.RemoveAll(filepath.Join(b.Getenv("XDG_DATA_HOME"), "keyrings")); err != nil {
		b.tb.Fatal(err)
	}
	b.StartKeyring()
}

// Items returns how many items the keyring has of a service, as the Secret
// Service calls the attribute, locked ones too.
func (b *Bus) Items(service string) (n int) {
	b.tb.Helper()
	b.with(func(ctx context.Context, conn *dbus.Conn) error {
		var unlocked, locked []dbus.Path
		err := conn.Object(secretsName, secretsPath).
			Call(ctx, serviceIface+".SearchItems", map[string]string{"service": service}).Store(&unlocked, &locked)
		n = len(unlocked) + len(locked)
		return err
	})
	return n
}
