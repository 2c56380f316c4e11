package vault

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/o2fa/o2fa/internal/secret"
)

const (
	day       = 24 * time.Hour
	trashLife = 30 * day // the daemon's
)

// trashCase is a vault with a clock, and one entry that will be in the trash.
type trashCase struct {
	*testing.T
	*clock
	v  *Vault
	id ID
}

func newTrashCase(t *testing.T, at time.Time) *trashCase {
	c := &trashCase{T: t, clock: &clock{at}}
	v, err := Create(filepath.Join(t.TempDir(), "vault.db"), testVaultID, testSlots(), Options{Now: c.now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { v.Close() })
	c.v, c.id = v, add(t, v, entry("a"))
	return c
}

func (c *trashCase) trash() {
	c.Helper()
	update(c.T, c.v, "delete", func(tx *Tx) error { return tx.Trash(c.id) })
}

// purge does what the daemon does whenever the vault becomes ready.
func (c *trashCase) purge(want int) {
	c.Helper()
	if n, err := c.v.PurgeTrash(trashLife); n != want || err != nil {
		c.Errorf("at %v: PurgeTrash = %d, %v, want %d", c.now().UTC(), n, err, want)
	}
}

var today = time.UnixMilli(1_700_000_000_000)

func TestPurgeAfterThirtyDays(t *testing.T) {
	c := newTrashCase(t, today)
	c.trash()
	for range 30 {
		c.add(day)
		c.purge(0)
	}
	c.add(time.Hour)
	c.purge(1)
	c.purge(0)
}

// Who was away for months has their thirty days from the return on.
func TestPurgeAfterAbsence(t *testing.T) {
	c := newTrashCase(t, today)
	c.trash()
	c.add(100 * day)
	c.purge(0)
	c.purge(0)
	c.add(29 * day)
	c.purge(0)
	c.add(2 * day)
	c.purge(1)
}

// A clock that jumps while the trash is looked through purges nothing, whichever
// reading of it comes first.
func TestPurgeWhileTheClockJumps(t *testing.T) {
	c := newTrashCase(t, today)
	c.trash()
	c.purge(0)
	ahead := false
	c.v.now = func() time.Time {
		if ahead = !ahead; ahead {
			return today.Add(400 * day)
		}
		return today
	}
	for range 5 {
		c.purge(0)
	}
}

// A clock that is set back a little has not jumped.
func TestPurgeWithSmallSteps(t *testing.T) {
	c := newTrashCase(t, today)
	c.trash()
	for range 5 {
		c.add(5*day + time.Hour)
		c.purge(0)
		c.add(-time.Hour)
		c.purge(0)
	}
	c.add(5*day + time.Hour)
	c.purge(1)
}

// Without a battery the clock begins in 1970, and is right a minute later.
func TestTrashBeforeTheClockIsRight(t *testing.T) {
	t.Run("vault of before", func(t *testing.T) {
		c := newTrashCase(t, today)
		c.t = time.UnixMilli(1000)
		c.trash()
		if s, err := c.v.Summary(c.id); err != nil || s.Trashed <= today.UnixMilli() {
			t.Errorf("trashed at %d, %v", s.Trashed, err)
		}
		keptForThirtyDays(c, today.Add(time.Minute))
	})
	t.Run("new vault", func(t *testing.T) {
		c := newTrashCase(t, time.UnixMilli(1000))
		c.trash()
		keptForThirtyDays(c, today)
	})
}

// A clock that is far ahead, through a few locks and unlocks, costs nothing.
func TestTrashWhileTheClockIsAhead(t *testing.T) {
	c := newTrashCase(t, today)
	c.trash()
	c.add(70 * 365 * day)
	for range 3 {
		c.purge(0)
		add(t, c.v, entry("in the future"))
		c.add(time.Hour)
	}
	keptForThirtyDays(c, today.Add(day))
}

func keptForThirtyDays(c *trashCase, from time.Time) {
	c.Helper()
	c.t = from
	for range 3 {
		c.v = reopen(c.T, c.v)
		c.purge(0)
	}
	c.add(29 * day)
	c.purge(0)
	c.add(day + time.Hour)
	c.purge(1)
}

// A time at the end of the range stays within it: the entry still reads.
func TestTimesAtTheEnd(t *testing.T) {
	v := newVault(t)
	e := entry("a")
	e.Created = maxMillis
	id := add(t, v, e)
	edit(t, v, id, func(e *Entry) { e.Secret = secret.New([]byte("other")) })
	update(t, v, "delete", func(tx *Tx) error { return tx.Trash(id) })
	if got, err := v.Get(id); err != nil || got.Trashed != maxMillis || got.Stamps[FieldSecret].MS != maxMillis {
		t.Errorf("%+v, %v", got.Stamps, err)
	}
}
