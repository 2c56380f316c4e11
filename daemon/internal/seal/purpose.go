package seal

import "strconv"

// Purpose says what an envelope holds. It is part of what the tag covers, so
// an envelope of one purpose never opens as another. The set is closed: the
// numbers are ours alone, the names are the format.
type Purpose uint8

// The purposes, each with the context that belongs to it (spec of the envelope:
// docs/vault-format.md). Zero is none of them, so that a forgotten purpose
// cannot pass for one.
const (
	VaultEntry   Purpose = iota + 1 // entry id (16)
	VaultHistory                    // entry id (16)
	VaultMeta                       // Context(bucket, key)
	VaultLog                        // Context(bucket, key)
	VaultSlot                       // vault id (16) ‖ slot id (16) ‖ SHA-256(slot header)
	Backup                          // vault id (16)
	SyncRecord                      // record id (16)
	SyncManifest                    // generation (u64)
)

// names are what the additional data carries: ASCII, without a NUL, none of
// them changed ever.
var names = [...]string{
	VaultEntry:   "vault/entry",
	VaultHistory: "vault/history",
	VaultMeta:    "vault/meta",
	VaultLog:     "vault/log",
	VaultSlot:    "vault/slot",
	Backup:       "backup",
	SyncRecord:   "sync/record",
	SyncManifest: "sync/manifest",
}

// valid reports whether p is one of the constants.
func (p Purpose) valid() bool { return p > 0 && int(p) < len(names) }

// String returns the name of p as the format spells it, such as "vault/entry".
func (p Purpose) String() string {
	if !p.valid() {
		return "purpose " + strconv.Itoa(int(p))
	}
	return names[p]
}
