// Package totp makes and checks the one-time codes of RFC 4226 (HOTP, by
// counter) and RFC 6238 (TOTP, by time), and of Steam, Mobile-OTP and Yandex. It
// reads and writes the forms in which their secrets travel and are stored:
// base32 and hexadecimal text, otpauth:// URIs, and the JSON of Python's
// passlib.totp. It owns the arithmetic and these formats; it knows nothing of
// databases, clocks or people, keeps no state between calls, and needs only the
// standard library.
//
// # Show a code
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
// Token returns the code with its counter and the time in which it holds, which
// includes Start and excludes Expiry. Its neighbours are those of the counters
// beside it:
//
//	now := key.Token(time.Now())
//	left := now.Remaining(time.Now())
//	next, previous := key.Step(now.Counter+1), key.Step(now.Counter-1)
//
// # Add a second factor to an application
//
// A Factory holds what all users of a service have in common. New makes a secret
// for one of them, URI is what the QR code for their phone holds, and Group what
// they type off where no camera is:
//
//	factory := totp.Factory{Issuer: "Example", Wallet: wallet}
//
//	user, err := factory.New("alice@example.com")
//	uri, err := user.URI()
//	typed := totp.Group(totp.EncodeSecret(user.Secret()), "-")
//
// JSON is what the application stores. It does so once the user has shown that
// the phone has it, by a first code:
//
//	stored, err := factory.JSON(user)
//
// At each login Verify reads what was stored and matches what was typed. A code
// must not be taken twice (RFC 6238 section 5.2), so the application stores the
// counter of each code that it took, and gives it back the next time:
//
//	match, err := factory.Verify(typed, stored, time.Now(), totp.Window{Last: last})
//	switch {
//	case errors.Is(err, totp.ErrMalformed): // six digits are wanted
//	case errors.Is(err, totp.ErrUsed):      // wait for the next code
//	case errors.Is(err, totp.ErrInvalid):   // wrong, or too old
//	case err != nil:                        // what was stored does not read
//	default:
//		last = &match.Counter // and store it before letting the user in
//	}
//
// The window takes the code before and the code after as well, since clocks and
// people are not exact. A Match tells how far the client is off, and until when
// its counter has to be remembered.
//
// Six digits can be guessed by who may try often enough. A Throttle counts the
// failures and says how long to wait (RFC 4226 section 7.3); the application
// stores it beside the counter:
//
//	if wait := throttle.Wait(time.Now(), totp.DefaultDelay); wait > 0 {
//		return tryAgainIn(wait)
//	}
//
// # Seal what is stored
//
// A Wallet seals secrets under a secret of the application, so that a copy of the
// database alone yields no codes. Its secrets have tags. To rotate, add one with a
// larger tag, write again what Parse reports as changed, and then remove the old
// one:
//
//	wallet, err := totp.LoadWallet("/etc/example/totp-secrets", totp.WalletOptions{})
//
//	user, changed, err := factory.Parse(stored)
//	if changed {
//		stored, err = factory.JSON(user)
//	}
//
// GenerateWalletSecret makes the application's secrets.
//
// # Move from passlib
//
// Texts of TOTP.to_json and TOTP.to_uri are read as they are, sealed ones under a
// wallet with the same secrets. With WalletOptions.Passlib the texts written here
// are read there too, so that both may run side by side. Where passlib has traps
// this package differs: defaults of a Factory never change what was stored, a
// code with digits of another script is ErrMalformed, a secret with a 0 or an 8
// is refused and not read as O or B, and the sealed form is authenticated unless
// passlib's is asked for.
//
// # Codes by counter
//
// For a HOTP secret the one who shows codes stores the next counter before it
// shows a code (RFC 4226 section 7.2):
//
//	code := key.HOTP(counter)
//
// The one who checks them looks ahead, since people ask for codes in vain.
// MatchCounter does that, and Resync finds a token that has run away, by several
// codes in a row:
//
//	used, err := key.MatchCounter(code, next, 0)
//	next = used + 1
//
// # Other codes
//
// NewSteam, NewMOTP and NewYandex return a Key whose codes have other forms; all
// else, Token and Match too, is the same.
//
// # Many codes
//
// Preparing a key costs more than making a code. AppendCode, Match and
// MatchCounter on a prepared Key allocate nothing, but for the *UsedError of a
// code that was used:
//
//	buf = key.AppendCode(buf[:0], key.Counter(t))
//
// A Key works in buffers of its own, so goroutines that share one must take
// turns, or have a Key each.
//
// # Secrets stay out of logs
//
// Neither a Key, a Credential nor a Wallet shows its secret to fmt, log/slog or
// encoding/json, and no error of this package repeats what it read. The
// secret leaves a Credential by Secret, URI, JSON and Map only.
package totp
