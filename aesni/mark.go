package aesni

import (
	"encoding/binary"
	"math/bits"
)

// mark is what an IV says to who knows how to read it, 96 bits:
//
//	number of the seed (22) | drawn with it (42) | end (1) | counter (31)
type mark struct {
	high uint64 // number and drawn
	low  uint32 // end and counter
}

const (
	drawnBits = 42
	// marks is how many one seed is good for.
	marks = 1 << 31
	// maxSeeds is how many seeds are remembered.
	maxSeeds = 1 << (64 - drawnBits)
)

// begin draws what tells the IVs of a seed, or of a further 2^31, from all others.
func (s *IVSource) begin() {
	var drawn [8]byte
	s.Fill(drawn[:])
	s.next = mark{high: s.seeds.add(binary.LittleEndian.Uint64(drawn[:]))}
}

// seedRing remembers the last maxSeeds seeds, by what they begin marks with.
type seedRing struct {
	count  uint64
	chunks []*[seedChunk]uint64
}

const seedChunk = 1 << 10

// add gives the next seed its number, and returns what its marks begin with.
func (r *seedRing) add(random uint64) (high uint64) {
	number := r.count % maxSeeds
	r.count++
	if number/seedChunk == uint64(len(r.chunks)) {
		r.chunks = append(r.chunks, new([seedChunk]uint64))
	}
	high = number<<drawnBits | random>>(64-drawnBits)
	r.chunks[number/seedChunk][number%seedChunk] = high
	return high
}

// has says whether marks of ours begin so.
func (r *seedRing) has(high uint64) bool {
	number := high >> drawnBits
	return number < r.count && r.chunks[number/seedChunk][number%seedChunk] == high
}

// permutation is an unbalanced Feistel network of three rounds over a mark, with a
// mask. Its round functions are folded multiplications by secrets.
type permutation struct {
	rounds [3][2]uint64
	mask   mark
}

// draw takes the keys from the source's keystream.
func (p *permutation) draw(s *IVSource) {
	var keys [60]byte
	s.Fill(keys[:])
	for i := range p.rounds {
		p.rounds[i] = [2]uint64{binary.LittleEndian.Uint64(keys[16*i:]), binary.LittleEndian.Uint64(keys[16*i+8:]) | 1}
	}
	p.mask = mark{binary.LittleEndian.Uint64(keys[48:]), binary.LittleEndian.Uint32(keys[56:])}
	clear(keys[:])
}

// hide makes an IV of a mark.
func (p *permutation) hide(m *mark) {
	high, low := m.high, m.low
	high ^= fold(uint64(low), &p.rounds[0])
	low ^= uint32(fold(high, &p.rounds[1]))
	high ^= fold(uint64(low), &p.rounds[2])
	m.high, m.low = high^p.mask.high, low^p.mask.low
}

// show undoes hide.
func (p *permutation) show(m *mark) {
	high, low := m.high^p.mask.high, m.low^p.mask.low
	high ^= fold(uint64(low), &p.rounds[2])
	low ^= uint32(fold(high, &p.rounds[1]))
	high ^= fold(uint64(low), &p.rounds[0])
	m.high, m.low = high, low
}

func fold(x uint64, key *[2]uint64) uint64 {
	high, low := bits.Mul64(x^key[0], key[1])
	return high ^ low
}
