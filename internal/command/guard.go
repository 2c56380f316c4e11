package command

import (
	"fmt"
	"os"
	"os/signal"
)

// guard watches over the terminal while something is asked: from a question to
// its answer, or, where the answer is not to be seen, until Reveal. It gives the
// terminal back as it was, whichever signal comes. It alone catches signals:
// elsewhere Ctrl-C ends the process as the system does it, and no program start
// pays for a handler.
type guard struct {
	terminal    *os.File // hidden; nil: the terminal shows what is typed
	signals     chan os.Signal
	over        chan struct{} // closed to end the watch
	ended       chan struct{} // closed when it has ended
	interrupted chan struct{} // closed when a signal wants the program to end
	resumed     chan error    // a value when the program is back from a stop: nil, unless hiding did not work
	interrupt   func()        // called when a signal wants the program to end
	show        func()        // gives the terminal its mode back
}

// newGuard hides what is typed at terminal, unless that is nil, and watches.
func newGuard(terminal *os.File, interrupt func()) (*guard, error) {
	g := &guard{terminal: terminal, interrupt: interrupt, signals: make(chan os.Signal, 4),
		over: make(chan struct{}), ended: make(chan struct{}), interrupted: make(chan struct{}), resumed: make(chan error, 1)}
	signal.Notify(g.signals, caught()...)
	if err := g.hide(); err != nil {
		signal.Stop(g.signals)
		return nil, err
	}
	go g.watch()
	return g, nil
}

// hide keeps the terminal from showing what is typed, until g.show.
func (g *guard) hide() (err error) {
	g.show = func() {}
	if g.terminal == nil {
		return nil
	}
	show, err := hide(g.terminal)
	if err != nil {
		return fmt.Errorf("hiding what is typed: %w", err)
	}
	g.show = show
	return nil
}

// drop forgets what was typed and not read yet, if it was hidden.
func (g *guard) drop() {
	if g.terminal != nil {
		dropTyped(g.terminal)
	}
}

// close ends the watch and shows again what is typed.
func (g *guard) close() {
	close(g.over)
	<-g.ended
	signal.Stop(g.signals)
	g.show()
}

// watch handles signals. After one that ends the program they have their own
// effect again, so that another Ctrl-C ends what takes no notice of the first.
func (g *guard) watch() {
	defer close(g.ended)
	for {
		select {
		case <-g.over:
			return
		case sig := <-g.signals:
			g.drop()
			g.show() // a shell gets its terminal as it was
			if !stops(sig) {
				signal.Stop(g.signals)
				close(g.interrupted)
				g.interrupt()
				return
			}
			suspend()
			err := g.hide()
			select {
			case g.resumed <- err:
			default:
			}
		}
	}
}
