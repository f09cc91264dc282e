package stream

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"math/rand/v2"
	"testing"
)

// TestHashOfATokenDependsOnAllOfIt: each bit of tokens of all lengths, their length, and
// the seed change half of the bits on average, and no two of very many have the same hash.
func TestHashOfATokenDependsOnAllOfIt(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	m := &Machine{cfg: Config{HashSeed: [2]uint64{random.Uint64(), random.Uint64()}}}
	seen := map[uint64]bool{}
	see := func(h uint64) {
		if seen[h] {
			t.Fatal("two hashes are the same")
		}
		seen[h] = true
	}
	// Of so many fair coins hardly ever fewer than a third or more than two thirds are heads.
	check := func(what string, n, flips, times int) {
		if mean := float64(flips) / float64(times); mean < 28 || mean > 36 {
			t.Errorf("%s, %d octets: %.1f bits of 64 change", what, n, mean)
		}
	}
	for n := 0; n <= 140; n++ {
		token := make([]byte, n, n+1)
		for i := range token {
			token[i] = byte(random.Uint32())
		}
		h := m.tokenHash(token)
		see(h)
		flips := 0
		for bit := range 8 * n {
			token[bit/8] ^= 1 << (bit % 8)
			other := m.tokenHash(token)
			see(other)
			d := bits.OnesCount64(h ^ other)
			if d < 8 {
				t.Errorf("bit %d of %d octets changes %d bits", bit, n, d)
			}
			flips += d
			token[bit/8] ^= 1 << (bit % 8)
		}
		if n > 0 {
			check("a bit", n, flips, 8*n)
		}
		see(m.tokenHash(append(token, 0)))
	}
	token := []byte("a token of any length at all")
	flips, h := 0, m.tokenHash(token)
	for bit := range 128 {
		m.cfg.HashSeed[bit/64] ^= 1 << (bit % 64)
		flips += bits.OnesCount64(h ^ m.tokenHash(token))
		m.cfg.HashSeed[bit/64] ^= 1 << (bit % 64)
	}
	check("the seed", len(token), flips, 128)
}

// TestHashIsKeyedForTokensThatAreChosen: words that cancel a constant of the hash out, and
// blocks that change places, make no two the same.
func TestHashIsKeyedForTokensThatAreChosen(t *testing.T) {
	const k0, k1 = 0x9e3779b97f4a7c15, 0xd6e8feb86659fd93
	words := []uint64{0, 1, 1 << 63, ^uint64(0), k0, k1, k0 ^ k1}
	random := rand.New(rand.NewPCG(7, 8))
	m := &Machine{cfg: Config{HashSeed: [2]uint64{random.Uint64(), random.Uint64()}}}
	for n := 8; n <= 100; n++ {
		seen := map[uint64]string{}
		see := func(token []byte) {
			h := m.tokenHash(token)
			if other, ok := seen[h]; ok && other != string(token) {
				t.Fatalf("%x and %x have the same hash", other, token)
			}
			seen[h] = string(token)
		}
		// One word where the hash reads one, and chance beside it.
		for range 50 {
			for _, at := range []int{0, n - 8, max(n-16, 0)} {
				for _, w := range words {
					token := make([]byte, n)
					for i := range token {
						token[i] = byte(random.Uint32())
					}
					binary.LittleEndian.PutUint64(token[at:], w)
					see(token)
				}
			}
		}
		// Nothing but such words, in any order, from either end.
		for range 1000 {
			token := make([]byte, n)
			for at := n % 8 * random.IntN(2); at+8 <= n; at += 8 {
				binary.LittleEndian.PutUint64(token[at:], words[random.IntN(len(words))])
			}
			see(token)
		}
		// Chains that change places.
		token := make([]byte, n)
		for i := range token {
			token[i] = byte(random.Uint32())
		}
		for range 200 {
			if n < 48 {
				break
			}
			a, b := 8*random.IntN(n/8), 8*random.IntN(n/8)
			x, y := binary.LittleEndian.Uint64(token[a:]), binary.LittleEndian.Uint64(token[b:])
			binary.LittleEndian.PutUint64(token[a:], y)
			binary.LittleEndian.PutUint64(token[b:], x)
			see(token)
			for _, k := range []uint64{k0, k1, k0 ^ k1} {
				other := bytes.Clone(token)
				binary.LittleEndian.PutUint64(other[a:], y^k)
				binary.LittleEndian.PutUint64(other[b:], x^k)
				see(other)
			}
		}
	}
}
