//go:build unix && !linux

package socket

import "errors"

func mountReadOnly(string) error { return errors.ErrUnsupported }
