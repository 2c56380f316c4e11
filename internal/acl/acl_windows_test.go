package acl

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/windows"
)

func self(t *testing.T) *windows.SID {
	t.Helper()
	sid, err := Self()
	if err != nil {
		t.Fatal(err)
	}
	return sid
}

// TestOthers judges access lists as text. SELF stands for this user.
func TestOthers(t *testing.T) {
	for _, c := range []struct {
		list        string
		change, use string // part of what is said, "" for nothing
	}{
		{"D:P(A;OICI;FA;;;SELF)(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)", "", ""},
		{"D:(A;ID;FA;;;SELF)(A;ID;FA;;;SY)", "", ""},
		{"D:P(A;OICIIO;FA;;;CO)(A;;FA;;;SELF)", "", ""},
		{"D:P(A;;FA;;;OW)", "", ""},
		{"D:P", "", ""}, // nobody at all
		{"D:P(D;;FA;;;WD)(A;;FA;;;SELF)", "", ""},
		{"D:P(A;;FA;;;SELF)(A;;FR;;;WD)", "", "S-1-1-0"},
		{"D:P(A;;FA;;;SELF)(A;;0x1;;;BU)", "", "S-1-5-32-545"},
		{"D:P(A;;FA;;;SELF)(A;;GR;;;AU)", "", "S-1-5-11"},
		{"D:P(A;;FA;;;SELF)(A;;0x2;;;AU)", "S-1-5-11", "S-1-5-11"},    // write, add a file
		{"D:P(A;;FA;;;SELF)(A;;0x4;;;AU)", "S-1-5-11", "S-1-5-11"},    // append, add a directory
		{"D:P(A;;FA;;;SELF)(A;;0x40;;;AU)", "S-1-5-11", "S-1-5-11"},   // delete what is in it
		{"D:P(A;;FA;;;SELF)(A;;WD;;;AU)", "S-1-5-11", "S-1-5-11"},     // change the list
		{"D:P(A;;FA;;;SELF)(A;;WO;;;AU)", "S-1-5-11", "S-1-5-11"},     // take it over
		{"D:P(A;;FA;;;SELF)(A;OICIIO;GA;;;WD)", "S-1-1-0", "S-1-1-0"}, // what is made in it
		{"D:P(A;;0x1200a9;;;WD)(A;;FA;;;SELF)", "", "S-1-1-0"},        // C:\\ProgramData and its like
		{"O:SELF", "no access list", "no access list"},
	} {
		sd, err := windows.SecurityDescriptorFromString(strings.ReplaceAll(c.list, "SELF", self(t).String()))
		if err != nil {
			t.Errorf("%s: %v", c.list, err)
			continue
		}
		for rights, want := range map[Rights]string{Change: c.change, Use: c.use} {
			got, err := others(sd, self(t), rights)
			if err != nil || (got == "") != (want == "") || !strings.Contains(got, want) {
				t.Errorf("%s for %x: %q, %v, want %q", c.list, rights, got, err, want)
			}
		}
	}
}

// TestNoList judges the list that Windows takes for "everybody may do anything".
func TestNoList(t *testing.T) {
	sd, err := windows.NewSecurityDescriptor()
	if err != nil {
		t.Fatal(err)
	}
	if err := sd.SetDACL(nil, true, false); err != nil {
		t.Fatal(err)
	}
	if why, err := others(sd, self(t), Change); why == "" || err != nil {
		t.Errorf("%q, %v", why, err)
	}
}

// TestPrivate reads back what a file was made with.
func TestPrivate(t *testing.T) {
	attributes, err := Private()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "private")
	name, err := windows.UTF16PtrFromString(path)
	if err != nil {
		t.Fatal(err)
	}
	h, err := windows.CreateFile(name, windows.GENERIC_READ|windows.GENERIC_WRITE, 0, attributes, windows.CREATE_NEW, windows.FILE_ATTRIBUTE_NORMAL, 0)
	if err != nil {
		t.Fatal(err)
	}
	f := os.NewFile(uintptr(h), path)
	defer f.Close()
	if why, err := CheckFile(f, Use); why != "" || err != nil {
		t.Errorf("%q, %v", why, err)
	}
	if got, want := privateSDDL(self(t)), "D:P(A;OICI;FA;;;"+self(t).String()+")(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)"; got != want {
		t.Errorf("made with %s, want %s", got, want)
	}
}
