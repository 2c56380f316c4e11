package cli

import (
	"context"
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"github.com/o2fa/o2fa/client"
	"github.com/o2fa/o2fa/internal/command"
	"github.com/o2fa/o2fa/ipc"
	"github.com/o2fa/o2fa/ipc/socket"
)

// maxCandidates is how many entries a shell is told of. Nobody reads more, and a
// vault of 100,000 must not keep a person waiting.
const maxCandidates = 500

// runningDaemon returns the daemon if one runs, and its status. It starts none.
func runningDaemon(ctx context.Context, c *command.Completion) (*client.Client, ipc.Status, bool) {
	p, err := socket.Resolve(c.Getenv)
	if err != nil {
		return nil, ipc.Status{}, false
	}
	daemon := &client.Client{Profile: &p, NoStart: true}
	status, err := daemon.Status(ctx)
	return daemon, status, err == nil
}

// ask asks a daemon that runs and is unlocked. It asks for nothing before it
// knows the state: to ask for entries may open a keyring.
func ask[T any](ctx context.Context, c *command.Completion, path string, query map[string]string) (reply T, ok bool) {
	daemon, status, ok := runningDaemon(ctx, c)
	if !ok || status.State != ipc.StateReady {
		return reply, false
	}
	raw, err := daemon.Do(ctx, client.Request{Method: "GET", Path: path, Query: query})
	return reply, err == nil && json.Unmarshal(raw, &reply) == nil
}

// slotNames completes a key slot: its kind, or its id where two are of a kind.
func slotNames(ctx context.Context, c *command.Completion) (found []command.Candidate) {
	_, status, _ := runningDaemon(ctx, c)
	if status.Vault == nil {
		return nil
	}
	count := map[string]int{}
	for _, slot := range status.Vault.Slots {
		count[slot.Type]++
	}
	for _, slot := range status.Vault.Slots {
		name := slot.Type
		if count[name] > 1 {
			name = slot.ID[:min(shortDigits, len(slot.ID))]
		}
		found = append(found, command.Candidate{Value: name, Text: slotText(slot)})
	}
	return found
}

// entryName completes the name of an entry that is one word.
func entryName(ctx context.Context, c *command.Completion) []command.Candidate {
	reply, _ := ask[ipc.Entries](ctx, c, ipc.PathEntries, map[string]string{"prefix": c.Word, "limit": strconv.Itoa(maxCandidates)})
	c.More = reply.Total - len(reply.Entries)
	return named(reply.Entries, "")
}

// entryNames completes the name of an entry whose words may stand apart: after
// "my" and a blank, "my bank" goes on with "bank".
func entryNames(ctx context.Context, c *command.Completion) []command.Candidate {
	before := wordsBefore(c)
	prefix := before + c.Word
	reply, _ := ask[ipc.Entries](ctx, c, ipc.PathEntries, map[string]string{"prefix": prefix, "limit": strconv.Itoa(maxCandidates)})
	c.More = reply.Total - len(reply.Entries)
	return named(reply.Entries, before)
}

// trashedNames is entryNames for what is in the trash.
func trashedNames(ctx context.Context, c *command.Completion) []command.Candidate {
	reply, _ := ask[ipc.Entries](ctx, c, ipc.PathTrash, nil)
	before := wordsBefore(c)
	begun := slices.DeleteFunc(reply.Entries, func(e ipc.Entry) bool {
		_, ok := command.CutFold(e.Name, before+c.Word)
		return !ok
	})
	c.More = max(0, len(begun)-maxCandidates)
	return named(begun[:len(begun)-c.More], before)
}

// wordsBefore returns the words of a name that are complete, with the blank
// after them.
func wordsBefore(c *command.Completion) string {
	if len(c.Args) == 0 {
		return ""
	}
	return strings.Join(c.Args, " ") + " "
}

// named returns what follows before in the names of entries, with whom the
// entry belongs to where the name does not say that.
func named(entries []ipc.Entry, before string) (found []command.Candidate) {
	for _, e := range entries {
		rest, ok := command.CutFold(e.Name, before)
		if !ok {
			continue
		}
		var about []string
		for _, text := range []string{e.Issuer, e.Account} {
			if text != "" && !strings.Contains(e.Name, text) {
				about = append(about, text)
			}
		}
		found = append(found, command.Candidate{Value: rest, Text: strings.Join(about, ", ")})
	}
	return found
}

// tagNames completes a tag that entries have.
func tagNames(ctx context.Context, c *command.Completion) (found []command.Candidate) {
	reply, _ := ask[ipc.Entries](ctx, c, ipc.PathEntries, map[string]string{"search": c.Word, "limit": strconv.Itoa(maxTagged)})
	count := map[string]int{}
	for _, e := range reply.Entries {
		for _, tag := range e.Tags {
			count[tag]++
		}
	}
	for tag, n := range count {
		found = append(found, command.Candidate{Value: tag, Text: plural(n, "entry", "entries")})
	}
	slices.SortFunc(found, func(a, b command.Candidate) int { return strings.Compare(a.Value, b.Value) })
	return found
}

// maxTagged is how many entries are looked at for their tags: as many as fit in
// the time that completing has.
const maxTagged = 2000
