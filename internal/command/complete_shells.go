package command

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// shell is one that a program completes itself in.
type shell struct {
	name   string
	rules  quoting
	script string                // PROGRAM stands for the name of the program
	reply  func(Stdio, proposal) // prints candidates as the script reads them
}

// proposal is what a shell is to be told.
type proposal struct {
	rules quoting
	line  string   // up to the cursor
	args  []string // what else the script tells
	found []Candidate
}

// shells are the shells that can be completed in. The scripts that cobra makes
// were tried and left: to press a key runs what stands in $( ) on the line, in
// bash quotes and backslashes are lost or doubled, and without the package
// bash-completion there are errors in the middle of the line.
//
// So the scripts are small: they pass on the line as it stands, and what is
// quoted in it is understood here.
var shells = [...]shell{
	{"bash", posix, bashScript, printBash},
	{"zsh", posix, zshScript, printZsh},
	{"fish", fish, fishScript, printFish},
	{"powershell", powershell, powershellScript, printObjects},
}

// Shells returns the names of the shells that CompletionScript knows.
func Shells() []string {
	names := make([]string, len(shells))
	for i, sh := range shells {
		names[i] = sh.name
	}
	return names
}

// CompletionScript returns what makes a shell complete the calls of a program.
// ok is false for a shell that is not known.
func CompletionScript(program, shellName string) (script string, ok bool) {
	for _, sh := range shells {
		if strings.EqualFold(sh.name, shellName) {
			return strings.ReplaceAll(sh.script, "PROGRAM", program), true
		}
	}
	return "", false
}

const bashScript = `# Completion of PROGRAM in bash; it needs no other package.
_PROGRAM() {
    COMPREPLY=()
    # Behind < and > stands a file.
    case ${COMP_WORDS[COMP_CWORD - 1]} in
    *[\<\>]) compopt -o default 2>/dev/null; return ;;
    esac
    local candidate
    # In the environment nobody else reads what was typed: it may be a secret.
    while IFS= read -r candidate; do
        COMPREPLY+=("$candidate")
    done < <(COMPLETE_LINE=${COMP_LINE:0:COMP_POINT} COMPLETE_WORD=$2 \
        command PROGRAM __complete bash "${COMP_TYPE:-9}" "${COLUMNS:-80}" 2>/dev/null)
}
complete -F _PROGRAM PROGRAM
`

// listing is what bash calls the second press of the key: it shows the
// candidates and inserts none.
const listing = "63"

// printBash prints, a line each, what is to stand in place of the word that bash
// sees: that begins behind an open quote, or behind ":" or "=".
func printBash(s Stdio, p proposal) {
	before, ok := strings.CutSuffix(p.line, s.Getenv(envCompleteWord))
	words, _ := split(p.rules, p.line)
	kept, open := split(p.rules, before)
	if !ok || len(kept) != len(words) {
		return
	}
	typed := kept[len(kept)-1]
	var values []string
	for _, f := range p.found {
		if rest, ok := CutFold(f.Value, typed); ok {
			values = append(values, quoteBash(rest, open))
		}
	}
	if len(p.args) == 2 && p.args[0] == listing && len(values) == len(p.found) {
		values = explained(p.found, p.args[1])
	}
	for _, v := range values {
		fmt.Fprintf(s.Out, "%s\n", v)
	}
}

// explained returns lines that show candidates with what they mean, as wide as
// the terminal, so that bash puts them below each other. Without any meaning
// they are as they are.
func explained(found []Candidate, columns string) []string {
	width, _ := strconv.Atoi(columns)
	lines := shownAs(found)
	for i := range lines {
		if slices.ContainsFunc(found, func(f Candidate) bool { return f.Text != "" }) {
			lines[i] = Pad(Cut(lines[i], max(width-1, 1)), width-1)
		}
	}
	return lines
}

// mostShown is how many cells a list of candidates gives to one of them, so that
// a name of 1 KiB neither fills the terminal nor pushes what others mean out of it.
const mostShown = 48

// shownAs returns what a list shows for each candidate.
func shownAs(found []Candidate) []string {
	lines := make([]string, len(found))
	width := 0
	for i, f := range found {
		lines[i] = Cut(f.Value, mostShown)
		if f.Text != "" {
			width = max(width, Width(lines[i]))
		}
	}
	for i, f := range found {
		if f.Text != "" {
			lines[i] = Pad(lines[i], width) + "  -- " + f.Text
		}
	}
	return lines
}

const zshScript = `#compdef PROGRAM
# Completion of PROGRAM in zsh.
_PROGRAM() {
    local line="${(j: :)words[1,CURRENT-1]} ${words[CURRENT]%"$SUFFIX"}" value text
    local -a values shown
    # In the environment nobody else reads what was typed: it may be a secret.
    while IFS=$'\t' read -r value text; do
        values+=("$value")
        shown+=("$text")
    done < <(COMPLETE_LINE=$line command PROGRAM __complete zsh 2>/dev/null)
    local -a list
    [[ $shown == *' -- '* ]] && list=(-l)
    # All of them go on from what was typed (-U); zsh quotes what it inserts.
    compadd -U $list -d shown -a -- values
}
# As a file in fpath it is called; sourced it has to tell zsh.
if [[ ${funcstack[1]-} == _PROGRAM ]]; then
    _PROGRAM "$@"
elif (( $+functions[compdef] )); then
    compdef _PROGRAM PROGRAM
fi
`

// printZsh prints a value, a tab, and how a list shows it.
func printZsh(s Stdio, p proposal) {
	for i, shown := range shownAs(p.found) {
		fmt.Fprintf(s.Out, "%s\t%s\n", p.found[i].Value, shown)
	}
}

const fishScript = `# Completion of PROGRAM in fish.
function __PROGRAM_complete
    # In the environment nobody else reads what was typed: it may be a secret.
    set -lx COMPLETE_LINE (commandline -cp | string collect)
    command PROGRAM __complete fish 2>/dev/null
end
complete -c PROGRAM -e
complete -c PROGRAM -f -a '(__PROGRAM_complete)'
`

// printFish prints a value, a tab, and what it means.
func printFish(s Stdio, p proposal) {
	for _, f := range p.found {
		fmt.Fprintf(s.Out, "%s\t%s\n", f.Value, f.Text)
	}
}

const powershellScript = `# Completion of PROGRAM in PowerShell.
Register-ArgumentCompleter -Native -CommandName 'PROGRAM', 'PROGRAM.exe' -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)
    # A blank before the cursor is not part of the command.
    $length = $cursorPosition - $commandAst.Extent.StartOffset
    $line = $commandAst.Extent.Text.PadRight($length).Substring(0, $length)
    $before = $env:COMPLETE_LINE
    try {
        # In the environment nobody else reads what was typed: it may be a secret.
        $env:COMPLETE_LINE = $line
        & 'PROGRAM' __complete powershell 2>$null | ForEach-Object {
            $candidate = ConvertFrom-Json $_
            [System.Management.Automation.CompletionResult]::new(
                $candidate.value, $candidate.shown, 'ParameterValue', $candidate.text)
        }
    } finally {
        $env:COMPLETE_LINE = $before
    }
}
`

// printObjects prints an object of JSON a line, none of its texts empty. It is
// ASCII: what PowerShell takes the output of programs for depends on its release.
func printObjects(s Stdio, p proposal) {
	for _, f := range p.found {
		text := f.Text
		if text == "" {
			text = f.Value
		}
		line, _ := json.Marshal(map[string]string{"value": quotePowerShell(f.Value), "shown": Cut(f.Value, mostShown), "text": text})
		fmt.Fprintf(s.Out, "%s\n", escapeJSON(line, true))
	}
}
