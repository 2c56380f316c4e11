package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/o2fa/o2fa/daemon/internal/keystore"
	"github.com/o2fa/o2fa/daemon/internal/vault"
	"github.com/o2fa/o2fa/internal/secret"
	"github.com/o2fa/o2fa/ipc"
)

// note puts into the log that the one behind ctx did something.
func (d *Daemon) note(ctx context.Context, e event) {
	if d.settings.logs() { // else there is no need to know who it is
		d.audit.note(e.by(ctx))
	}
}

// noteOnce is note for what programs ask again and again.
func (d *Daemon) noteOnce(ctx context.Context, e event) {
	if d.settings.logs() {
		d.audit.noteOnce(e.by(ctx))
	}
}

// storeLog stores what the log has in memory.
func (d *Daemon) storeLog(ctx context.Context) error {
	return d.keeper.use(ctx, (*vault.Vault).FlushLog)
}

// logQuery says which rows are wanted.
type logQuery struct {
	most  int // 0 is all
	since time.Time
	ids   []string // of one of these entries; none is any
}

func (d *Daemon) getLog(r *http.Request) (any, error) {
	query := r.URL.Query()
	q, err := parseLogQuery(query.Get("n"), query.Get("since"), d.now())
	if err != nil {
		return nil, err
	}
	reply := ipc.Log{Rows: []ipc.LogRow{}, On: d.settings.logs()}
	waiting, unstored := d.audit.peek()
	err = d.keeper.use(r.Context(), func(v *vault.Vault) error {
		rows, err := v.Log()
		switch {
		case errors.Is(err, vault.ErrCorrupt):
			reply.Problem = "a part of the log is damaged, and left out"
		case err != nil:
			return err
		case unstored != nil:
			reply.Problem = "new rows are not stored: " + d.keeper.problemOf(unstored).Message
		}
		rows = append(rows, waiting...)
		if name := query.Get("name"); name != "" {
			if q.ids, err = entriesOf(v, name, rows); err != nil {
				return err
			}
		}
		reply.Rows, reply.Total = q.pick(v, rows)
		return nil
	})
	return reply, err
}

func parseLogQuery(most, since string, now time.Time) (q logQuery, err error) {
	if most != "" {
		if q.most, err = strconv.Atoi(most); err != nil || q.most < 0 {
			return q, &ipc.Error{Code: ipc.CodeBadRequest, Message: "n must be a number of rows, 0 for all"}
		}
	}
	if since != "" {
		d, err := parseSpan(since)
		if err != nil || d < 0 {
			return q, &ipc.Error{Code: ipc.CodeBadRequest, Message: "since must be a time such as 90m, 24h or 7d", Hint: "o2fa log --since 24h"}
		}
		q.since = now.Add(-d)
	}
	return q, nil
}

// parseSpan is time.ParseDuration, which knows no days.
func parseSpan(text string) (time.Duration, error) {
	if number, ok := strings.CutSuffix(text, "d"); ok {
		days, err := strconv.ParseUint(number, 10, 16)
		return time.Duration(days) * 24 * time.Hour, err
	}
	return time.ParseDuration(text)
}

// entriesOf returns the ids that a name means in the log: those of a live entry,
// of entries in the trash, or, by an id, of one that is gone.
func entriesOf(v *vault.Vault, name string, rows []vault.LogRow) ([]string, error) {
	s, err := resolve(v, name)
	if err == nil {
		return []string{s.ID.String()}, nil
	}
	if trashed, trashErr := findTrashed(v, name, nil); trashErr == nil && len(trashed) > 0 {
		ids := make([]string, len(trashed))
		for i, s := range trashed {
			ids[i] = s.ID.String()
		}
		return ids, nil
	}
	if begin := strings.ToLower(name); len(begin) >= leastDigits {
		for _, row := range rows {
			for _, id := range readEvent(row).IDs {
				if strings.HasPrefix(id, begin) {
					return []string{id}, nil
				}
			}
		}
	}
	return nil, err
}

// pick returns the last rows that match, and how many do.
func (q logQuery) pick(v *vault.Vault, rows []vault.LogRow) (picked []ipc.LogRow, total int) {
	names := map[string]ipc.LogEntry{}
	picked = []ipc.LogRow{}
	for _, row := range slices.Backward(rows) {
		e := readEvent(row)
		if row.At < q.since.UnixMilli() && !q.since.IsZero() || !q.wants(e) {
			continue
		}
		if total++; q.most > 0 && total > q.most {
			continue
		}
		picked = append(picked, wireEvent(v, row.At, e, names))
	}
	slices.Reverse(picked)
	return picked, total
}

func (q logQuery) wants(e event) bool {
	return q.ids == nil || slices.ContainsFunc(e.IDs, func(id string) bool { return slices.Contains(q.ids, id) })
}

// readEvent reads a row; one that it cannot read says nothing.
func readEvent(row vault.LogRow) (e event) {
	_ = json.Unmarshal(row.Data, &e)
	return e
}

// wireEvent is an event as the API shows it, with entries as they are called now.
func wireEvent(v *vault.Vault, at int64, e event, names map[string]ipc.LogEntry) ipc.LogRow {
	row := ipc.LogRow{At: wireTime(at), What: e.What, Count: e.Count, Detail: e.Detail}
	if e.PID != 0 {
		row.Client = &ipc.LogClient{PID: e.PID, Executable: e.Exe, Parent: e.Parent}
		if e.Started != 0 {
			row.Client.Started = wireTime(e.Started * 1000)
		}
	}
	for _, text := range e.IDs {
		entry, known := names[text]
		if !known {
			entry = ipc.LogEntry{ID: text}
			id, _ := vault.ParseID(text)
			s, err := v.Summary(id)
			entry.Name, entry.Gone = s.Name, errors.Is(err, vault.ErrNotFound)
			names[text] = entry
		}
		row.Entries = append(row.Entries, entry)
	}
	return row
}

// postLogClear removes all rows, and notes that.
func (d *Daemon) postLogClear(r *http.Request) (any, error) {
	err := d.keeper.use(r.Context(), func(v *vault.Vault) error {
		undo := d.audit.drop()
		err := v.ClearLog(d.audit.row(event{What: ipc.LogCleared}.by(r.Context())))
		if err != nil {
			undo()
		}
		return err
	})
	return struct{}{}, err
}

// idTexts are ids as the log has them.
func idTexts(ids []vault.ID) []string {
	texts := make([]string, len(ids))
	for i, id := range ids {
		texts[i] = id.String()
	}
	return texts
}

// noteOpened notes that the vault was opened, if it was, although no request asked
// for that.
func (d *Daemon) noteOpened(because string) {
	if d.keeper.ready() {
		d.audit.note(event{What: ipc.LogUnlock, Detail: because})
	}
}

// unlockedBy says by what somebody opened the vault.
func unlockedBy(pass secret.Bytes) string {
	switch {
	case pass.Len() == 0:
		return ""
	case keystore.IsRecoveryCode(pass):
		return "recovery code"
	}
	return "passphrase"
}

// noteLock notes a lock. A request that meets one which was due has not asked for
// it.
func (d *Daemon) noteLock(ctx context.Context, why ipc.LockReason) {
	e := event{What: ipc.LogLock, Detail: string(why)}
	if why == ipc.LockAsked {
		e = e.by(ctx)
	}
	d.audit.note(e)
}
