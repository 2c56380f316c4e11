//go:build !linux

package ptytest

import (
	"errors"
	"os"
)

func open() (master, device *os.File, err error) { return nil, nil, errors.ErrUnsupported }

func resize(*os.File, int, int) error { return errors.ErrUnsupported }

func unread(*os.File) (int, error) { return 0, errors.ErrUnsupported }
