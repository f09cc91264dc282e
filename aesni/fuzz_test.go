package aesni

import (
	"bytes"
	"testing"
)

// FuzzRoundTrip seals and opens anything under any secret.
func FuzzRoundTrip(f *testing.F) {
	f.Add([]byte{}, []byte{}, []byte{})
	f.Add(secret(1), []byte("hello"), pattern(12, 1))
	f.Add(pattern(100, 1), pattern(300, 2), pattern(12, 3))
	f.Fuzz(func(t *testing.T, sharedSecret, plaintext, iv []byte) {
		keys := NewKeys()
		keys.DeriveEncryption(0, sharedSecret)
		keys.DeriveFulfillment(0, sharedSecret)
		sealed := Op{Text: plaintext, Data: make([]byte, len(plaintext)+Overhead)}
		copy(sealed.IV[:], iv)
		keys.Seal(&sealed)
		if !bytes.Equal(sealed.Data[:12], sealed.IV[:]) {
			t.Fatal("the IV is not in front")
		}
		opened := Op{Text: make([]byte, len(plaintext)), Data: sealed.Data}
		keys.Open(&opened)
		if !opened.OK || !bytes.Equal(opened.Text, plaintext) {
			t.Fatal("does not open")
		}

		var key [32]byte
		HMAC(&key, sharedSecret, labelEncryption)
		box, err := NewBox(key[:])
		if err != nil {
			t.Fatal(err)
		}
		if text, ok := box.Open(nil, sealed.Data); !ok || !bytes.Equal(text, plaintext) {
			t.Fatal("the box of that key does not open it")
		}

		keys.Prove(&opened)
		var fulfillment [32]byte
		HMAC(&key, sharedSecret, labelFulfillment)
		HMAC(&fulfillment, key[:], sealed.Data)
		if opened.Fulfillment != fulfillment || opened.Condition != Sum256(fulfillment[:]) {
			t.Fatal("proves another fulfillment")
		}
	})
}

// FuzzTamper changes an envelope in any way: if it is another one it is refused.
func FuzzTamper(f *testing.F) {
	keys := NewKeys()
	keys.DeriveEncryption(0, secret(1))
	genuine := make([]byte, 100+Overhead)
	keys.Seal(&Op{Text: pattern(100, 1), Data: genuine, IV: [12]byte{1}})
	f.Add(genuine)
	f.Add(genuine[:27])
	f.Add(genuine[:28])
	f.Add(append(bytes.Clone(genuine), 0))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		before := bytes.Clone(data)
		text := make([]byte, max(0, len(data)-Overhead))
		op := Op{Text: text, Data: data}
		keys.Open(&op)
		if !bytes.Equal(data, before) {
			t.Fatal("open changed the envelope")
		}
		if op.OK != bytes.Equal(data, genuine) {
			t.Fatalf("OK %t", op.OK)
		}
		if !op.OK && !allZero(text) {
			t.Fatal("refused, and left something behind")
		}
	})
}

// FuzzEveryTier holds every tier that runs here to the standard library: any secret, text,
// IV and place in memory, and one bit changed.
func FuzzEveryTier(f *testing.F) {
	f.Add(secret(1), []byte("hello"), pattern(12, 1), uint8(3), uint16(7))
	for _, n := range []int{0, 16, 48, 49, 112, 113, 128, 240, 241, 256, 500, 4100} {
		f.Add(secret(2), pattern(n, 2), pattern(12, 3), uint8(n), uint16(n))
	}
	f.Fuzz(func(t *testing.T, sharedSecret, text, iv []byte, place uint8, bit uint16) {
		if len(text) > 32739 {
			return
		}
		d := newDiffer(t, sharedSecret)
		n, at := len(text), int(place%64)
		from, to := make([]byte, n+64), make([]byte, n+Overhead+64)
		copy(from[at:], text)
		text, data := from[at:at+n:at+n], to[63-at:][:n+Overhead:n+Overhead]
		var nonce [12]byte
		copy(nonce[:], iv)
		d.check(nonce, text, data)
		d.forge(data, text, int(bit)%(8*len(data)))
	})
}
