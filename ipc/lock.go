package ipc

// LockReason is who or what locked the vault.
type LockReason string

// The reasons why a vault is locked.
const (
	LockAsked  LockReason = "asked"  // POST /v1/lock
	LockAfter  LockReason = "after"  // lock_after is over
	LockIdle   LockReason = "idle"   // lock_idle is over
	LockScreen LockReason = "screen" // the screen was locked
	LockSleep  LockReason = "sleep"  // the machine went to sleep
	LockLogout LockReason = "logout" // the user's session ended
)

// LockStatus is the part of Status that tells of locking.
type LockStatus struct {
	// LockedBy is why the vault is locked; empty where nobody locked it since
	// the daemon started.
	LockedBy LockReason `json:"locked_by,omitempty"`
	// LockedAt is when that was; RFC 3339, UTC.
	LockedAt string `json:"locked_at,omitempty"`
	// LockAt is when the vault will lock by itself if nobody uses it until then;
	// RFC 3339, UTC. Empty for never, and while it is not open.
	LockAt string `json:"lock_at,omitempty"`
}
