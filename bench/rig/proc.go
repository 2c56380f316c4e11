package rig

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Switches returns how often the threads of a process have been switched to or
// from, of their own will or not, so far. It is what an idle process costs: each
// is a wake-up of a CPU.
func Switches(pid int) (int, error) {
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", pid))
	if err != nil || len(files) == 0 {
		return 0, fmt.Errorf("process %d has no threads under /proc", pid)
	}
	total := 0
	for _, name := range files {
		fields, err := readFields(name)
		if err != nil {
			return 0, err
		}
		total += fields["voluntary_ctxt_switches"] + fields["nonvoluntary_ctxt_switches"]
	}
	return total, nil
}

// Memory is what a process occupies, in bytes. PSS counts a page that n processes
// share as 1/n; it is 0 where only root may read it, as the daemon forbids it to
// its own user.
type Memory struct{ RSS, Anonymous, File, PSS, Peak int }

// ResetPeak makes Peak of a process begin anew, from what it has now.
func ResetPeak(pid int) error {
	return os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", pid), []byte("5"), 0)
}

// MemoryOf returns the memory of a process.
func MemoryOf(pid int) (Memory, error) {
	f, err := readFields(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return Memory{}, err
	}
	m := Memory{RSS: f["VmRSS"], Anonymous: f["RssAnon"], File: f["RssFile"] + f["RssShmem"], Peak: f["VmHWM"]}
	if f, err := readFields(fmt.Sprintf("/proc/%d/smaps_rollup", pid)); err == nil {
		m.PSS = f["Pss"]
	}
	return m, nil
}

func (m Memory) String() string {
	return fmt.Sprintf("RSS %.1f MB (anonymous %.1f, files %.1f), PSS %.1f MB, peak %.1f MB",
		mb(m.RSS), mb(m.Anonymous), mb(m.File), mb(m.PSS), mb(m.Peak))
}

func mb(bytes int) float64 { return float64(bytes) / 1e6 }

// readFields reads the numbers of a file of /proc with lines "Name: number", or
// "Name: number kB", which become bytes.
func readFields(name string) (map[string]int, error) {
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	fields := map[string]int{}
	for line := range strings.Lines(string(data)) {
		key, value, _ := strings.Cut(line, ":")
		if words := strings.Fields(value); len(words) > 0 {
			if n, err := strconv.Atoi(words[0]); err == nil {
				if len(words) > 1 && words[1] == "kB" {
					n *= 1024
				}
				fields[key] = n
			}
		}
	}
	return fields, nil
}
