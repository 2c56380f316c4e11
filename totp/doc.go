// Package totp makes the one-time codes of RFC 4226 (HOTP, by counter) and
// RFC 6238 (TOTP, by time), and reads and writes the two forms in which their
// secrets travel: base32 text and otpauth:// URIs. It owns the arithmetic and
// these formats; it knows nothing of vaults, clocks or people, keeps no state
// between calls, and needs only the standard library.
//
// # From a secret to a code
//
// A service shows a secret in base32. DecodeSecret reads it as people paste it,
// and NewKey prepares it:
//
//	secret, err := totp.DecodeSecret("jbsw y3dp ehpk 3pxp")
//	if err != nil {
//		return err // says what is wrong and where, never what was typed
//	}
//	key, err := totp.NewKey(secret, totp.Options{})
//	if err != nil {
//		return err
//	}
//	fmt.Println(key.Code(time.Now()))
//
// The zero Options are what nearly every service uses: SHA-1, 6 digits, 30
// seconds. Others are set by name:
//
//	totp.Options{Algorithm: totp.SHA256, Digits: 8, Period: time.Minute}
//
// # How long a code lasts
//
// Token returns the code with its counter and the time in which it holds, which
// includes Start and excludes Expiry. The next token is the one at Expiry:
//
//	now := key.Token(time.Now())
//	next := key.Token(now.Expiry)
//
// # Codes by counter
//
// For a HOTP secret the caller keeps the counter, and stores the next one before
// it shows a code (RFC 4226 section 7.2):
//
//	code := key.HOTP(counter)
//
// # Many codes
//
// Preparing a key costs more than making a code. AppendCode on a prepared Key
// allocates nothing:
//
//	buf = key.AppendCode(buf[:0], key.Counter(t))
//
// A Key works in a buffer of its own, so goroutines that share one must take
// turns, or have a Key each.
//
// # URIs
//
// The QR code of a service holds an otpauth:// URI. ParseURI reads it, Key
// prepares its secret, and NewCredential with URI goes the other way:
//
//	uri, err := totp.ParseURI("otpauth://totp/Example:alice?secret=JBSWY3DPEHPK3PXP&issuer=Example")
//	if err != nil {
//		return err
//	}
//	key, err := uri.Key()
//
// # Secrets stay out of logs
//
// Neither a Key nor a Credential shows its secret to fmt, log/slog or encoding/json, and
// no error of this package repeats what it was given. The secret leaves a Credential
// by Secret, URI and JSON only.
package totp
