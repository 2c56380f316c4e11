//go:build unix && !darwin

package session

import (
	"context"

	"github.com/o2fa/o2fa/internal/dbus"
)

// saver is a screen saver as desktops put it on the session bus: a name, an
// interface called the same, and the places where its object may be.
type saver struct {
	name  string
	paths []dbus.Path
}

// savers are those that are listened to.
func savers() []saver {
	return []saver{
		{"org.freedesktop.ScreenSaver", []dbus.Path{"/org/freedesktop/ScreenSaver", "/ScreenSaver"}}, // KDE
		{"org.gnome.ScreenSaver", []dbus.Path{"/org/gnome/ScreenSaver"}},
		{"org.cinnamon.ScreenSaver", []dbus.Path{"/org/cinnamon/ScreenSaver"}},
		{"org.mate.ScreenSaver", []dbus.Path{"/org/mate/ScreenSaver", "/"}},
		{"org.xfce.ScreenSaver", []dbus.Path{"/org/xfce/ScreenSaver", "/"}},
	}
}

// screen is the session bus as far as it tells of the screen.
type screen struct {
	w      *Watcher
	conn   *dbus.Conn
	owners map[string]string // unique names of the savers that there are
}

// listenSession listens to screen savers until the connection or ctx ends.
func (w *Watcher) listenSession(ctx context.Context, conn *dbus.Conn, looked func()) error {
	c := &screen{w: w, conn: conn, owners: map[string]string{}}
	var matches []dbus.Match
	for _, s := range savers() {
		defer w.hears(s.name, false)
		matches = append(matches, ownerOf(s.name), dbus.Match{Sender: s.name, Interface: s.name, Member: "ActiveChanged"})
	}
	signals, err := subscribe(ctx, conn, matches...)
	if err != nil {
		return err
	}
	for _, s := range savers() {
		owner, err := ownerNow(ctx, conn, s.name)
		if err != nil {
			return err
		}
		c.join(ctx, s, owner)
	}
	looked()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case signal, ok := <-signals:
			if !ok {
				return errGone
			}
			c.take(ctx, signal)
		}
	}
}

// join begins with the saver that has the name now; owner is empty for none. One
// that goes says nothing of the screen: what it said last stands.
func (c *screen) join(ctx context.Context, s saver, owner string) {
	c.owners[s.name] = owner
	for _, path := range s.paths {
		if owner == "" {
			break
		}
		if active, err := c.active(ctx, s, owner, path); err == nil {
			c.w.found(ctx, s.name, Locked, active)
			break
		}
	}
	c.w.hears(s.name, owner != "")
}

// active asks a saver, by its unique name, so that none is started.
func (c *screen) active(ctx context.Context, s saver, owner string, path dbus.Path) (active bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	err = c.conn.Object(owner, path).Call(ctx, s.name+".GetActive").Store(&active)
	return active, err
}

// take acts on one signal. What does not come from the saver that has the name
// says nothing: anybody on the bus can send a signal.
func (c *screen) take(ctx context.Context, signal *dbus.Signal) {
	name, owner, isOwner := ownerChanged(signal)
	for _, s := range savers() {
		switch {
		case isOwner && name == s.name:
			c.join(ctx, s, owner)
		case !isOwner && signal.Name == s.name+".ActiveChanged" && c.owners[s.name] != "" && signal.Sender == c.owners[s.name]:
			if active, ok := boolean(signal); ok && active {
				c.w.hold(ctx, s.name, Locked)
			} else if ok {
				c.w.free(ctx, s.name)
			}
		}
	}
}
