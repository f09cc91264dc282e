package aesni

import (
	"bytes"
	"testing"
)

func TestAEADIsTheStandardLibrarys(t *testing.T) {
	key := secret(5)
	std, err := newGCM(key)
	if err != nil {
		t.Fatal(err)
	}
	for tier := gcmStdlib; tier <= best.gcm; tier++ {
		a, err := newAEAD(key, tier)
		if err != nil {
			t.Fatal(err)
		}
		if a.NonceSize() != std.NonceSize() || a.Overhead() != std.Overhead() {
			t.Errorf("%s: nonces of %d, overhead %d", gcmNames[tier], a.NonceSize(), a.Overhead())
		}
		nonce := pattern(12, 1)
		for n := range 300 {
			for _, ad := range [][]byte{nil, []byte("additional")} {
				text := pattern(n, byte(n))
				want := std.Seal([]byte("before"), nonce, text, ad)
				got := a.Seal([]byte("before"), nonce, text, ad)
				if !bytes.Equal(got, want) {
					t.Fatalf("%s: %d octets sealed to %x, want %x", gcmNames[tier], n, got, want)
				}
				back, err := a.Open([]byte("x"), nonce, got[6:], ad)
				if err != nil || !bytes.Equal(back, append([]byte("x"), text...)) {
					t.Fatalf("%s: %d octets opened to %x, %v", gcmNames[tier], n, back, err)
				}
				got[6+n/2] ^= 4
				if back, err := a.Open(nil, nonce, got[6:], ad); err == nil || back != nil {
					t.Fatalf("%s: %d octets, forged: %x, %v", gcmNames[tier], n, back, err)
				}
			}
		}
		// In place, as cipher.AEAD allows it.
		buf := append(make([]byte, 0, 200), pattern(100, 7)...)
		sealed := a.Seal(buf[:0], nonce, buf, nil)
		if !bytes.Equal(sealed, std.Seal(nil, nonce, pattern(100, 7), nil)) {
			t.Errorf("%s: sealed in place to another text", gcmNames[tier])
		}
		if back, err := a.Open(sealed[:0], nonce, sealed, nil); err != nil || !bytes.Equal(back, pattern(100, 7)) {
			t.Errorf("%s: opened in place: %v", gcmNames[tier], err)
		}
		if _, err := a.Open(nil, nonce, make([]byte, 15), nil); err == nil {
			t.Errorf("%s: less than a tag opens", gcmNames[tier])
		}
	}
	if _, err := NewAEAD(key[:31]); err != ErrKeyLength {
		t.Errorf("a short key: %v", err)
	}
}
