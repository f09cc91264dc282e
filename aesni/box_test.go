package aesni

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"sync"
	"testing"
)

func TestNewBoxRefusesOtherKeyLengths(t *testing.T) {
	for n := range 65 {
		_, err := NewBox(make([]byte, n))
		if (err == nil) != (n == 32) || err != nil && !errors.Is(err, ErrKeyLength) {
			t.Errorf("key of %d octets: %v", n, err)
		}
	}
}

// eachBox runs a test body with a box of every tier.
func eachBox(t *testing.T, body func(t *testing.T, box *Box)) {
	for tier := range gcmTier(len(gcmNames)) {
		t.Run(gcmNames[tier], func(t *testing.T) {
			if tier > best.gcm {
				t.Skipf("this machine, or this build, can not run %s", gcmNames[tier])
			}
			box, err := newBox(secret(5), tier)
			if err != nil {
				t.Fatal(err)
			}
			body(t, box)
		})
	}
}

func TestBoxAppends(t *testing.T) {
	eachBox(t, func(t *testing.T, box *Box) {
		iv := [12]byte{9}
		for n := range 300 {
			for _, room := range []int{0, 5, n + 200} {
				dst := append(make([]byte, 0, 3+room), "abc"...)
				envelope := box.Seal(dst, &iv, pattern(n, 1))
				if len(envelope) != 3+n+Overhead || string(envelope[:3]) != "abc" || !bytes.Equal(envelope[3:15], iv[:]) {
					t.Fatalf("%d octets, room %d: sealed to %x", n, room, envelope)
				}
				before := bytes.Clone(envelope)
				text, ok := box.Open(append(make([]byte, 0, 3+room), "xyz"...), envelope[3:])
				if !ok || string(text[:3]) != "xyz" || !bytes.Equal(text[3:], pattern(n, 1)) || !bytes.Equal(envelope, before) {
					t.Fatalf("%d octets, room %d: opened %t to %x", n, room, ok, text)
				}
			}
		}
		for n := range 300 {
			forged := box.Seal(nil, &iv, pattern(n, 1))
			forged[n/2] ^= 1
			if out, ok := box.Open(append(make([]byte, 0, 400), "abc"...), forged); ok || string(out) != "abc" {
				t.Fatalf("%d octets, forged: opened %t to %x", n, ok, out)
			}
		}
		for n := range Overhead {
			if out, ok := box.Open([]byte("abc"), make([]byte, n)); ok || string(out) != "abc" {
				t.Errorf("an envelope of %d octets opens", n)
			}
		}
	})
}

func TestBoxServesManyGoroutines(t *testing.T) {
	eachBox(t, func(t *testing.T, box *Box) {
		var wg sync.WaitGroup
		for g := range byte(4) {
			wg.Go(func() {
				iv := [12]byte{g}
				for i := range 200 {
					envelope := box.Seal(nil, &iv, pattern(i, g))
					if text, ok := box.Open(nil, envelope); !ok || !bytes.Equal(text, pattern(i, g)) {
						t.Error("goroutines disturb each other")
						return
					}
				}
			})
		}
		wg.Wait()
	})
}

func TestHMACEqualsTheStandardLibrary(t *testing.T) {
	for keyLen := range 140 {
		for _, n := range []int{0, 1, 55, 56, 64, 100, 600} {
			key, message := pattern(keyLen, 1), pattern(n, 2)
			mac := hmac.New(sha256.New, key)
			mac.Write(message)
			var got [32]byte
			HMAC(&got, key, message[:n/3], message[n/3:])
			if !Equal(got[:], mac.Sum(nil)) {
				t.Fatalf("key of %d, message of %d octets: %x", keyLen, n, got)
			}
			if sum := sha256.Sum256(message); Sum256(message) != sum {
				t.Fatal("Sum256 differs")
			}
		}
	}
	// A ratchet: the result replaces the key.
	a, b := [32]byte{1}, [32]byte{1}
	HMAC(&a, a[:], b[:])
	HMAC(&b, bytes.Clone(b[:]), bytes.Clone(b[:]))
	if a != b {
		t.Error("HMAC into its own key gives another result")
	}
}

func TestEqual(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want bool
	}{{"", "", true}, {"a", "a", true}, {"a", "b", false}, {"a", "", false}, {"ab", "aa", false}, {"a", "aa", false}} {
		if Equal([]byte(c.a), []byte(c.b)) != c.want {
			t.Errorf("Equal(%q, %q) is not %t", c.a, c.b, c.want)
		}
	}
}

// TestEqual32 turns each bit.
func TestEqual32(t *testing.T) {
	var a, b [32]byte
	for i := range a {
		a[i], b[i] = byte(7*i), byte(7*i)
	}
	if !Equal32(&a, &b) {
		t.Fatal("equal ones differ")
	}
	for bit := range 256 {
		b[bit/8] ^= 1 << (bit % 8)
		if Equal32(&a, &b) {
			t.Fatalf("bit %d is not looked at", bit)
		}
		b[bit/8] ^= 1 << (bit % 8)
	}
}
