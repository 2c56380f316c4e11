package ipc

// Paths of the log of who asked for what.
const (
	PathLog      = "/v1/log"       // GET ?n=&name=&since= → Log, the newest last
	PathLogClear = "/v1/log/clear" // POST → empty object
)

// What is noted in the log. Codes and lists are noted once for each minute in
// which a process asks for the same; a code by counter each time.
const (
	LogCode        = "code"           // a code was made
	LogCodes       = "codes"          // the codes of many entries
	LogShow        = "show"           // one entry with its secret
	LogSecrets     = "secrets"        // a list with secrets
	LogAdd         = "add"            //
	LogEdit        = "edit"           //
	LogDelete      = "delete"         // to the trash
	LogRestore     = "restore"        // from the trash
	LogEmpty       = "empty"          // removed from the trash for good
	LogUndo        = "undo"           // Detail is what was undone
	LogInit        = "init"           // a vault was made; Detail is the keystore that was asked for
	LogUnlock      = "unlock"         // Detail is by what, as far as it is known
	LogWrong       = "wrong-unlock"   // Detail is the code of the error
	LogLock        = "lock"           // Detail is why
	LogSlots       = "slots"          // key slots were changed; Detail says how
	LogConfig      = "config"         // Detail is the keys that were changed
	LogSecretsFile = "secrets-file"   // entries were taken in from secrets.json
	LogBackup      = "backup"         // a backup was asked for
	LogFromBackup  = "backup-restore" // a backup was brought back
	LogOn          = "log-on"         //
	LogOff         = "log-off"        // nothing is noted from here on
	LogCleared     = "log-cleared"    // all before was removed
	LogLost        = "lost"           // Count rows could not be kept, since too many waited
)

// Log is a part of the log.
type Log struct {
	Rows  []LogRow `json:"rows"`
	Total int      `json:"total"` // rows that match, those beyond n too
	On    bool     `json:"on"`    // whether anything is noted at the moment
	// Problem says why rows cannot be stored, or be read; what can be read is in Rows.
	Problem string `json:"problem,omitempty"`
}

// LogRow is what somebody asked for. It never holds a code or a secret.
type LogRow struct {
	At      string     `json:"at"` // RFC 3339
	What    string     `json:"what"`
	Entries []LogEntry `json:"entries,omitempty"` // those it is about, 20 at most
	Count   int        `json:"count,omitempty"`   // of entries, where they are many or not named; of rows for lost
	Detail  string     `json:"detail,omitempty"`
	Client  *LogClient `json:"client,omitempty"` // who asked; none where the daemon did it by itself
}

// LogEntry is an entry as it is called now.
type LogEntry struct {
	ID   string `json:"id"`
	Name string `json:"name,omitempty"`
	Gone bool   `json:"gone,omitempty"` // removed for good; only the id is left
}

// LogClient is the process that asked, as claimed: it runs as this user, and for
// the rest the system tells what a process can choose.
type LogClient struct {
	PID        int    `json:"pid"`
	Started    string `json:"started,omitempty"`    // RFC 3339
	Executable string `json:"executable,omitempty"` // a path, or a bare name
	Parent     string `json:"parent,omitempty"`     // executable of the process that started it
}
