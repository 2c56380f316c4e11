//go:build linux

package dbustest

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/o2fa/o2fa/internal/dbus"
)

// patience bounds everything that a helper waits for.
const patience = 20 * time.Second

// prompterService is where the package gcr says how its dialog is started.
const prompterService = "/usr/share/dbus-1/services/org.gnome.keyring.SystemPrompter.service"

// busConfig is a session bus that starts nothing but what the tests put into
// its service directory. Its arguments are the socket and that directory.
const busConfig = `<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>unix:path=%s</listen>
  <auth>EXTERNAL</auth>
  <servicedir>%s</servicedir>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
    <allow own="*"/>
  </policy>
</busconfig>
`

// Bus is a private session bus, and the keyring on it once that is started. Its
// methods end the test when they do not succeed.
type Bus struct {
	Address string // as DBUS_SESSION_BUS_ADDRESS has it

	tb      testing.TB
	dir     string // short, since socket paths are bounded
	display string
	daemon  *process
	keyring *process
	mocks   []*Mock
}

// Start starts a bus with no service on it. A display, as StartDisplay returns
// it, is where dialogs of services on the bus appear; "" is none.
func Start(tb testing.TB, display string) *Bus {
	tb.Helper()
	Need(tb, "dbus-daemon", "dbus")
	dir, err := os.MkdirTemp("", "o2fa-bus-")
	if err != nil {
		tb.Fatal(err)
	}
	b := &Bus{tb: tb, dir: dir, display: display}
	tb.Cleanup(b.cleanup)
	if services := b.mkdir("services"); display != "" {
		b.installPrompter(services)
	}
	b.launch("bus")
	return b
}

// Restart ends the bus and the keyring, and starts another bus, without keyring,
// whose socket has that name; that of Start is "bus".
func (b *Bus) Restart(name string) {
	b.tb.Helper()
	if b.keyring != nil {
		b.KillKeyring()
	}
	b.daemon.kill()
	b.launch(name)
}

// launch starts dbus-daemon and waits for the address that it prints.
func (b *Bus) launch(name string) {
	b.tb.Helper()
	config := filepath.Join(b.dir, "bus.conf")
	text := fmt.Sprintf(busConfig, filepath.Join(b.mkdir("run"), name), b.mkdir("services"))
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		b.tb.Fatal(err)
	}
	read, write, err := os.Pipe()
	if err != nil {
		b.tb.Fatal(err)
	}
	defer read.Close()
	cmd := exec.Command("dbus-daemon", "--nofork", "--nopidfile", "--print-address=3", "--config-file="+config)
	cmd.Env, cmd.ExtraFiles = b.Environ(), []*os.File{write}
	b.daemon = start(b.tb, cmd)
	write.Close()
	if err := read.SetReadDeadline(time.Now().Add(patience)); err != nil {
		b.tb.Fatal(err)
	}
	line, err := bufio.NewReader(read).ReadString('\n')
	if err != nil {
		b.tb.Fatalf("dbus-daemon: %v: %s", err, b.daemon.output())
	}
	b.Address = line[:len(line)-1]
}

// installPrompter lets the bus start the program that shows the keyring's dialog.
func (b *Bus) installPrompter(services string) {
	b.tb.Helper()
	text, err := os.ReadFile(prompterService)
	if err != nil {
		missing(b.tb, prompterService, "gcr")
	}
	if err := os.WriteFile(filepath.Join(services, filepath.Base(prompterService)), text, 0o600); err != nil {
		b.tb.Fatal(err)
	}
}

// Environ is the environment for a program that shall see this bus and nothing
// of the user's: a home, XDG directories, the bus and its display.
func (b *Bus) Environ() []string {
	env := []string{
		"PATH=" + os.Getenv("PATH"),
		"HOME=" + b.mkdir("home"),
		"XDG_RUNTIME_DIR=" + b.mkdir("run"),
		"XDG_DATA_HOME=" + b.mkdir("home/data"),
		"XDG_CONFIG_HOME=" + b.mkdir("home/config"),
		"XDG_CACHE_HOME=" + b.mkdir("home/cache"),
		"GSETTINGS_BACKEND=memory", // else GTK asks for dconf on this bus
		"NO_AT_BRIDGE=1",
	}
	if b.Address != "" {
		// Nobody who is given this environment looks for the machine's own logind.
		env = append(env, "DBUS_SESSION_BUS_ADDRESS="+b.Address, "DBUS_SYSTEM_BUS_ADDRESS="+b.Address)
	}
	if b.display != "" {
		env = append(env, "DISPLAY="+b.display)
	}
	return env
}

// Getenv reads Environ.
func (b *Bus) Getenv(name string) string {
	for _, pair := range b.Environ() {
		if len(pair) > len(name) && pair[:len(name)] == name && pair[len(name)] == '=' {
			return pair[len(name)+1:]
		}
	}
	return ""
}

// Stop ends the bus itself; what is connected loses its connection.
func (b *Bus) Stop() { b.daemon.kill() }

// Freeze stops the bus without ending it: it accepts connections and never
// answers. Thaw lets it go on.
func (b *Bus) Freeze() { b.daemon.freeze(b.tb) }

// Thaw undoes Freeze.
func (b *Bus) Thaw() { b.daemon.thaw(b.tb) }

// Processes returns the pids of all processes that were started for this bus,
// also by what it started.
func (b *Bus) Processes() []int { return processesWith(b.tb, "HOME="+filepath.Join(b.dir, "home")) }

// cleanup ends everything and fails the test if something stays.
func (b *Bus) cleanup() {
	for _, m := range b.mocks {
		m.Stop()
	}
	if b.keyring != nil {
		b.keyring.kill()
	}
	if b.daemon != nil {
		b.daemon.kill()
	}
	Eventually(b.tb, "processes of the private bus to end", func() bool { return len(b.Processes()) == 0 })
	if err := os.RemoveAll(b.dir); err != nil {
		b.tb.Error(err)
	}
}

func (b *Bus) mkdir(name string) string {
	path := filepath.Join(b.dir, name)
	if err := os.MkdirAll(path, 0o700); err != nil {
		b.tb.Fatal(err)
	}
	return path
}

// with connects to the bus as a client of its own and runs f.
func (b *Bus) with(f func(ctx context.Context, conn *dbus.Conn) error) {
	b.tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	conn, err := dbus.Dial(ctx, b.Address)
	if err != nil {
		b.tb.Fatal(err)
	}
	defer conn.Close()
	if err := f(ctx, conn); err != nil {
		b.tb.Fatal(err)
	}
}
