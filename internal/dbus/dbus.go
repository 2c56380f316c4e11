// Package dbus owns private connections to the message bus: each is opened for
// one purpose, bounded by a context and closed again. It is the only importer
// of godbus, whose shared connections have no deadlines and may start a bus of
// their own. It knows no service that sits on the bus.
package dbus

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"

	"github.com/godbus/dbus/v5"
)

// The types of godbus that appear in calls are named here, so that callers need
// not import it.
type (
	// Path is the path of an object.
	Path = dbus.ObjectPath
	// Variant is a value that carries its type.
	Variant = dbus.Variant
	// Signal is a signal as it arrived.
	Signal = dbus.Signal
	// FD is a file descriptor in a reply. Who receives it closes it.
	FD = dbus.UnixFD
)

// MakeVariant wraps v for an argument of type variant.
func MakeVariant(v any) Variant { return dbus.MakeVariant(v) }

// Name and path of the bus itself.
const (
	BusName = "org.freedesktop.DBus"
	BusPath = Path("/org/freedesktop/DBus")
)

var (
	// ErrNoBus means that there is no session bus, or that it does not answer;
	// of a connection to the system bus, that there is none of these.
	ErrNoBus = errors.New("no session bus")
	// ErrNoService means that nothing on the bus has the name that was called
	// and that the bus could not start it.
	ErrNoService = errors.New("no such service on the session bus")
)

// Conn is a private connection. It is safe for concurrent use.
type Conn struct {
	bus *dbus.Conn
	end context.CancelFunc // ends godbus's goroutines together with the connection
}

// Dial connects to the bus at address, as SessionAddress returns it. ctx bounds
// the connecting only; the connection lives until Close. An error is ErrNoBus
// or the context's.
func Dial(ctx context.Context, address string) (*Conn, error) {
	type result struct {
		bus *dbus.Conn
		err error
	}
	life, end := context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan result, 1)
	go func() {
		// Signals arrive in their order, or a screen that was locked and unlocked
		// would count as locked.
		bus, err := dbus.Connect(address, dbus.WithContext(life), dbus.WithSignalHandler(dbus.NewSequentialSignalHandler()))
		done <- result{bus, err}
	}()
	select {
	case r := <-done:
		if r.err != nil {
			end()
			return nil, fmt.Errorf("%w: connecting to %s: %w", ErrNoBus, address, r.err)
		}
		return &Conn{bus: r.bus, end: end}, nil
	case <-ctx.Done():
		end() // closes the socket under a handshake that hangs
		return nil, fmt.Errorf("connecting to %s: %w", address, ctx.Err())
	}
}

// Close closes the connection; what waits on it returns with an error.
func (c *Conn) Close() error {
	defer c.end()
	return c.bus.Close()
}

// Object names an object of a service for calls on it.
func (c *Conn) Object(service string, path Path) Object {
	return Object{c.bus.Object(service, path)}
}

// Bus is the bus itself as an object.
func (c *Conn) Bus() Object { return c.Object(BusName, BusPath) }

// Match says which signals to receive. All but the interface may be left out.
type Match struct {
	Sender    string // a well-known name
	Interface string
	Member    string
	Path      Path
	Arg0      string // the signal's first argument
}

func (m Match) options() []dbus.MatchOption {
	options := []dbus.MatchOption{dbus.WithMatchInterface(m.Interface)}
	if m.Sender != "" {
		options = append(options, dbus.WithMatchSender(m.Sender))
	}
	if m.Member != "" {
		options = append(options, dbus.WithMatchMember(m.Member))
	}
	if m.Path != "" {
		options = append(options, dbus.WithMatchObjectPath(m.Path))
	}
	if m.Arg0 != "" {
		options = append(options, dbus.WithMatchArg(0, m.Arg0))
	}
	return options
}

// Signals subscribes to signals. The channel gets every signal that reaches
// this connection, and anybody on the bus can send one to it alone: so a reader
// compares sender, name and path. It is closed when the connection is.
func (c *Conn) Signals(ctx context.Context, matches ...Match) (<-chan *Signal, error) {
	signals := make(chan *Signal, 16)
	c.bus.Signal(signals)
	if err := c.Subscribe(ctx, matches...); err != nil {
		c.bus.RemoveSignal(signals)
		return nil, err
	}
	return signals, nil
}

// Subscribe adds signals to those that the channels of Signals get.
func (c *Conn) Subscribe(ctx context.Context, matches ...Match) error {
	for _, m := range matches {
		if err := c.bus.AddMatchSignalContext(ctx, m.options()...); err != nil {
			return fmt.Errorf("subscribing to %s: %w", m.Interface, explain(err))
		}
	}
	return nil
}

// Unsubscribe undoes one Subscribe of the same matches.
func (c *Conn) Unsubscribe(ctx context.Context, matches ...Match) error {
	for _, m := range matches {
		if err := c.bus.RemoveMatchSignalContext(ctx, m.options()...); err != nil {
			return fmt.Errorf("unsubscribing from %s: %w", m.Interface, explain(err))
		}
	}
	return nil
}

// Owner returns the unique name of who has the name service now; ErrNoService if
// nobody. Nothing is started for it.
func (c *Conn) Owner(ctx context.Context, service string) (string, error) {
	var owner string
	err := c.Bus().Call(ctx, BusName+".GetNameOwner", service).Store(&owner)
	return owner, err
}

// Object is an object of a service on the bus.
type Object struct{ object dbus.BusObject }

// Call calls method, written interface.member, and waits for the reply, at most
// until ctx ends.
func (o Object) Call(ctx context.Context, method string, args ...any) Reply {
	return Reply{o.object.CallWithContext(ctx, method, 0, args...), method}
}

// Property reads a property, given as interface and name, into out.
func (o Object) Property(ctx context.Context, iface, name string, out any) error {
	var value Variant
	if err := o.Call(ctx, "org.freedesktop.DBus.Properties.Get", iface, name).Store(&value); err != nil {
		return err
	}
	if err := value.Store(out); err != nil {
		return fmt.Errorf("reading property %s: %w", name, err)
	}
	return nil
}

// Reply is the answer to a call.
type Reply struct {
	call   *dbus.Call
	method string
}

// Store copies the values of the reply into out, pointers in their order. Its
// error is that of the call, ErrNoService or ErrNoBus where they apply.
func (r Reply) Store(out ...any) error {
	if err := r.call.Store(out...); err != nil {
		return fmt.Errorf("calling %s: %w", r.method, explain(err))
	}
	return nil
}

// noService are the names of the errors by which a bus says that nobody
// answers to a name.
var noService = map[string]bool{
	"org.freedesktop.DBus.Error.ServiceUnknown":        true,
	"org.freedesktop.DBus.Error.NameHasNoOwner":        true,
	"org.freedesktop.DBus.Error.NoReply":               true, // it left while it was asked
	"org.freedesktop.DBus.Error.Spawn.ExecFailed":      true,
	"org.freedesktop.DBus.Error.Spawn.ChildExited":     true,
	"org.freedesktop.DBus.Error.Spawn.ChildSignaled":   true,
	"org.freedesktop.DBus.Error.Spawn.Failed":          true,
	"org.freedesktop.DBus.Error.Spawn.ServiceInvalid":  true,
	"org.freedesktop.DBus.Error.Spawn.ServiceNotFound": true,
	"org.freedesktop.DBus.Error.TimedOut":              true, // of activation
}

// explain gives err the sentinel that it means.
func explain(err error) error {
	var named dbus.Error
	switch {
	case errors.As(err, &named) && noService[named.Name]:
		return fmt.Errorf("%w: %w", ErrNoService, err)
	case errors.Is(err, dbus.ErrClosed), errors.Is(err, io.EOF), errors.As(err, new(*net.OpError)):
		return fmt.Errorf("%w: %w", ErrNoBus, err)
	}
	return err
}
