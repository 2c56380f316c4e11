package session

// Knows says whether holder has said anything yet.
func (w *Watcher) Knows(holder string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.known[holder]
}
