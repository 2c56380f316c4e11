package daemon

import (
	"fmt"
	"os"
	"sync"
)

// Bounds of the log: a file of one MB and two older ones.
const (
	logSize  = 1 << 20
	logsKept = 2
)

// logFile is the profile's log, mode 0600, which turns itself over. A log that
// cannot be written (disk full, read-only) is dropped line by line: it is no
// reason to stop serving.
type logFile struct {
	path string

	mu    sync.Mutex // guards what follows
	file  *os.File
	size  int64
	ended bool
}

func openLog(path string) *logFile {
	l := &logFile{path: path}
	l.reopen()
	return l
}

// reopen opens the file for appending; the caller holds mu or is alone.
func (l *logFile) reopen() {
	l.file, l.size = nil, 0
	f, err := os.OpenFile(l.path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return
	}
	if info, err := f.Stat(); err == nil {
		l.size = info.Size()
	}
	l.file = f
}

// Write appends one record. It reports success even when the disk did not take it.
func (l *logFile) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended {
		return len(p), nil
	}
	if l.size+int64(len(p)) > logSize {
		l.turn()
	}
	if l.file != nil {
		n, _ := l.file.Write(p)
		l.size += int64(n)
	}
	return len(p), nil
}

// turn renames the files by one and begins a new one.
func (l *logFile) turn() {
	if l.file != nil {
		l.file.Close()
	}
	for i := logsKept; i > 1; i-- {
		_ = os.Rename(fmt.Sprintf("%s.%d", l.path, i-1), fmt.Sprintf("%s.%d", l.path, i))
	}
	_ = os.Rename(l.path, l.path+".1")
	l.reopen()
}

// paths returns the file and the older ones, whether they are there or not.
func (l *logFile) paths() []string {
	paths := []string{l.path}
	for i := range logsKept {
		paths = append(paths, fmt.Sprintf("%s.%d", l.path, i+1))
	}
	return paths
}

// end closes the log for good: nothing makes its file again.
func (l *logFile) end() {
	l.mu.Lock()
	l.ended = true
	l.mu.Unlock()
	_ = l.Close() // who ends it is about to remove it
}

// Close closes the file; what is written afterwards is dropped.
func (l *logFile) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file == nil {
		return nil
	}
	f := l.file
	l.file = nil
	return f.Close()
}
