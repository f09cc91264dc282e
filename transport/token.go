package transport

import (
	"crypto/sha256"
	"crypto/subtle"
)

// EqualToken reports whether two tokens are the same octets, in a time that tells
// nothing of where they differ or how long the secret one is.
func EqualToken(a, b []byte) bool {
	x, y := sha256.Sum256(a), sha256.Sum256(b)
	return subtle.ConstantTimeCompare(x[:], y[:]) == 1
}
