package backup

import (
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

var vaultID = [16]byte{0x1a, 0x2b, 0x3c, 0x4d, 5}

func day(n int) time.Time { return time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC).AddDate(0, 0, n) }

// stored makes a backup with that content.
func stored(t *testing.T, d Dir, now time.Time, content string) Info {
	t.Helper()
	i, err := d.Make(Of(vaultID), now, func(f *os.File, _ string) error {
		_, err := f.WriteString(content)
		return err
	}, func(string) error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	return i
}

func TestMake(t *testing.T) {
	d := Dir(filepath.Join(t.TempDir(), "backups"))
	if list, err := d.List(); err != nil || list != nil {
		t.Errorf("no directory: %v, %v", list, err)
	}
	first := stored(t, d, day(0), "one")
	second := stored(t, d, day(0), "two") // in the same second
	if first.Name != "20260101T120000Z-1a2b3c4d.backup" || second.Name != "20260101T120001Z-1a2b3c4d.backup" {
		t.Error(first, second)
	}
	list, err := d.List()
	if err != nil || !slices.Equal(list, []Info{second, first}) {
		t.Errorf("%v, %v", list, err)
	}
	for path, mode := range map[string]os.FileMode{string(d): 0o700, d.Path(first.Name): 0o600} {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if runtime.GOOS != "windows" && info.Mode().Perm() != mode {
			t.Errorf("%s has the mode %v", path, info.Mode())
		}
	}
}

// TestMakeRefused: what cannot be written, or does not hold, leaves nothing.
func TestMakeRefused(t *testing.T) {
	d := Dir(filepath.Join(t.TempDir(), "backups"))
	stored(t, d, day(0), "one")
	bad := errors.New("no good")
	write := func(f *os.File, _ string) error { _, err := f.WriteString("x"); return err }
	for name, make := range map[string]func() (Info, error){
		"a failing write": func() (Info, error) {
			return d.Make("1a2b3c4d", day(1), func(*os.File, string) error { return bad }, func(string) error { return nil })
		},
		"a failing check": func() (Info, error) {
			return d.Make("1a2b3c4d", day(1), write, func(path string) error {
				if data, err := os.ReadFile(path); err != nil || string(data) != "x" {
					t.Error("the check sees", string(data), err)
				}
				return bad
			})
		},
	} {
		if _, err := make(); !errors.Is(err, bad) {
			t.Errorf("%s: %v", name, err)
		}
		if entries, err := os.ReadDir(string(d)); err != nil || len(entries) != 1 {
			t.Errorf("%s leaves %v, %v", name, entries, err)
		}
	}
}

// TestUnknownFilesAreLeftAlone: only what has a name of ours is listed, and a
// leftover of a killed process is removed.
func TestUnknownFilesAreLeftAlone(t *testing.T) {
	d := Dir(t.TempDir())
	for _, name := range []string{"notes.txt", "20260101T120000Z-1a2b3c4d.backup.bak", "20260101T120000Z-1A2B3C4D.backup", "20260101T120000Z-1a2b3c4.backup",
		"2026-01-01-1a2b3c4d.backup", "20260101T120000Z-1a2b3c4d", "20261301T120000Z-1a2b3c4d.backup", "vault.db", ".o2fa-1.tmp"} {
		if err := os.WriteFile(d.Path(name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(d.Path("20260101T120000Z-1a2b3c4d.backup"), 0o700); err != nil {
		t.Fatal(err)
	}
	if list, err := d.List(); err != nil || len(list) != 0 {
		t.Errorf("%v, %v", list, err)
	}
	stored(t, d, day(0), "one") // beside the directory of its name
	if _, err := os.Stat(d.Path(".o2fa-1.tmp")); err == nil {
		t.Error("the leftover is there")
	}
	if entries, err := os.ReadDir(string(d)); err != nil || len(entries) != 10 {
		t.Errorf("%v, %v", entries, err)
	}
}

func TestRemove(t *testing.T) {
	d := Dir(t.TempDir())
	i := stored(t, d, day(0), "one")
	if err := d.Remove(i.Name, "gone"); err != nil {
		t.Error(err)
	}
	if list, err := d.List(); err != nil || len(list) != 0 {
		t.Errorf("%v, %v", list, err)
	}
}

// at returns a list of backups made at these times.
func at(size int64, times ...time.Time) []Info {
	var list []Info
	for _, made := range times {
		list = append(list, Info{Name: name("1a2b3c4d", made), Made: made, Of: "1a2b3c4d", Size: size})
	}
	slices.SortFunc(list, func(a, b Info) int { return strings.Compare(b.Name, a.Name) })
	return list
}

// TestExcess follows a year in which the vault changes five times a day.
func TestExcess(t *testing.T) {
	var times []time.Time
	for n := range 365 {
		for hour := range 5 {
			times = append(times, day(n).Add(time.Duration(hour)*time.Hour))
		}
		gone := map[string]bool{}
		for _, name := range Excess(at(1, times...), 20) {
			gone[name] = true
		}
		times = slices.DeleteFunc(times, func(made time.Time) bool { return gone[name("1a2b3c4d", made)] })
	}
	list := at(1, times...)
	if len(list) != 20 {
		t.Fatalf("%d stay", len(list))
	}
	last := day(364).Add(4 * time.Hour)
	var ages []int
	for _, i := range list {
		ages = append(ages, int(last.Sub(i.Made).Hours()/24))
	}
	// The newest eleven are of the last three days.
	if ages[0] != 0 || ages[10] != 2 || ages[11] != 3 || ages[15] != 7 {
		t.Errorf("ages in days: %v", ages)
	}
	if ages[17] < 14 || ages[19] < 50 {
		t.Errorf("nothing old stays; ages in days: %v", ages)
	}
}

// TestExcessKeepsPromises, for any times and any number: as many stay as may,
// the newest among them, and the rule depends on nothing else.
func TestExcessKeepsPromises(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 1))
	for range 2000 {
		var times []time.Time
		seen := map[int64]bool{}
		for range rng.IntN(60) {
			made := day(rng.IntN(1 + rng.IntN(900))).Add(time.Duration(rng.IntN(86400)) * time.Second)
			if !seen[made.Unix()] {
				seen[made.Unix()] = true
				times = append(times, made)
			}
		}
		list, keep := at(1, times...), 1+rng.IntN(100)
		gone := Excess(list, keep)
		if len(list)-len(gone) != min(keep, len(list)) {
			t.Fatalf("%d of %d stay, not %d", len(list)-len(gone), len(list), keep)
		}
		for i := range list[:min(len(list), (keep+1)/2)] {
			if slices.Contains(gone, list[i].Name) {
				t.Fatalf("the newest but %d goes, of %d that stay", i, keep)
			}
		}
	}
}

// TestExcessBoundsTheRoom: large backups are fewer, and never none.
func TestExcessBoundsTheRoom(t *testing.T) {
	var times []time.Time
	for n := range 30 {
		times = append(times, day(n))
	}
	for size, want := range map[int64]int{1: 20, MaxTotal / 20: 20, MaxTotal / 7: 7, MaxTotal: 2, 5 * MaxTotal: 2} {
		if list := at(size, times...); len(list)-len(Excess(list, 20)) != want {
			t.Errorf("of %d bytes each %d stay, want %d", size, len(list)-len(Excess(list, 20)), want)
		}
	}
	if list := at(5*MaxTotal, times...); len(list)-len(Excess(list, 1)) != 1 || slices.Contains(Excess(list, 1), list[0].Name) {
		t.Error("the newest goes")
	}
}

func FuzzParse(f *testing.F) {
	f.Add("20260101T120000Z-1a2b3c4d.backup")
	f.Add("20260101T120000Z-1a2b3c4d/../x.backup")
	f.Add("")
	f.Fuzz(func(t *testing.T, file string) {
		i, ok := Parse(file)
		if ok && (i.Name != file || name(i.Of, i.Made) != file || filepath.Base(file) != file || strings.ContainsAny(file, `/\`)) {
			t.Errorf("%q is taken for %+v", file, i)
		}
	})
}
