//go:build unix && !darwin

package session

import (
	"context"
	"errors"
	"os"
	"slices"
	"strings"

	"github.com/o2fa/o2fa/internal/dbus"
)

// Names of logind, org.freedesktop.login1(5). elogind has the same.
const (
	loginName    = "org.freedesktop.login1"
	loginPath    = dbus.Path("/org/freedesktop/login1")
	managerIface = loginName + ".Manager"
	sessionIface = loginName + ".Session"
)

// logind is the one that knows sessions and sleep, on the system bus.
type logind struct {
	w         *Watcher
	conn      *dbus.Conn
	owner     string // its unique name; empty while nobody has the name
	sessions  map[dbus.Path]loginSession
	inhibitor *os.File // what the machine's sleep waits for; nil if it does not
}

// loginSession is a session of the user.
type loginSession struct {
	id     string
	person bool // somebody has logged in, and not the system's cron
	screen bool // on a screen
}

// holder names a session as one who says that the screen is locked.
func (s loginSession) holder() string { return "session " + s.id }

// matches are for the signals of one session.
func (s loginSession) matches(path dbus.Path) []dbus.Match {
	return []dbus.Match{
		{Sender: loginName, Interface: sessionIface, Path: path},
		{Sender: loginName, Interface: propertiesIface, Path: path, Arg0: sessionIface},
		{Sender: loginName, Interface: managerIface, Member: "SessionRemoved", Arg0: s.id},
	}
}

// listenSystem listens to logind until the connection or ctx ends.
func (w *Watcher) listenSystem(ctx context.Context, conn *dbus.Conn, looked func()) error {
	l := &logind{w: w, conn: conn, sessions: map[dbus.Path]loginSession{}}
	defer l.leave()
	signals, err := subscribe(ctx, conn, ownerOf(loginName),
		dbus.Match{Sender: loginName, Interface: managerIface, Member: "PrepareForSleep"},
		dbus.Match{Sender: loginName, Interface: managerIface, Member: "SessionNew"})
	if err != nil {
		return err
	}
	owner, err := ownerNow(ctx, conn, loginName)
	if err != nil {
		return err
	}
	l.join(ctx, owner)
	looked()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case s, ok := <-signals:
			if !ok {
				return errGone
			}
			l.take(ctx, s)
		}
	}
}

// leave ends listening, and lets the machine sleep.
func (l *logind) leave() {
	l.w.hears(teller, false)
	l.release()
}

// release lets the machine sleep. Where the process is about to be replaced, that
// does it: the descriptor ends with the image.
func (l *logind) release() {
	if l.inhibitor != nil && !l.w.Leaving() {
		l.inhibitor.Close()
		l.inhibitor = nil
	}
}

// join begins with the logind that has the name now; owner is empty for none.
func (l *logind) join(ctx context.Context, owner string) {
	l.owner = owner
	l.release()
	defer l.w.hears(teller, owner != "")
	if owner == "" {
		return
	}
	var list []struct {
		ID   string
		UID  uint32
		User string
		Seat string
		Path dbus.Path
	}
	if err := l.call(ctx, loginPath, managerIface+".ListSessions").Store(&list); err != nil {
		l.w.Log.Warn("listing the user's sessions", "error", err.Error())
		return
	}
	ours := map[dbus.Path]bool{}
	for _, s := range list {
		if s.UID == uint32(os.Getuid()) {
			ours[s.Path] = true
			l.add(ctx, s.Path)
		}
	}
	for path := range l.sessions { // gone while there was no logind
		if !ours[path] {
			l.remove(ctx, path)
		}
	}
	l.forgetOthers()
	var sleeping dbus.Variant
	if err := l.call(ctx, loginPath, propertiesIface+".Get", managerIface, "PreparingForSleep").Store(&sleeping); err == nil {
		now, _ := sleeping.Value().(bool)
		if !now {
			l.inhibit(ctx) // a sleep that has begun waits for nobody new
		}
		l.w.found(ctx, asleep, Sleeping, now)
	}
}

// forgetOthers drops sessions that held the screen and are no more.
func (l *logind) forgetOthers() {
	for _, holder := range l.w.Held() {
		there := false
		for _, s := range l.sessions {
			there = there || s.holder() == holder
		}
		if strings.HasPrefix(holder, loginSession{}.holder()) && !there {
			l.w.forget(holder)
		}
	}
}

// call calls the logind that has the name, by its unique one: nothing is started.
func (l *logind) call(ctx context.Context, path dbus.Path, method string, args ...any) dbus.Reply {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	return l.conn.Object(l.owner, path).Call(ctx, method, args...)
}

// inhibit makes the machine's sleep wait for the lock.
func (l *logind) inhibit(ctx context.Context) {
	l.release()
	var fd dbus.FD
	err := l.call(ctx, loginPath, managerIface+".Inhibit", "sleep", "o2fa", "locking the vault", "delay").Store(&fd)
	if err != nil {
		l.w.Log.Info("the machine may sleep before the vault is locked", "reason", err.Error())
		return
	}
	l.inhibitor = os.NewFile(uintptr(fd), "inhibitor")
}

// take acts on one signal. What does not come from the logind that has the name
// says nothing.
func (l *logind) take(ctx context.Context, s *dbus.Signal) {
	if name, owner, ok := ownerChanged(s); ok {
		if name == loginName {
			l.join(ctx, owner)
		}
		return
	}
	if l.owner == "" || s.Sender != l.owner {
		return
	}
	session, ours := l.sessions[s.Path]
	switch s.Name {
	case managerIface + ".PrepareForSleep":
		if begins, ok := boolean(s); ok {
			l.sleep(ctx, begins)
		}
	case managerIface + ".SessionNew", managerIface + ".SessionRemoved":
		if path, ok := second[dbus.Path](s); ok && strings.HasSuffix(s.Name, "New") {
			l.add(ctx, path)
		} else if ok {
			l.remove(ctx, path)
		}
	case sessionIface + ".Lock":
		if ours {
			l.w.ask(ctx)
		}
	case sessionIface + ".Unlock":
		if ours {
			l.w.free(ctx, asked)
		}
	case propertiesIface + ".PropertiesChanged":
		if changed, ok := second[map[string]dbus.Variant](s); ok && ours {
			l.changed(ctx, session, changed)
		}
	}
}

// second returns the second argument of a signal.
func second[T any](s *dbus.Signal) (value T, ok bool) {
	if len(s.Body) < 2 {
		return value, false
	}
	value, ok = s.Body[1].(T)
	return value, ok
}

// sleep handles that the machine goes to sleep, which waits for it, or wakes.
func (l *logind) sleep(ctx context.Context, begins bool) {
	if begins {
		l.w.hold(ctx, asleep, Sleeping)
		l.release()
		return
	}
	l.inhibit(ctx)
	l.w.free(ctx, asleep)
}

// changed handles properties of a session that changed.
func (l *logind) changed(ctx context.Context, s loginSession, changed map[string]dbus.Variant) {
	locked, ok := changed["LockedHint"].Value().(bool)
	switch {
	case !ok:
	case locked:
		l.w.hold(ctx, s.holder(), Locked)
	default:
		l.w.free(ctx, s.holder())
	}
}

// add begins to listen to a session, if it is the user's and new.
func (l *logind) add(ctx context.Context, path dbus.Path) {
	all, err := l.properties(ctx, path)
	if err != nil || !isOurs(all) {
		return
	}
	s, known := l.sessions[path]
	if !known {
		s = newSession(all)
		subscribing, cancel := context.WithTimeout(ctx, callTime)
		err := l.conn.Subscribe(subscribing, s.matches(path)...)
		cancel()
		if err == nil {
			all, err = l.properties(ctx, path) // which may have changed before
		}
		if err != nil {
			l.w.Log.Warn("listening to a session", "error", err.Error())
			return
		}
		l.sessions[path] = s
	}
	locked, _ := all["LockedHint"].Value().(bool)
	l.w.found(ctx, s.holder(), Locked, locked)
}

// properties returns all that logind says of a session.
func (l *logind) properties(ctx context.Context, path dbus.Path) (all map[string]dbus.Variant, err error) {
	err = l.call(ctx, path, propertiesIface+".GetAll", sessionIface).Store(&all)
	return all, err
}

func newSession(properties map[string]dbus.Variant) (s loginSession) {
	s.id, _ = properties["Id"].Value().(string)
	class, _ := properties["Class"].Value().(string)
	kind, _ := properties["Type"].Value().(string)
	s.person = strings.HasPrefix(class, "user")
	s.screen = s.person && slices.Contains([]string{"x11", "wayland", "mir"}, kind)
	return s
}

// isOurs says whether a session belongs to this user.
func isOurs(properties map[string]dbus.Variant) bool {
	user, ok := properties["User"].Value().([]any)
	if !ok || len(user) == 0 {
		return false
	}
	uid, ok := user[0].(uint32)
	return ok && uid == uint32(os.Getuid())
}

// drop ends listening to a session.
func (l *logind) drop(ctx context.Context, path dbus.Path, s loginSession) {
	delete(l.sessions, path)
	l.w.forget(s.holder())
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	if err := l.conn.Unsubscribe(ctx, s.matches(path)...); err != nil && !errors.Is(err, dbus.ErrNoBus) {
		l.w.Log.Warn("listening to a session", "error", err.Error())
	}
}

// remove handles the end of a session.
func (l *logind) remove(ctx context.Context, path dbus.Path) {
	s, ours := l.sessions[path]
	if !ours {
		return
	}
	l.drop(ctx, path, s)
	last := true
	for _, other := range l.sessions {
		last = last && !other.person
	}
	if s.person && (s.screen || last) {
		l.w.ended(ctx)
	}
}
