package cli

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/o2fa/o2fa/internal/command"
	"github.com/o2fa/o2fa/ipc"
)

// sampleTable has a column of each kind.
func sampleTable() table {
	return table{gap: 2, columns: []column{{title: "Name", cut: true}, {title: "Secret"}, {title: "Type", rank: 2},
		{title: "Issuer", cut: true, rank: 3}, {title: "Pin", rank: 1}, {title: "Id"}}}
}

func TestTable(t *testing.T) {
	full := sampleTable()
	full.add("a name of some length", "I...E", "totp", "ACME and Sons", "*", "12345678")
	full.add("日本語", "G...Q", "hotp", "", "", "abcdef01")
	plain := sampleTable()
	plain.add("a", "I...E", "", "", "", "1")
	none := sampleTable()
	for _, tc := range []struct {
		table table
		width int
		want  string
	}{
		{full, 0, `
Name                   Secret  Type  Issuer         Pin  Id
---------------------  ------  ----  -------------  ---  --------
a name of some length  I...E   totp  ACME and Sons  *    12345678
日本語                 G...Q   hotp                      abcdef01

`},
		// Names are cut first, the widest of them before the others.
		{full, 55, `
Name          Secret  Type  Issuer        Pin  Id
------------  ------  ----  ------------  ---  --------
a name of s…  I...E   totp  ACME and So…  *    12345678
日本語        G...Q   hotp                     abcdef01

`},
		// Then columns go, and the names have their room again.
		{full, 45, `
Name              Secret  Type  Pin  Id
----------------  ------  ----  ---  --------
a name of some …  I...E   totp  *    12345678
日本語            G...Q   hotp       abcdef01

`},
		{full, 30, `
Name          Secret  Id
------------  ------  --------
a name of s…  I...E   12345678
日本語        G...Q   abcdef01

`},
		// What cannot be narrower is not.
		{full, 5, `
Name        Secret  Id
----------  ------  --------
a name of…  I...E   12345678
日本語      G...Q   abcdef01

`},
		// A column that nothing stands in is left out; those of rank 0 stay.
		{plain, 0, "\nName  Secret  Id\n----  ------  --\na     I...E   1\n\n"},
		{none, 80, "\nName  Secret  Id\n----  ------  --\n\n"},
	} {
		if got := tc.table.fit(tc.width); got != tc.want {
			t.Errorf("%d cells:%s\nwant:%s", tc.width, got, tc.want)
		}
	}
}

// From 30 to 300 columns no line is too wide, each column begins where its title
// does, and nothing is cut that has room.
func TestTableFitsEveryTerminal(t *testing.T) {
	parts := []string{"a", "bank", " ", "日本", "é", "e\u0301", "👩\u200d👩\u200d👧", "⚙\ufe0f", "שלום", "\x1b[31m", "\n", "\u202e", "\\u{1b}", "1234"}
	const seed = 3
	random := rand.New(rand.NewPCG(seed, 0))
	text := func(most int) string {
		var b strings.Builder
		for range random.IntN(most) {
			b.WriteString(parts[random.IntN(len(parts))])
		}
		return command.Escape(b.String())
	}
	for width := 30; width <= 300; width++ {
		table := sampleTable()
		for i := range 8 {
			table.add(text(5<<i), "I...E", "totp", text(20), "*", fmt.Sprintf("%08x", i))
		}
		lines := strings.Split(table.fit(width), "\n")
		titles := strings.Split(lines[2], "  ") // the dashes
		for _, line := range lines[3 : len(lines)-2] {
			if command.Width(line) > width {
				t.Errorf("%d cells: %d in %q", width, command.Width(line), line)
			}
			id := strings.LastIndex(line, "  ")
			if at := command.Width(line[:id+2]); at != command.Width(lines[2])-8 {
				t.Errorf("%d cells: the id stands at %d, not %d: %q", width, at, command.Width(lines[2])-8, line)
			}
		}
		if len(titles) < 3 || command.Width(lines[2]) < min(width-12, 40) {
			t.Errorf("%d cells: only %d are used", width, command.Width(lines[2]))
		}
	}
}

// What is no entry has a table that fits a narrow terminal, too.
func TestOtherTablesFit(t *testing.T) {
	long := "/home/" + strings.Repeat("somebody", 30)
	settings := settingsTable([]ipc.Setting{{Key: "keystore", Value: "keyfile", Source: "O2FA_KEYSTORE"}, {Key: "passphrase_file", Value: long, Source: "config.toml"}})
	slots := slotsTable([]ipc.Slot{{Type: "passphrase", ID: "0123456789abcdef"}, {Type: "keyfile", ID: "fedcba9876543210", Path: long}})
	for width := 30; width <= 300; width += 5 {
		for line := range strings.Lines(settings.fit(width) + slots.fit(width)) {
			if command.Width(strings.TrimSuffix(line, "\n")) > width {
				t.Errorf("%d columns: %q", width, line)
			}
		}
	}
	for _, want := range []string{"passphrase_file", "01234567", "fedcba98"} {
		if text := settings.fit(30) + slots.fit(30); !strings.Contains(text, want) {
			t.Errorf("no %s in\n%s", want, text)
		}
	}
	if text := slots.fit(0); !strings.Contains(text, long) {
		t.Errorf("a pipe gets less than all:\n%s", text)
	}
}
