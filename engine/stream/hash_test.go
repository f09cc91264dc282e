package stream

import (
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
