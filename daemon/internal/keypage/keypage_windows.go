package keypage

import (
	"os"
	"unsafe"

	"golang.org/x/sys/windows"
)

func allocate(size int) ([]byte, error) {
	address, err := windows.VirtualAlloc(0, uintptr(size), windows.MEM_RESERVE|windows.MEM_COMMIT, windows.PAGE_READWRITE)
	if err != nil {
		return nil, os.NewSyscallError("VirtualAlloc", err)
	}
	// Not a conversion of a number that was once a pointer: the system gave it.
	return unsafe.Slice((*byte)(*(*unsafe.Pointer)(unsafe.Pointer(&address))), size), nil
}

// protect keeps mem out of the page file. Dumps are made for administrators
// alone, and hold all of a process.
func protect(mem []byte) error {
	return os.NewSyscallError("VirtualLock", windows.VirtualLock(addressOf(mem), uintptr(len(mem))))
}

// release gives memory back. It fails only for what allocate has not returned.
func release(mem []byte) { _ = windows.VirtualFree(addressOf(mem), 0, windows.MEM_RELEASE) }

func addressOf(mem []byte) uintptr { return uintptr(unsafe.Pointer(unsafe.SliceData(mem))) }
