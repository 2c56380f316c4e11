// Package client is the typed client of the local API. It owns the exchange
// with the daemon over its socket and the decision to start or replace one. It
// knows nothing of terminals and commands, and it links no net/http: how soon a
// code appears is decided by what the command line links.
package client

import (
	"context"
	"encoding/json"
	"strconv"
	"time"

	"github.com/o2fa/o2fa/ipc"
	"github.com/o2fa/o2fa/ipc/socket"
)

// Client talks to the daemon of one profile, and starts it where none answers.
// The zero value serves the profile of this process's environment. A Client may
// be used by several goroutines at once; its fields must not change meanwhile.
//
// Every error wraps an *ipc.Error, so that errors.Is works with the sentinels of
// package ipc: the daemon's own, or one made here, mostly ipc.ErrUnavailable. An
// ended context shows as context.Canceled or context.DeadlineExceeded as well.
type Client struct {
	// Profile is the profile to serve; nil means socket.Default().
	Profile *socket.Profile
	// Daemon is the o2fad to start. "" means the one beside this program's own
	// executable, links resolved, then ../libexec/o2fa/o2fad from there.
	Daemon string
	// NoStart keeps the client from starting or replacing a daemon.
	NoStart bool
	// Environ is the environment for a daemon that is started; nil means
	// Profile.Environ(), which leaves out what a daemon has no use for.
	Environ []string

	patience time.Duration // for tests; 0 means defaultPatience
}

// Request is one call of the local API.
type Request struct {
	Method string
	Path   string            // one of ipc.Path…
	Query  map[string]string // escaped by Do
	Body   any               // marshalled as JSON; nil sends none
	Accept string            // "" means application/json
}

// Do sends r and returns the body of a reply that is a success, as it came. A
// context that ends interrupts it at any point.
func (c *Client) Do(ctx context.Context, r Request) ([]byte, error) {
	p, err := c.profile()
	if err != nil {
		return nil, unavailable(err, "", "finding the profile")
	}
	return (&session{Client: c, profile: p, addr: p.Socket}).do(ctx, r)
}

// Status tells what the daemon can do at the moment.
func (c *Client) Status(ctx context.Context) (ipc.Status, error) {
	return call[ipc.Status](ctx, c, Request{Method: "GET", Path: ipc.PathStatus})
}

// Init makes the vault.
func (c *Client) Init(ctx context.Context, r ipc.InitRequest) (ipc.InitReply, error) {
	return call[ipc.InitReply](ctx, c, Request{Method: "POST", Path: ipc.PathInit, Body: r})
}

// Lock makes the daemon forget the vault key. It starts none: what does not run
// holds no key, and that shows as ipc.ErrUnavailable.
func (c *Client) Lock(ctx context.Context) (ipc.Status, error) {
	return call[ipc.Status](ctx, c.withoutStart(), Request{Method: "POST", Path: ipc.PathLock})
}

// Unlock opens the vault.
func (c *Client) Unlock(ctx context.Context, r ipc.UnlockRequest) (ipc.Status, error) {
	return call[ipc.Status](ctx, c, Request{Method: "POST", Path: ipc.PathUnlock, Body: r})
}

// Slots changes the key slots.
func (c *Client) Slots(ctx context.Context, r ipc.SlotsRequest) (ipc.SlotsReply, error) {
	return call[ipc.SlotsReply](ctx, c, Request{Method: "POST", Path: ipc.PathSlots, Body: r})
}

// Entries lists the entries that match search, all for "". Secrets come along
// only if secrets says so.
func (c *Client) Entries(ctx context.Context, search string, secrets bool) (ipc.Entries, error) {
	query := map[string]string{}
	if search != "" {
		query["search"] = search
	}
	if secrets {
		query["secrets"] = "true"
	}
	return call[ipc.Entries](ctx, c, Request{Method: "GET", Path: ipc.PathEntries, Query: query})
}

// Add adds one entry.
func (c *Client) Add(ctx context.Context, r ipc.AddRequest) (ipc.AddReply, error) {
	return call[ipc.AddReply](ctx, c, Request{Method: "POST", Path: ipc.PathEntries, Body: r})
}

// Find finds entries by exact name, by secret, or by both.
func (c *Client) Find(ctx context.Context, r ipc.FindRequest) (ipc.Entries, error) {
	return call[ipc.Entries](ctx, c, Request{Method: "POST", Path: ipc.PathFind, Body: r})
}

// Entry returns all that there is to say of the entry called name; its secret
// and URI only if secrets says so.
func (c *Client) Entry(ctx context.Context, name string, secrets bool) (ipc.EntryDetail, error) {
	query := map[string]string{"name": name}
	if secrets {
		query["secrets"] = "true"
	}
	return call[ipc.EntryDetail](ctx, c, Request{Method: "GET", Path: ipc.PathEntry, Query: query})
}

// Edit changes an entry.
func (c *Client) Edit(ctx context.Context, r ipc.EditRequest) (ipc.EditReply, error) {
	return call[ipc.EditReply](ctx, c, Request{Method: "POST", Path: ipc.PathEdit, Body: r})
}

// Delete moves entries to the trash.
func (c *Client) Delete(ctx context.Context, r ipc.DeleteRequest) (ipc.DeleteReply, error) {
	return call[ipc.DeleteReply](ctx, c, Request{Method: "POST", Path: ipc.PathDelete, Body: r})
}

// Code returns the code of the entry called name. A totp code lives for at
// least minValid: one about to change is passed over for the next.
func (c *Client) Code(ctx context.Context, name string, minValid time.Duration) (ipc.Code, error) {
	query := map[string]string{"name": name}
	if minValid > 0 {
		query["min_valid"] = minValid.String()
	}
	return call[ipc.Code](ctx, c, Request{Method: "POST", Path: ipc.PathCode, Query: query})
}

// Trash lists the entries in the trash.
func (c *Client) Trash(ctx context.Context) (ipc.Entries, error) {
	return call[ipc.Entries](ctx, c, Request{Method: "GET", Path: ipc.PathTrash})
}

// Restore brings entries back from the trash.
func (c *Client) Restore(ctx context.Context, r ipc.RestoreRequest) (ipc.RestoreReply, error) {
	return call[ipc.RestoreReply](ctx, c, Request{Method: "POST", Path: ipc.PathRestore, Body: r})
}

// Empty removes entries from the trash for good.
func (c *Client) Empty(ctx context.Context, r ipc.EmptyRequest) (ipc.EmptyReply, error) {
	return call[ipc.EmptyReply](ctx, c, Request{Method: "POST", Path: ipc.PathEmpty, Body: r})
}

// Undo takes the last change back.
func (c *Client) Undo(ctx context.Context) (ipc.UndoReply, error) {
	return call[ipc.UndoReply](ctx, c, Request{Method: "POST", Path: ipc.PathUndo})
}

// Config tells the daemon's configuration as it is in force.
func (c *Client) Config(ctx context.Context) (ipc.Config, error) {
	return call[ipc.Config](ctx, c, Request{Method: "GET", Path: ipc.PathConfig})
}

// Configure changes config.toml and tells the configuration after that.
func (c *Client) Configure(ctx context.Context, r ipc.ConfigRequest) (ipc.Config, error) {
	return call[ipc.Config](ctx, c, Request{Method: "POST", Path: ipc.PathConfig, Body: r})
}

// Log returns the last most rows of the log, all for 0, that concern the entry
// called name, any for "", and are not older than since, for 0 of any age.
func (c *Client) Log(ctx context.Context, most int, name string, since time.Duration) (ipc.Log, error) {
	query := map[string]string{"n": strconv.Itoa(most)}
	if name != "" {
		query["name"] = name
	}
	if since > 0 {
		query["since"] = since.String()
	}
	return call[ipc.Log](ctx, c, Request{Method: "GET", Path: ipc.PathLog, Query: query})
}

// ClearLog removes all rows of the log.
func (c *Client) ClearLog(ctx context.Context) error {
	_, err := c.Do(ctx, Request{Method: "POST", Path: ipc.PathLogClear})
	return err
}

// Doctor has the daemon look for what is wrong.
func (c *Client) Doctor(ctx context.Context) (ipc.Doctor, error) {
	return call[ipc.Doctor](ctx, c, Request{Method: "GET", Path: ipc.PathDoctor})
}

// SecretsFile tells of open2fa's secrets.json.
func (c *Client) SecretsFile(ctx context.Context) (ipc.SecretsFile, error) {
	return call[ipc.SecretsFile](ctx, c, Request{Method: "GET", Path: ipc.PathSecretsFile})
}

// SetSecretsFile sets what becomes of secrets.json, and tells what has.
func (c *Client) SetSecretsFile(ctx context.Context, r ipc.SecretsFileRequest) (ipc.SecretsFile, error) {
	return call[ipc.SecretsFile](ctx, c, Request{Method: "POST", Path: ipc.PathSecretsFile, Body: r})
}

// ResetPlan tells what Reset would remove and leave. It changes nothing.
func (c *Client) ResetPlan(ctx context.Context, r ipc.ResetRequest) (ipc.ResetReply, error) {
	query := map[string]string{}
	if r.Backups {
		query["backups"] = "true"
	}
	return call[ipc.ResetReply](ctx, c, Request{Method: "GET", Path: ipc.PathReset, Query: query})
}

// Reset removes the vault and all that belongs to it, for good, and ends the
// daemon: see AwaitEnd.
func (c *Client) Reset(ctx context.Context, r ipc.ResetRequest) (ipc.ResetReply, error) {
	return call[ipc.ResetReply](ctx, c, Request{Method: "POST", Path: ipc.PathReset, Body: r})
}

// AwaitEnd waits until no daemon serves the profile, after one was asked to end.
// It gives up after ten seconds.
func (c *Client) AwaitEnd(ctx context.Context) error {
	p, err := c.profile()
	if err != nil {
		return unavailable(err, "", "finding the profile")
	}
	err = poll(ctx, 2*defaultPatience, func() (bool, error) {
		if p.Fixed { // its lock may be on another machine
			_, err := c.withoutStart().Status(ctx)
			return err != nil, nil
		}
		_, held, err := socket.ReadLock(p)
		return !held, err
	})
	if err != nil {
		return unavailable(err, "", "waiting for the daemon to end")
	}
	return nil
}

// Shutdown ends the daemon after the requests in flight. It starts none; that
// none runs shows as ipc.ErrUnavailable.
func (c *Client) Shutdown(ctx context.Context, r ipc.ShutdownRequest) error {
	_, err := c.withoutStart().Do(ctx, Request{Method: "POST", Path: ipc.PathShutdown, Body: r})
	return err
}

// withoutStart returns a copy of c that starts and replaces nothing.
func (c *Client) withoutStart() *Client {
	quiet := *c
	quiet.NoStart = true
	return &quiet
}

func (c *Client) profile() (socket.Profile, error) {
	if c.Profile != nil {
		return *c.Profile, nil
	}
	return socket.Default()
}

// call is Do with the reply decoded as T.
func call[T any](ctx context.Context, c *Client, r Request) (T, error) {
	var out T
	raw, err := c.Do(ctx, r)
	if err != nil {
		return out, err
	}
	if json.Unmarshal(raw, &out) != nil {
		// Not json's own text: it could quote the reply.
		return out, unavailable(nil, "", "reading the daemon's reply to %s: %d bytes that are not the JSON expected", r.Path, len(raw))
	}
	return out, nil
}
