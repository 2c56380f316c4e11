package dbus

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/godbus/dbus/v5"
)

// addressVariable is where the desktop says which bus is the session's.
const addressVariable = "DBUS_SESSION_BUS_ADDRESS"

// SessionAddress returns the address of the session bus that the environment
// names, or that stands at its usual place: bus in XDG_RUNTIME_DIR or, without
// that variable, in /run/user/UID. It never starts a bus (godbus would run
// dbus-launch, whose bus nobody ends). The error is ErrNoBus.
func SessionAddress(getenv func(string) string) (string, error) {
	address := getenv(addressVariable)
	if address != "" && !strings.HasPrefix(address, "autolaunch:") {
		return address, nil
	}
	dir := getenv("XDG_RUNTIME_DIR")
	if dir == "" {
		dir = filepath.Join("/run/user", strconv.Itoa(os.Getuid()))
	}
	socket := filepath.Join(dir, "bus")
	if info, err := os.Stat(socket); err != nil || info.Mode().Type() != os.ModeSocket {
		return "", fmt.Errorf("%w: %s is not set and there is no socket %s", ErrNoBus, addressVariable, socket)
	}
	return "unix:path=" + dbus.EscapeBusAddressValue(socket), nil
}

// SystemAddress returns the address of the system bus: that which the environment
// names, else its usual place. Whether there is one shows when it is dialed.
func SystemAddress(getenv func(string) string) string {
	if address := getenv("DBUS_SYSTEM_BUS_ADDRESS"); address != "" {
		return address
	}
	return "unix:path=/var/run/dbus/system_bus_socket"
}

// Shared opens, at address, the one session connection of the process that
// modules built on godbus share without a way to name another, and returns the
// function that closes it. Closing ends whatever hangs on it, with an error or,
// in modules that do not expect it, a panic.
//
// It sets DBUS_SESSION_BUS_ADDRESS of the process, as godbus does itself when
// it finds a bus: only so is the bus that was checked also the bus that is used.
func Shared(address string) (closeShared func(), err error) {
	if address == "" {
		return nil, errors.New("opening the shared connection: empty address")
	}
	if err := os.Setenv(addressVariable, address); err != nil {
		return nil, fmt.Errorf("setting %s: %w", addressVariable, err)
	}
	bus, err := dbus.SessionBus()
	if err != nil {
		return nil, fmt.Errorf("%w: connecting to %s: %w", ErrNoBus, address, err)
	}
	return func() { _ = bus.Close() }, nil
}
