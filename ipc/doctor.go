package ipc

// PathDoctor is where the daemon looks at itself: GET → Doctor.
const PathDoctor = "/v1/doctor"

// CheckStatus is what came out of a check.
type CheckStatus string

// What may come out of a check.
const (
	CheckOK   CheckStatus = "ok"
	CheckWarn CheckStatus = "warn" // it works, and should be mended
	CheckFail CheckStatus = "fail" // it does not work, or secrets lie open
)

// Check is one thing that was looked at. It holds no secret.
type Check struct {
	Name    string      `json:"name"` // what was looked at, in a word or two
	Status  CheckStatus `json:"status"`
	Message string      `json:"message"`
	Hint    string      `json:"hint,omitempty"` // the command to type, or what to do in words
}

// Doctor is what was found. There may be several checks of one name.
type Doctor struct {
	Checks []Check `json:"checks"`
}
