package acl

import (
	"errors"
	"fmt"
	"os"
	"unsafe"

	"golang.org/x/sys/windows"
)

// Rights are what somebody may do with a file or a directory.
type Rights windows.ACCESS_MASK

const (
	// Change is to write, add, remove, or give such rights away.
	Change Rights = windows.FILE_WRITE_DATA | windows.FILE_APPEND_DATA | fileDeleteChild | windows.DELETE |
		windows.WRITE_DAC | windows.WRITE_OWNER | windows.GENERIC_WRITE | windows.GENERIC_ALL
	// Use is Change, or to read.
	Use Rights = Change | windows.FILE_READ_DATA | windows.GENERIC_READ
)

const fileDeleteChild = 0x40 // FILE_DELETE_CHILD of a directory

// Types of an access list's entries. The last two never stand on files.
const (
	aceAllowed               = 0
	aceAllowedObject         = 5
	aceAllowedCallback       = 9
	aceAllowedCallbackObject = 11
)

// Self returns the user of this process.
func Self() (*windows.SID, error) {
	// A pseudo handle: it needs no close.
	user, err := windows.GetCurrentProcessToken().GetTokenUser()
	if err != nil {
		return nil, fmt.Errorf("asking who we are: %w", err)
	}
	return user.User.Sid, nil
}

// Private returns what a new file or directory is made with so that it is this
// user's, whatever stands above it: full control for the user, the system and
// its administrators, as in a user's own profile, and nothing for others. What
// is made below such a directory is the same.
func Private() (*windows.SecurityAttributes, error) {
	self, err := Self()
	if err != nil {
		return nil, err
	}
	sd, err := windows.SecurityDescriptorFromString(privateSDDL(self))
	if err != nil {
		return nil, fmt.Errorf("making an access list: %w", err)
	}
	return &windows.SecurityAttributes{Length: uint32(unsafe.Sizeof(windows.SecurityAttributes{})), SecurityDescriptor: sd}, nil
}

// privateSDDL is protected (P): no entry of the directory above is inherited.
func privateSDDL(self *windows.SID) string {
	return "D:P(A;OICI;FA;;;" + self.String() + ")(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)"
}

// CheckFile returns in words why the opened file or directory is not this
// user's alone: it belongs to another, or another has one of the rights. "" says
// that it is. The system and its administrators are no others: they can take
// whatever they want.
func CheckFile(f *os.File, rights Rights) (why string, err error) {
	return check(windows.Handle(f.Fd()), windows.SE_FILE_OBJECT, rights)
}

// Remedy is the command that takes a file away from everybody else.
func Remedy(path string) string {
	return fmt.Sprintf(`icacls "%s" /inheritance:r /grant:r "%%USERNAME%%:F"`, path)
}

// CheckPipe is CheckFile for the owner of a pipe, seen from one of its ends. Who
// else may use it is for the one who made it.
func CheckPipe(pipe windows.Handle) (why string, err error) {
	return check(pipe, windows.SE_KERNEL_OBJECT, 0)
}

func check(h windows.Handle, kind windows.SE_OBJECT_TYPE, rights Rights) (why string, err error) {
	self, err := Self()
	if err != nil {
		return "", err
	}
	sd, err := windows.GetSecurityInfo(h, kind, windows.OWNER_SECURITY_INFORMATION|windows.DACL_SECURITY_INFORMATION)
	if err != nil {
		return "", fmt.Errorf("asking for owner and access list: %w", err)
	}
	owner, _, err := sd.Owner()
	if err == nil && owner == nil {
		err = errors.New("it has none")
	}
	if err != nil {
		return "", fmt.Errorf("asking for the owner: %w", err)
	}
	// What this user makes in an elevated window belongs to Administrators, unless
	// its maker says otherwise.
	if !owner.Equals(self) && !owner.IsWellKnown(windows.WinBuiltinAdministratorsSid) {
		return fmt.Sprintf("it belongs to %s, not %s", owner, self), nil
	}
	if rights == 0 {
		return "", nil
	}
	return others(sd, self, rights)
}

// others says who beside self has one of the rights. Entries that deny are left
// out of account: to refuse what would be safe does less harm than the reverse.
func others(sd *windows.SECURITY_DESCRIPTOR, self *windows.SID, rights Rights) (why string, err error) {
	list, _, err := sd.DACL()
	if err != nil || list == nil {
		return "it has no access list, so anybody may use it", nil
	}
	for i := range uint32(list.AceCount) {
		var entry *windows.ACCESS_ALLOWED_ACE
		if err := windows.GetAce(list, i, &entry); err != nil {
			return "", fmt.Errorf("reading the access list: %w", err)
		}
		switch entry.Header.AceType {
		case aceAllowed, aceAllowedCallback:
		case aceAllowedObject, aceAllowedCallbackObject:
			return "its access list has an entry that belongs to no file", nil
		default:
			continue // denies, or is for the audit
		}
		who := (*windows.SID)(unsafe.Pointer(&entry.SidStart))
		if Rights(entry.Mask)&rights != 0 && !trusted(who, self) {
			return who.String() + " (" + name(who) + ") has access", nil
		}
	}
	return "", nil
}

// trusted are we, and those from whom no access list protects. The last two
// stand for the owner of the file, or of what is made in the directory.
func trusted(who, self *windows.SID) bool {
	return who.Equals(self) ||
		who.IsWellKnown(windows.WinLocalSystemSid) ||
		who.IsWellKnown(windows.WinBuiltinAdministratorsSid) ||
		who.IsWellKnown(windows.WinCreatorOwnerSid) ||
		who.IsWellKnown(windows.WinCreatorOwnerRightsSid)
}

// name is what people call a SID, as far as this machine knows.
func name(who *windows.SID) string {
	account, _, _, err := who.LookupAccount("")
	if err != nil {
		return "unknown"
	}
	return account
}
