// Command report shows the output of "go test -json" as go test itself would,
// and at the end says which tests were skipped and why. With -strict a skipped
// test is a failure. It fails if a package failed or none was tested.
//
//	go test -json ./... | go run ./.ci/report [-strict]
package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
)

// event is a line of go test -json, see go doc test2json.
type event struct {
	Action, Package, ImportPath, Test, Output string
}

func main() {
	strict := flag.Bool("strict", false, "count a skipped test as a failure")
	flag.Parse()
	r := report{out: os.Stdout, logs: map[string]string{}}
	if err := r.read(os.Stdin); err != nil {
		fmt.Fprintln(os.Stderr, "report:", err)
		os.Exit(1)
	}
	if !r.finish(*strict) {
		os.Exit(1)
	}
}

// report collects what happened.
type report struct {
	out     io.Writer
	logs    map[string]string // of running tests, by package and test
	skipped []string
	tested  int // packages
	failed  bool
}

func (r *report) read(in io.Reader) error {
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var e event
		if json.Unmarshal(lines.Bytes(), &e) != nil {
			fmt.Fprintln(r.out, lines.Text()) // a complaint of the go command itself
			continue
		}
		r.note(e)
	}
	return lines.Err()
}

func (r *report) note(e event) {
	key := e.Package + " " + e.Test
	switch {
	case e.Action == "build-output":
		fmt.Fprint(r.out, e.Output)
	case e.Action == "build-fail":
		r.failed = true
	case e.Action == "output" && e.Test == "":
		// PASS says nothing that the line "ok" does not.
		if e.Output != "PASS\n" && !strings.HasPrefix(e.Output, "testing: warning: no tests") {
			fmt.Fprint(r.out, e.Output)
		}
	case e.Action == "output":
		r.logs[key] += e.Output
	case e.Action == "skip" && e.Test != "":
		r.skipped = append(r.skipped, key+": "+reason(r.logs[key]))
		delete(r.logs, key)
	case e.Action == "pass" && e.Test == "":
		r.tested++
	case e.Action == "fail":
		r.failed = true
		r.show(key)
	case e.Action == "pass":
		r.showSeeds(key)
		delete(r.logs, key)
	}
}

// showSeeds prints what a test says of the seed that repeats it.
func (r *report) showSeeds(key string) {
	for line := range strings.Lines(r.logs[key]) {
		if strings.Contains(line, "seed ") {
			fmt.Fprint(r.out, line)
		}
	}
}

// show prints what a test logged, without the marks of its progress.
func (r *report) show(key string) {
	for line := range strings.Lines(r.logs[key]) {
		if !strings.HasPrefix(line, "=== ") {
			fmt.Fprint(r.out, line)
		}
	}
	delete(r.logs, key)
}

// reason takes the lines that a test logged from its output.
func reason(log string) string {
	var words []string
	for line := range strings.Lines(log) {
		line = strings.TrimSpace(line)
		if line != "" && !strings.HasPrefix(line, "===") && !strings.HasPrefix(line, "---") {
			words = append(words, line)
		}
	}
	return strings.Join(words, " ")
}

// finish tells what was left out, and reports whether all is well.
func (r *report) finish(strict bool) bool {
	for key := range r.logs { // tests that a panic or a time limit cut short
		r.show(key)
	}
	for _, s := range r.skipped {
		fmt.Fprintln(r.out, "left out:", s)
	}
	if strict && len(r.skipped) > 0 {
		fmt.Fprintf(r.out, "FAIL: %d tests were skipped, and here none may be\n", len(r.skipped))
		return false
	}
	if r.tested == 0 {
		fmt.Fprintln(r.out, "FAIL: no package was tested")
	}
	return !r.failed && r.tested > 0
}
