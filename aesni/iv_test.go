package aesni

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"testing"
)

func ivSeed(seed byte) *[SeedLen]byte { return (*[SeedLen]byte)(pattern(SeedLen, seed)) }

// keystream is what an IVSource with that seed must give, from crypto/cipher.
func keystream(t *testing.T, seed *[SeedLen]byte, n int) []byte {
	t.Helper()
	block, err := aes.NewCipher(seed[:32])
	if err != nil {
		t.Fatal(err)
	}
	out := make([]byte, n)
	cipher.NewCTR(block, seed[32:]).XORKeyStream(out, out)
	return out
}

func TestIVSourceIsTheAESCTRKeystream(t *testing.T) {
	want := keystream(t, ivSeed(1), 5*ivBuffer)
	s := NewIVSource(ivSeed(1))
	var iv [12]byte
	at := 0
	for at+12 <= len(want) {
		s.Next(&iv)
		if !bytes.Equal(iv[:], want[at:at+12]) {
			t.Fatalf("at octet %d: %x, want %x", at, iv, want[at:at+12])
		}
		at += 12
		if s.Spent() != at {
			t.Fatalf("spent %d, gave %d", s.Spent(), at)
		}
	}

	// IVs and any lengths of Fill draw from the same stream, in order.
	s = NewIVSource(ivSeed(1))
	at = 0
	for n := 0; at+n+12 <= len(want); n += 37 {
		p := make([]byte, n)
		s.Fill(p)
		s.Next(&iv)
		if !bytes.Equal(p, want[at:at+n]) || !bytes.Equal(iv[:], want[at+n:at+n+12]) {
			t.Fatalf("Fill of %d and Next at octet %d leave the stream", n, at)
		}
		at += n + 12
	}
	whole := make([]byte, len(want))
	NewIVSource(ivSeed(1)).Fill(whole)
	if !bytes.Equal(whole, want) {
		t.Error("one large Fill leaves the stream")
	}
}

func TestIVSourceCounterCarries(t *testing.T) {
	seed := *ivSeed(2)
	for i := 32; i < SeedLen; i++ {
		seed[i] = 0xFF
	}
	got := make([]byte, 100)
	NewIVSource(&seed).Fill(got)
	if !bytes.Equal(got, keystream(t, &seed, 100)) {
		t.Error("the counter does not wrap as AES-CTR does")
	}
}

func TestIVSourceReseedForgetsTheOldKeystream(t *testing.T) {
	s := NewIVSource(ivSeed(1))
	s.Fill(make([]byte, 1001))
	s.Reseed(ivSeed(2))
	if s.Spent() != 0 {
		t.Errorf("spent %d right after the seed", s.Spent())
	}
	if !allZero(s.buf[:]) {
		t.Error("octets of the old keystream are left")
	}
	got := make([]byte, 3*ivBuffer)
	s.Fill(got)
	if !bytes.Equal(got, keystream(t, ivSeed(2), len(got))) {
		t.Error("not the new seed's keystream")
	}
}

func TestIVSourceWipesWhatItGave(t *testing.T) {
	s := NewIVSource(ivSeed(1))
	var iv [12]byte
	for range 1000 {
		s.Next(&iv)
		if !allZero(s.buf[:s.used]) {
			t.Fatal("a used octet is left in the buffer")
		}
	}
	s.Fill(make([]byte, 999))
	if !allZero(s.buf[:s.used]) {
		t.Fatal("a used octet is left in the buffer")
	}
}

func TestIVSourceNeverRepeatsWithinAMillion(t *testing.T) {
	if testing.Short() {
		t.Skip("a million map entries: left out with -short")
	}
	const n = 1_000_000
	s := NewIVSource(ivSeed(3))
	seen := make(map[[12]byte]struct{}, n)
	var iv [12]byte
	for i := range n {
		if i == n/2 {
			s.Reseed(ivSeed(4)) // another seed may not repeat the first one's either
		}
		s.Next(&iv)
		if _, repeated := seen[iv]; repeated {
			t.Fatalf("IV %d was given before", i)
		}
		seen[iv] = struct{}{}
	}
}
