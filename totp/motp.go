package totp

import (
	"bytes"
	"crypto/md5" //nolint:gosec // the hash of Mobile-OTP: it knows no other
	"encoding/hex"
	"strconv"
	"time"
)

// Mobile-OTP (motp.sourceforge.net): the first six hexadecimal digits of
// MD5(time step in decimal ‖ secret in hex ‖ PIN), a step every ten seconds.
const (
	motpLength = 6
	motpPeriod = 10 * time.Second
)

// NewMOTP prepares a secret of Mobile-OTP with the person's PIN: codes of six
// hexadecimal digits in lower case, every 10 seconds. Both are part of each
// code; a wrong PIN shows only by codes that are refused. The error is ErrEmpty,
// for no secret; the PIN may be empty. It says nothing of how good this is:
// MD5 of 16 bytes and four digits is what those tokens do.
func NewMOTP(secret []byte, pin string) (*Key, error) {
	if len(secret) == 0 {
		return nil, ErrEmpty
	}
	tail := append(hex.AppendEncode(nil, secret), pin...)
	return &Key{Options{Algorithm: SHA1, Digits: motpLength, Period: motpPeriod}, &motp{&motpWork{tail: tail}}}, nil
}

// motp has its work behind a second pointer for the reason that box gives.
type motp struct{ work *motpWork }

type motpWork struct {
	tail  []byte // secret in hex, and PIN
	input []byte
	text  [2 * md5.Size]byte
}

func (m *motp) code(counter uint64) []byte {
	w := m.work
	w.input = append(strconv.AppendUint(w.input[:0], counter, 10), w.tail...)
	sum := md5.Sum(w.input) //nolint:gosec // as above
	hex.Encode(w.text[:], sum[:])
	return w.text[:motpLength]
}

func (m *motp) form(c byte) (byte, bool) {
	c = lower(c)
	return c, bytes.IndexByte([]byte("0123456789abcdef"), c) >= 0
}

func (m *motp) name() string { return "mOTP" }

func (m *motp) wipe() {
	clear(m.work.tail)
	clear(m.work.input)
	*m.work = motpWork{}
}
