package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/o2fa/o2fa"
	"github.com/o2fa/o2fa/daemon/internal/vault"
	"github.com/o2fa/o2fa/ipc"
	"github.com/o2fa/o2fa/ipc/socket"
)

// What Go's own parts have kept of keys cannot be wiped, so a lock replaces the
// image of the process: requests in flight end, everything closes, and o2fad
// executes itself again, locked. It keeps its number, the profile's lock and the
// socket; who connects meanwhile waits in the kernel's queue. Who asked for the
// lock gets the reply from the next image.
//
// On Windows the next image is another process. It is started before this one
// ends, and takes over the lock; who asked is told to ask that one.

// relaunchTime is how long requests in flight may take when the image is replaced.
const relaunchTime = time.Second

// handoverFormat is the number of the form of a Handover. An image that finds
// another one does not guess.
const handoverFormat = 1

// Handover is what one image of the daemon's process leaves to the next: what to
// go on with, and nothing secret.
type Handover struct {
	Format   int            `json:"format"`
	Started  time.Time      `json:"started"` // of the first image
	LockedBy ipc.LockReason `json:"locked_by"`
	LockedAt time.Time      `json:"locked_at"`
	Opened   handedMoment   `json:"opened"` // as lockMemory has them
	Used     handedMoment   `json:"used"`
	Held     []string       `json:"held,omitempty"`    // who said that the screen is locked, or the machine asleep
	Desktop  *ipc.Desktop   `json:"desktop,omitempty"` // what a client has lent
	Log      []handedRow    `json:"log,omitempty"`     // rows that wait for the vault, oldest first
	passed

	heritage *heritage // as it stands in this process; nil before it is taken over
	failed   error     // why this is no new image; nil if it is one
}

// handedMoment is a moment as it is handed over; both of its clocks go on.
type handedMoment struct {
	Up   time.Duration `json:"up"` // nanoseconds
	Wall time.Time     `json:"wall"`
}

// handedRow is a row of the log that waits.
type handedRow struct {
	At   int64  `json:"at"`   // Unix milliseconds
	Data []byte `json:"data"` // an event
}

// maxHanded bounds, in bytes, the rows that are handed over: all of it has to fit
// into one variable of the environment.
const maxHanded = 32 << 10

// keepRows puts in the newest rows that fit, and counts the others as lost.
func (h *Handover) keepRows(rows []vault.LogRow) (lost int) {
	size := 0
	for i, row := range slices.Backward(rows) {
		if size += len(row.Data) + 64; size > maxHanded {
			rows, lost = rows[i+1:], i+1
			break
		}
	}
	for _, row := range rows {
		h.Log = append(h.Log, handedRow{row.At, row.Data})
	}
	return lost
}

// rows returns what keepRows put in.
func (h *Handover) rows() []vault.LogRow {
	rows := make([]vault.LogRow, 0, len(h.Log))
	for _, row := range h.Log {
		rows = append(rows, vault.LogRow{At: row.At, Data: row.Data})
	}
	return rows
}

// remember puts in what the lock remembers.
func (h *Handover) remember(m lockMemory) {
	h.LockedBy, h.LockedAt = m.by, m.at
	h.Opened, h.Used = handedMoment{m.opened.up, m.opened.wall}, handedMoment{m.used.up, m.used.wall}
}

// memory returns what the lock remembered.
func (h *Handover) memory() lockMemory {
	return lockMemory{by: h.LockedBy, at: h.LockedAt,
		opened: moment{h.Opened.Up, h.Opened.Wall}, used: moment{h.Used.Up, h.Used.Wall}}
}

// heritage is what a daemon holds in its process for its successor.
type heritage struct {
	lock     *socket.Lock
	listener net.Listener
	askers   []net.Conn // wait for the status as their reply
	fresh    []net.Conn // nothing was read of them yet
}

// ParseHandover reads what Config.Relaunch was given. The text may come from
// anywhere: what it names is checked when the daemon runs.
func ParseHandover(text string) (*Handover, error) {
	h := &Handover{}
	dec := json.NewDecoder(strings.NewReader(text))
	dec.DisallowUnknownFields()
	err := dec.Decode(h)
	if err == nil {
		if _, more := dec.Token(); !errors.Is(more, io.EOF) {
			err = errors.New("more than one value")
		}
	}
	switch {
	case err != nil:
		return nil, errors.New("reading what the daemon before left: it is not the JSON expected")
	case h.Format != handoverFormat:
		return nil, fmt.Errorf("reading what the daemon before left: its format is %d, not %d", h.Format, handoverFormat)
	case !regexp.MustCompile(`^[a-z_]{0,32}$`).MatchString(string(h.LockedBy)):
		return nil, errors.New("reading what the daemon before left: it does not say why the vault is locked")
	case len(h.Log) > mostWaiting || slices.ContainsFunc(h.Log, func(r handedRow) bool { return len(r.Data) > vault.MaxLogRow }):
		return nil, errors.New("reading what the daemon before left: its log is too long")
	}
	return h, nil
}

// leaves reports whether the image is to be replaced. The end of the daemon,
// for whatever reason, goes before that.
func (d *Daemon) leaves() bool { return d.again.Load() && !d.quit.Load() }

// leave makes the daemon replace its image, where it can. A session of Windows
// that ends starts no process any more, and takes this one with it.
func (d *Daemon) leave(why ipc.LockReason) {
	if d.cfg.Relaunch == nil || !inherits && why == ipc.LockLogout {
		return
	}
	d.keeper.interruptAll() // an unlock that comes now would be for nothing
	d.again.Store(true)
	d.halt()
}

// relaunch executes o2fad again. It returns only when that fails, with a daemon
// that goes on in this image, locked as the next one would be.
func (d *Daemon) relaunch(in *heritage) *Daemon {
	h := &Handover{Format: handoverFormat, Started: d.started, Held: d.watch.held, Desktop: d.desktop.lent(), heritage: in}
	h.remember(d.autolock.remember())
	waiting, _ := d.audit.peek()
	if lost := h.keepRows(waiting); lost > 0 {
		d.log.Warn("the log of requests loses rows: too many wait for the vault", "rows", lost)
	}
	err := h.pass()
	if err == nil {
		var text []byte
		if text, err = json.Marshal(h); err == nil {
			err = d.cfg.Relaunch(string(text))
		}
	}
	if !inherits {
		in.dismiss(d.refer)
	}
	if err == nil { // on Windows: the successor waits for us to end
		return nil
	}
	d.log.Error("executing o2fad again", "error", err.Error())
	h.failed = errors.Join(err, h.keep())
	cfg := d.cfg
	cfg.Handover = h
	return New(cfg)
}

// succeed goes on with what the image before has left to the one that serves now.
// A desktop that was lent is looked at as if a client lent it again.
func (d *Daemon) succeed(ctx context.Context) {
	h := d.cfg.Handover
	if h == nil {
		return
	}
	d.desktop.adopt(ctx, h.Desktop)
	d.keeper.held.Store(h.failed != nil) // it is the same image
}

// memoryWarnings say where keys may be found that should not be there.
func (d *Daemon) memoryWarnings() (list []ipc.Warning) {
	if v := d.keeper.vaultNow(); v != nil {
		if err := v.Exposed(); err != nil {
			list = append(list, ipc.Warning{Code: "memory", Message: "the vault key may be written to swap while the vault is open: " + err.Error(),
				Hint: "allow this user some locked memory (ulimit -l)"})
		}
	}
	if h := d.cfg.Handover; h != nil && h.failed != nil {
		list = append(list, ipc.Warning{Code: "relaunch",
			Message: "locking wiped what it could, but did not replace the process: root may find traces of keys in its memory: " + h.failed.Error(),
			Hint:    fmt.Sprintf("kill %d ends the daemon; the next command starts it", d.pid)})
	}
	return list
}

// byNext is the reply of a handler whose request the next image answers.
type byNext struct{}

// leaveTo keeps a connection for the next image to answer.
func (d *Daemon) leaveTo(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		d.writeError(w, fmt.Errorf("keeping the connection: %w", err))
		return
	}
	d.askersMu.Lock()
	d.askers = append(d.askers, conn)
	d.askersMu.Unlock()
	if v, ok := conn.(*visitor); ok {
		v.door.left(v)
	}
}

// statusRequest stands before what an asker sends next: its reply is what the
// asker waits for.
const statusRequest = "GET " + ipc.PathStatus + " HTTP/1.1\r\nHost: o2fa\r\nConnection: close\r\n\r\n"

// asker is a connection with a request of our own before what it has to say.
type asker struct {
	net.Conn
	request io.Reader
}

func newAsker(conn net.Conn) *asker {
	return &asker{Conn: conn, request: strings.NewReader(statusRequest)}
}

// Read reads the request, then what the other end sends.
func (a *asker) Read(p []byte) (int, error) {
	if n, _ := a.request.Read(p); n > 0 {
		return n, nil
	}
	return a.Conn.Read(p)
}

// early returns the connections to let in first, those who wait longest before
// the others.
func (h *heritage) early() []net.Conn {
	conns := make([]net.Conn, 0, len(h.askers)+len(h.fresh))
	for _, conn := range h.askers {
		conns = append(conns, newAsker(conn))
	}
	conns = append(conns, h.fresh...)
	h.askers, h.fresh = nil, nil
	return conns
}

// inherit sorts the connections that are left when nobody serves any more.
func (h *heritage) inherit(askers, back []net.Conn) {
	for _, conn := range askers {
		h.askers = append(h.askers, bare(conn))
	}
	for _, conn := range back {
		if a, ok := conn.(*asker); ok {
			h.askers = append(h.askers, bare(a))
			continue
		}
		h.fresh = append(h.fresh, conn)
	}
}

// dismiss ends the connections when there is no next image after all.
func (h *heritage) dismiss(answer func(net.Conn)) {
	for _, conn := range h.askers {
		answer(conn)
		conn.Close()
	}
	for _, conn := range h.fresh {
		conn.Close()
	}
	h.askers, h.fresh = nil, nil
}

// refer tells an asker to ask the successor.
func (d *Daemon) refer(conn net.Conn) {
	d.tell(conn, http.StatusSeeOther, "Location: "+ipc.PathStatus+"\r\n", nil)
}

// refuse tells an asker that the daemon ends instead.
func (d *Daemon) refuse(conn net.Conn) {
	body, err := marshal(ipc.ErrorReply{Error: errShuttingDown})
	if err != nil {
		return
	}
	d.tell(conn, errShuttingDown.Status(), "Content-Type: application/json\r\n", body)
}

// tell writes a reply where no server does any more.
func (d *Daemon) tell(conn net.Conn, status int, headers string, body []byte) {
	_ = conn.SetDeadline(time.Now().Add(time.Second))
	fmt.Fprintf(conn, "HTTP/1.1 %d %s\r\n%sContent-Length: %d\r\nCache-Control: no-store\r\nConnection: close\r\n%s: %d\r\n%s: %s\r\n%s: %s\r\n\r\n%s",
		status, http.StatusText(status), headers, len(body),
		ipc.HeaderVersion, ipc.Version, ipc.HeaderRelease, o2fa.Version(), ipc.HeaderProfile, d.cfg.Profile.ID, body)
}
