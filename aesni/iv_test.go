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

// begun is how many octets of its keystream a source takes for itself at first.
const begun = 60 + 8

func TestFillIsTheAESCTRKeystream(t *testing.T) {
	want := keystream(t, ivSeed(1), begun+5*ivBuffer)[begun:]
	s := NewIVSource(ivSeed(1))
	var iv [12]byte
	at := 0
	for n := 0; at+n <= len(want); n += 37 {
		p := make([]byte, n)
		s.Fill(p)
		s.Next(&iv, 0) // an IV takes nothing from it
		if !bytes.Equal(p, want[at:at+n]) {
			t.Fatalf("Fill of %d at octet %d leaves the stream", n, at)
		}
		at += n
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
	if !bytes.Equal(got, keystream(t, &seed, begun+100)[begun:]) {
		t.Error("the counter does not wrap as AES-CTR does")
	}
}

func TestIVSourceReseedForgetsTheOldKeystream(t *testing.T) {
	s := NewIVSource(ivSeed(1))
	s.Fill(make([]byte, 1001))
	s.Reseed(ivSeed(2))
	if !allZero(s.buf[:s.used]) {
		t.Error("octets of the new keystream that were used are left")
	}
	got := make([]byte, 3*ivBuffer)
	s.Fill(got)
	if !bytes.Equal(got, keystream(t, ivSeed(2), 8+len(got))[8:]) {
		t.Error("not the new seed's keystream")
	}
}

func TestIVSourceWipesWhatItGave(t *testing.T) {
	s := NewIVSource(ivSeed(1))
	for range 1000 {
		s.Fill(make([]byte, 13))
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
		if i%(n/10) == n/20 {
			s.Reseed(ivSeed(byte(i % (n / 5) / (n / 10)))) // each of two seeds five times
		}
		s.Next(&iv, uint32(i&1))
		if _, repeated := seen[iv]; repeated {
			t.Fatalf("IV %d was given before", i)
		}
		seen[iv] = struct{}{}
	}
}

// issued says whether Next gave an IV to that end.
func (s *IVSource) issued(iv []byte, end uint8) bool {
	ops := []Op{{OK: true, Data: iv}, {Data: iv, SealedBy: 7}, {OK: true, Data: iv}}
	s.Recognise(ops)
	if ops[0].SealedBy != ops[2].SealedBy || ops[1].SealedBy != 7 {
		panic("other answers for the same, or one for what is not genuine")
	}
	return ops[0].SealedBy == end
}

func TestIVSourceKnowsItsOwn(t *testing.T) {
	s, other := NewIVSource(ivSeed(1)), NewIVSource(ivSeed(2))
	var given [][12]byte
	for i := range 3000 {
		if i%100 == 99 {
			s.Reseed(ivSeed(byte(i))) // what was given before is known still
		}
		var iv [12]byte
		s.Next(&iv, uint32(i&1))
		given = append(given, iv)
	}
	for i, iv := range given {
		if end := uint8(i & 1); !s.issued(iv[:], end) || s.issued(iv[:], end^1) {
			t.Fatalf("IV %d, of end %d: known as %v, as the other's %v", i, end, s.issued(iv[:], end), s.issued(iv[:], end^1))
		}
		if other.issued(iv[:], 0) || other.issued(iv[:], 1) {
			t.Fatalf("IV %d is known to another source", i)
		}
		for bit := range 64 { // of the last 32 the most lead to other counters of the same seed
			iv[bit/8] ^= 1 << (bit % 8)
			if s.issued(iv[:], 0) || s.issued(iv[:], 1) {
				t.Fatalf("IV %d is known with bit %d changed", i, bit)
			}
			iv[bit/8] ^= 1 << (bit % 8)
		}
	}
	random := make([]byte, 12*100_000)
	other.Fill(random)
	for ; len(random) > 0; random = random[12:] {
		if s.issued(random, 0) || s.issued(random, 1) {
			t.Fatalf("%x is nobody's", random[:12])
		}
	}
}

func TestIVSourceGoesOnPastTheMarksOfASeed(t *testing.T) {
	s := NewIVSource(ivSeed(1))
	var before, last, first [12]byte
	s.Next(&before, 1)
	s.next.low = marks - 1
	s.Next(&last, 1)
	s.Next(&first, 1)
	if before == first || s.seeds.count != 2 || s.next.low != 1 {
		t.Errorf("after 2^31 IVs: %x, the first was %x; %d seeds, counter %d", first, before, s.seeds.count, s.next.low)
	}
	for _, iv := range [][12]byte{before, last, first} {
		if !s.issued(iv[:], 1) {
			t.Errorf("%x is not known", iv)
		}
	}
}

func TestSeedsAreForgottenOldestFirst(t *testing.T) {
	var r seedRing
	has := func(high uint64) bool { return r.has(mark{high: high}) }
	first := r.add(1 << 63)
	r.end(0)
	second := r.add(1 << 63)
	r.end(0)
	if first == second || !has(first) || !has(second) {
		t.Fatalf("%x, %x: %v, %v", first, second, has(first), has(second))
	}
	for range maxSeeds - 2 {
		r.add(1 << 62)
		r.end(0)
	}
	chunks := len(r.chunks)
	if !has(first) || !has(second) {
		t.Error("forgotten while there was room")
	}
	r.add(1 << 61)
	if has(first) || !has(second) || len(r.chunks) != chunks || 8*seedChunk*chunks != 8<<20 {
		t.Errorf("past the room: the first known %v, the second %v; %d chunks after %d", has(first), has(second), len(r.chunks), chunks)
	}
}

func TestCountersThatWereNotGivenAreNobodys(t *testing.T) {
	for _, given := range []uint32{0, 1, 5000, 1 << 20, marks - 1, marks} {
		var r seedRing
		high := r.add(1 << 63)
		if !r.has(mark{high, marks - 1}) {
			t.Fatal("of the seed in use not every counter is known")
		}
		r.end(given)
		const unit = 1 << givenBits
		if last := max(given, 1) - 1; !r.has(mark{high, last}) || !r.has(mark{high, last | 1<<31}) {
			t.Errorf("of %d the last is not known", given)
		}
		if past := uint64(given) + 2*unit; past < marks && r.has(mark{high, uint32(past)}) {
			t.Errorf("of %d number %d is known", given, past)
		}
	}
}

func TestMaskIsInEveryIV(t *testing.T) {
	a := NewIVSource(ivSeed(1)).hidden
	b := a
	b.mask = mark{^a.mask.high, ^a.mask.low}
	m, n := a.hide(mark{1, 2}), b.hide(mark{1, 2})
	if m.high != ^n.high || m.low != ^n.low {
		t.Errorf("%x and %x under opposite masks", m, n)
	}
}

func TestPermutationIsUndone(t *testing.T) {
	s := NewIVSource(ivSeed(1))
	for i := range uint64(10_000) {
		m := mark{i * 0x9e3779b97f4a7c15, uint32(i)}
		hidden := s.hidden.hide(m)
		if hidden == m {
			t.Fatalf("%x is not hidden", hidden)
		}
		if n := s.hidden.show(hidden); n != m {
			t.Fatalf("%x became %x", m, n)
		}
	}
}

// A counter must not show: each bit of an IV is set in half of them, and changes in
// half of the steps from one to the next.
func TestIVsLookRandom(t *testing.T) {
	const n = 1 << 16
	for seed := range byte(20) {
		s := NewIVSource(ivSeed(seed))
		var set, turned [96]int
		var last, iv [12]byte
		for range n {
			s.Next(&iv, 0)
			for bit := range 96 {
				set[bit] += int(iv[bit/8] >> (bit % 8) & 1)
				turned[bit] += int((iv[bit/8] ^ last[bit/8]) >> (bit % 8) & 1)
			}
			last = iv
		}
		const far = 6 * 128 // six standard deviations
		for bit := range 96 {
			if d := set[bit] - n/2; d < -far || d > far {
				t.Errorf("seed %d: bit %d is set in %d of %d", seed, bit, set[bit], n)
			}
			if d := turned[bit] - n/2; d < -far || d > far {
				t.Errorf("seed %d: bit %d changes in %d of %d", seed, bit, turned[bit], n)
			}
		}
	}
}
