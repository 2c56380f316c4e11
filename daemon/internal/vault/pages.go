package vault

import bolt "go.etcd.io/bbolt"

// checkPages looks at the head of every page before the first change. bbolt
// believes a page that says it runs on over billions of others, and would fill
// the memory with their numbers while it gives them free; what it reads, it
// reads with bounds. The look costs about a microsecond for each entry.
func checkPages(tx *bolt.Tx) error {
	for id := 0; ; id++ {
		page, err := tx.Page(id)
		if err != nil {
			return err
		}
		if page == nil {
			return nil // the last was before
		}
		switch page.Type {
		case "meta", "branch", "leaf", "freelist":
		default:
			continue // free, with what was there before
		}
		id += page.OverflowCount
		if last, err := tx.Page(id); err != nil || last == nil {
			return corrupt("page %d says that it goes on beyond the end", page.ID)
		}
	}
}
