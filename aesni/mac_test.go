package aesni

import (
	"crypto/hmac"
	"crypto/sha256"
	"testing"
)

func TestMACIsHMACOnEveryTier(t *testing.T) {
	eachImplementation(t, func(t *testing.T, use implementation) {
		for _, keyLen := range []int{0, 1, 32, 63, 64, 65, 200} {
			key := pattern(keyLen, 3)
			m := newMAC(key, use.sha)
			for n := range 400 {
				data := pattern(n, 5)
				h := hmac.New(sha256.New, key)
				h.Write(data)
				var got [32]byte
				if m.Sum(&got, data); got != [32]byte(h.Sum(nil)) {
					t.Fatalf("a key of %d and %d octets: %x, want %x", keyLen, n, got, h.Sum(nil))
				}
			}
		}
		m, data := newMAC(pattern(32, 1), use.sha), pattern(100, 2)
		var sum [32]byte
		if n := testing.AllocsPerRun(100, func() { m.Sum(&sum, data) }); n != 0 {
			t.Errorf("%v allocations", n)
		}
	})
}
