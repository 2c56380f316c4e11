//go:build unix && !darwin

package keystore

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/o2fa/o2fa/internal/dbus"
)

// secretService is the Secret Service on a connection of our own.
type secretService struct {
	conn    *dbus.Conn
	address string // of the bus
}

func (s secretService) service() dbus.Object { return s.conn.Object(secretsName, secretsPath) }

// start makes sure that the service is on the bus. A service without a file of
// its own for the bus, as KeePassXC may be, can be there but not be started.
func (s secretService) start(ctx context.Context) error {
	var there bool
	if err := s.conn.Bus().Call(ctx, dbus.BusName+".NameHasOwner", secretsName).Store(&there); err != nil || there {
		return err
	}
	const noFlags = uint32(0)
	return s.conn.Bus().Call(ctx, dbus.BusName+".StartServiceByName", secretsName, noFlags).Store(new(uint32))
}

// collection returns the collection that go-keyring would use: login, else the
// default one.
func (s secretService) collection(ctx context.Context) (dbus.Path, error) {
	var collections []dbus.Path
	if err := s.service().Property(ctx, serviceIface, "Collections", &collections); err != nil {
		return "", err
	}
	if slices.Contains(collections, loginCollection) {
		return loginCollection, nil
	}
	var path dbus.Path
	if err := s.service().Call(ctx, serviceIface+".ReadAlias", "default").Store(&path); err != nil {
		return "", err
	}
	if path == none {
		return "", fmt.Errorf("%w: it has no default collection (make one with seahorse, or log in to the desktop once)", ErrUnavailable)
	}
	return path, nil
}

// unlock unlocks collection where that takes no person, and returns the prompt
// where it does. The property Locked would not do: gnome-keyring calls a
// keyring without password locked until its first use.
func (s secretService) unlock(ctx context.Context, collection dbus.Path) (prompt dbus.Path, err error) {
	var unlocked []dbus.Path
	err = s.service().Call(ctx, serviceIface+".Unlock", []dbus.Path{collection}).Store(&unlocked, &prompt)
	if err == nil && prompt == none && len(unlocked) == 0 {
		return "", fmt.Errorf("%w: it refuses to unlock %s", ErrKeyringLocked, collection)
	}
	return prompt, err
}

// dialog is the keyring's dialog as it is on the screen. It keeps its
// connection until a person answers, also when nobody waits for it any more:
//
//   - gnome-keyring aborts when a prompt that is shown gets Dismiss, or when any
//     prompt gets it while another program's is shown (seen with 42.1; its queue
//     of prompts has been so since 2014). So Dismiss is never called.
//   - A prompt whose connection is closed stays on the screen, and its answer
//     makes gnome-keyring complain.
//   - Each further prompt would wait behind it and be shown after it.
//
// So a request that meets a dialog of ours waits for that one.
type dialog struct {
	address string
	done    chan struct{} // closed when the dialog is gone

	// Set before done is closed.
	dismissed bool
	err       error // the keyring or the bus went away

	mu       sync.Mutex
	over     bool   // done is closed; guarded by mu
	answered func() // called then if it was answered; guarded by mu
}

// afterwards has f called once the dialog is answered, from another goroutine. Of
// several calls the last one counts.
func (d *dialog) afterwards(f func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.answered = f; d.over {
		go d.tell()
	}
}

// end closes done, and tells who no longer waits.
func (d *dialog) end() {
	d.mu.Lock()
	d.over = true
	close(d.done)
	d.mu.Unlock()
	d.tell()
}

// tell calls the function of afterwards, if there is one and the dialog was
// answered.
func (d *dialog) tell() {
	d.mu.Lock()
	f := d.answered
	d.answered = nil
	d.mu.Unlock()
	if f != nil && !d.dismissed && d.err == nil {
		f()
	}
}

// shown is the dialog that was last shown; it belongs to the holder of slot.
var shown *dialog

// open reports whether d is still on the screen of the bus at address.
func (d *dialog) open(address string) bool {
	if d == nil || d.address != address {
		return false
	}
	select {
	case <-d.done:
		return false
	default:
		return true
	}
}

const promptIface = "org.freedesktop.Secret.Prompt"

// show shows the dialog of prompt. It takes over the connection of s.
func show(ctx context.Context, s secretService, prompt dbus.Path) (*dialog, error) {
	signals, err := s.conn.Signals(ctx,
		dbus.Match{Sender: secretsName, Interface: promptIface},
		dbus.Match{Sender: dbus.BusName, Interface: dbus.BusName, Arg0: secretsName})
	if err == nil {
		const noWindow = "" // it belongs to no window of ours
		err = s.conn.Object(secretsName, prompt).Call(ctx, promptIface+".Prompt", noWindow).Store()
	}
	if err != nil {
		s.conn.Close()
		return nil, err
	}
	d := &dialog{address: s.address, done: make(chan struct{})}
	go func() {
		defer d.end()
		defer s.conn.Close()
		d.dismissed, d.err = gone(signals, prompt)
	}()
	return d, nil
}

// gone waits until the dialog of prompt is gone and reports whether it was
// dismissed instead of answered.
func gone(signals <-chan *dbus.Signal, prompt dbus.Path) (dismissed bool, err error) {
	for signal := range signals {
		switch {
		case signal.Name == promptIface+".Completed" && signal.Path == prompt && len(signal.Body) > 0:
			dismissed, _ := signal.Body[0].(bool)
			return dismissed, nil
		case lostOwner(signal, secretsName):
			return false, fmt.Errorf("%w: it ended while it asked", dbus.ErrNoService)
		}
	}
	return false, fmt.Errorf("%w: it ended while the keyring asked", dbus.ErrNoBus)
}

// lostOwner reports whether signal says that name has no owner any more.
func lostOwner(signal *dbus.Signal, name string) bool {
	if signal.Name != dbus.BusName+".NameOwnerChanged" || len(signal.Body) != 3 {
		return false
	}
	return signal.Body[0] == name && signal.Body[2] == ""
}
