//go:build !windows && (!unix || darwin)

package session

import "context"

// Supported returns the events that this system can tell of: none. macOS posts the
// lock of the screen as a distributed notification and its sleep through IOKit.
// Both want Objective-C or C, which this build has not, and asking again and again
// would cost an idle machine more than it is worth.
func Supported() []Event { return nil }

// Run waits until ctx ends.
func (w *Watcher) Run(ctx context.Context) { <-ctx.Done() }
