package cli

import (
	"cmp"
	"context"
	"errors"
	"math"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"time"

	"github.com/o2fa/o2fa/client"
	"github.com/o2fa/o2fa/internal/command"
	"github.com/o2fa/o2fa/ipc"
)

// open2fa's words at Ctrl-C.
const exiting = "\n(SIGINT) Exiting...\n\n"

func generateCommand() *command.Command {
	return &command.Command{
		Use:      "generate [TEXT...]",
		Aliases:  []string{"g", "-g", "-generate", "--generate"},
		Synonyms: []string{"gen", "codes", "live", "watch"},
		Short:    "Show the codes of all entries, live",
		Long: `On a terminal until Ctrl-C, as many as fit, each with the seconds it is valid.
With a text only entries that have it in name, issuer, account or a tag. The
daemon is asked again and again: new entries appear, and a locked vault hides
the rest.

Elsewhere, and with --json, one round of all that match, or as many as -r says.

An entry that counts (hotp) is shown by its counter, as #7: each code of it is
used up by asking, which "o2fa code" does. NO_COLOR turns colours off.`,
		Example: `o2fa generate
o2fa generate git
o2fa generate -n git -r 1
o2fa generate --json    # with ids, issuers and next codes`,
		Flags: []command.Flag{
			{Name: "name", Short: "n", Default: "", Value: "TEXT", Usage: "only entries that have the text", Complete: entryName},
			{Name: "tag", Default: "", Value: "TAG", Usage: "only entries with the tag", Complete: tagNames},
			{Name: "repeat", Short: "r", Default: 0, Value: "N", Usage: "end after so many rounds"},
			{Name: "delay", Short: "d", Default: "0.5", Value: "SECONDS", Usage: "time between two rounds"},
		},
		MaxArgs:  -1,
		Complete: entryNames,
		Run:      runGenerate,
	}
}

// generator is one call of generate.
type generator struct {
	*agent
	search, tag string
	rounds      int // 0 where -r was not given
	delay       time.Duration
}

func runGenerate(ctx context.Context, inv *command.Invocation) error {
	g, err := newGenerator(inv)
	if err != nil {
		return err
	}
	if g.agent, err = connect(inv); err != nil {
		return err
	}
	err = g.show(ctx)
	if errors.Is(err, command.ErrInterrupted) && !errors.Is(err, command.ErrTerminated) {
		return nil // the one way to end it
	}
	return err
}

// newGenerator reads words and flags.
func newGenerator(inv *command.Invocation) (*generator, error) {
	g := &generator{search: inv.String("name"), tag: inv.String("tag"), rounds: inv.Int("repeat")}
	help := inv.Path + " --help"
	if len(inv.Args) > 0 {
		if inv.Given("name") {
			return nil, command.Usage(help, "two texts: one as a word, one with -n")
		}
		g.search = strings.Join(inv.Args, " ")
	}
	if inv.Given("repeat") && g.rounds < 1 {
		return nil, command.Usage(help, "--repeat wants a number from 1")
	}
	var ok bool
	if g.delay, ok = parseDelay(inv.String("delay")); !ok {
		return nil, command.Usage(help, "--delay wants seconds from 0 up, such as 0.5")
	}
	return g, nil
}

// parseDelay reads seconds, as open2fa does, or a time such as 1m. At most a day.
func parseDelay(text string) (time.Duration, bool) {
	delay, err := time.ParseDuration(text)
	if seconds, floatErr := strconv.ParseFloat(text, 64); floatErr == nil && !math.IsNaN(seconds) {
		err = nil
		delay = time.Duration(max(-1, min(seconds, 2*day.Seconds())) * float64(time.Second))
	}
	return delay, err == nil && delay >= 0 && delay <= day
}

const day = 24 * time.Hour

// request asks for the codes, at most limit of them; 0 means all.
func (g *generator) request(limit int) client.Request {
	query := map[string]string{}
	if limit > 0 {
		query["limit"] = strconv.Itoa(limit)
	}
	if g.search != "" {
		query["search"] = g.search
	}
	if g.tag != "" {
		query["tag"] = g.tag
	}
	return client.Request{Method: "GET", Path: ipc.PathCodes, Query: query}
}

// show shows the codes in the way that the call and its output ask for.
func (g *generator) show(ctx context.Context) error {
	look, limit := look{}, 0
	if command.IsTerminal(g.inv.Out) && !g.inv.JSON() {
		look.columns, look.lines = g.inv.Size()
		limit = max(1, look.most())
	}
	raw, err := g.do(ctx, g.request(limit))
	if err != nil {
		return err
	}
	first, err := decode[ipc.Codes](raw)
	if err != nil {
		return err
	}
	if g.inv.JSON() {
		g.inv.PrintJSON(raw)
	}
	switch {
	case len(first.Codes) == 0:
		return g.nothing()
	case g.inv.JSON():
		return g.repeat(ctx, 0, func(raw []byte) error { g.inv.PrintJSON(raw); return nil })
	}
	g.inv.Printf("\n%s\n\n", exitHint)
	if g.rounds != 1 {
		if screen, ok := g.inv.OpenScreen(); ok {
			return g.live(ctx, screen, first, limit)
		}
	}
	return g.tables(ctx, first, look, limit)
}

// tables prints a table for each round, one below the other.
func (g *generator) tables(ctx context.Context, first ipc.Codes, look look, limit int) error {
	g.print(viewOf(first, time.Now()), look)
	err := g.repeat(ctx, limit, func(raw []byte) error {
		codes, err := decode[ipc.Codes](raw)
		if err == nil {
			g.inv.Printf("\n")
			g.print(viewOf(codes, time.Now()), look)
		}
		return err
	})
	if errors.Is(err, command.ErrInterrupted) {
		g.inv.Printf("%s", exiting)
	}
	return err
}

// print writes the table of this moment.
func (g *generator) print(v view, look look) {
	table := strings.Join(v.frame(time.Now(), look), "\n") + "\n"
	if g.inv.MovesCursor() {
		table = command.Align(table, look.columns)
	}
	g.inv.Printf("%s", table)
}

// repeat asks for all rounds but the first, each at most limit codes, and shows
// them.
func (g *generator) repeat(ctx context.Context, limit int, show func(raw []byte) error) error {
	if g.rounds <= 1 {
		return nil
	}
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt)
	defer stop()
	for round := 2; round <= g.rounds; round++ {
		select {
		case <-ctx.Done():
			return command.ErrInterrupted
		case <-time.After(g.delay):
		}
		raw, err := g.do(ctx, g.request(limit))
		if ctx.Err() != nil {
			return command.ErrInterrupted
		}
		if err == nil {
			err = show(raw)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// live shows the codes on a screen. What was to be seen last stays below the
// words that were there before.
func (g *generator) live(ctx context.Context, screen *command.Screen, first ipc.Codes, limit int) error {
	defer screen.Close()
	quiet := *g.client
	quiet.NoStart = true // whoever ended the daemon meant that
	l := &live{screen: screen, delay: g.delay, rounds: g.rounds, colours: g.inv.Colours(), empty: g.nothing().Error(),
		ask: func(ctx context.Context, limit int) (codes ipc.Codes, err error) {
			raw, err := quiet.Do(ctx, g.request(limit))
			if err == nil {
				codes, err = decode[ipc.Codes](raw)
			}
			return codes, err
		}}
	err := l.run(ctx, first, limit)
	screen.Close()
	if err != nil && !errors.Is(err, command.ErrInterrupted) {
		return err
	}
	last := look{}
	last.columns, last.lines = g.inv.Size()
	g.print(l.view, last)
	if errors.Is(err, command.ErrInterrupted) && !errors.Is(err, command.ErrTerminated) {
		g.inv.Printf("%s", exiting)
	}
	return err
}

// nothing returns the failure of a call that no entry matches.
func (g *generator) nothing() error {
	f := &command.Failure{Exit: command.ExitNotFound, Code: string(ipc.CodeNotFound), Err: errors.New("no entries yet"), Hint: "o2fa add"}
	if cmp.Or(g.search, g.tag) != "" {
		f.Err, f.Hint = errors.New("no entry matches"), "o2fa list"
	}
	return f
}
