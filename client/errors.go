package client

import (
	"errors"
	"fmt"

	"github.com/o2fa/o2fa/ipc"
)

// failure is an ipc.Error made on this side, with what caused it, so that
// errors.Is finds the sentinel and, say, context.Canceled.
type failure struct {
	err   *ipc.Error
	cause error
}

func (f *failure) Error() string { return f.err.Message }

func (f *failure) Unwrap() []error {
	if f.cause == nil {
		return []error{f.err}
	}
	return []error{f.err, f.cause}
}

// fail makes a failure. The cause, if any, ends the message.
func fail(code ipc.ErrorCode, cause error, hint, format string, args ...any) error {
	text := fmt.Sprintf(format, args...)
	if cause != nil {
		text += ": " + cause.Error()
	}
	return &failure{&ipc.Error{Code: code, Message: text, Hint: hint}, cause}
}

// unavailable is fail with the code for a daemon that cannot be reached. What
// went wrong before, and has a code already, keeps it.
func unavailable(cause error, hint, format string, args ...any) error {
	if e := (*ipc.Error)(nil); errors.As(cause, &e) {
		return cause
	}
	return fail(ipc.CodeUnavailable, cause, hint, format, args...)
}
