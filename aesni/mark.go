package aesni

import (
	"encoding/binary"
	"math/bits"
)

// mark is what an IV says to who knows how to read it, 96 bits:
//
//	number of the seed (20) | drawn with it (44) | end (1) | counter (31)
type mark struct {
	high uint64 // number and drawn
	low  uint32 // end and counter
}

const (
	drawnBits = 44
	// marks is how many one seed is good for.
	marks = 1 << 31
	// maxSeeds is how many seeds are remembered.
	maxSeeds = 1 << (64 - drawnBits)
)

// begin draws what tells the IVs of a seed, or of a further 2^31, from all others.
func (s *IVSource) begin() {
	var drawn [8]byte
	s.Fill(drawn[:])
	s.seeds.end(s.next.low)
	s.next = mark{high: s.seeds.add(binary.LittleEndian.Uint64(drawn[:]))}
}

// seedRing remembers the last maxSeeds seeds, 8 octets each: what was drawn with it in the
// low bits, and above it, where its number needs no place, how far its counter went.
type seedRing struct {
	count  uint64
	chunks []*[seedChunk]uint64
}

const (
	seedChunk = 1 << 10
	// givenBits are those of a counter that are not remembered.
	givenBits = 31 - (64 - drawnBits)
	unended   = 1<<64 - 1<<drawnBits // of the seed that is in use
)

func (r *seedRing) at(number uint64) *uint64 { return &r.chunks[number/seedChunk][number%seedChunk] }

// add gives the next seed its number, and returns what its marks begin with.
func (r *seedRing) add(random uint64) (high uint64) {
	number := r.count % maxSeeds
	r.count++
	if number/seedChunk == uint64(len(r.chunks)) {
		r.chunks = append(r.chunks, new([seedChunk]uint64))
	}
	drawn := random >> (64 - drawnBits)
	*r.at(number) = unended | drawn
	return number<<drawnBits | drawn
}

// end says how many marks the last seed has given.
func (r *seedRing) end(counter uint32) {
	if r.count > 0 {
		*r.at((r.count - 1) % maxSeeds) &^= unended
		*r.at((r.count - 1) % maxSeeds) |= min(uint64(counter)>>givenBits, unended>>drawnBits) << drawnBits
	}
}

// has says whether a mark is one of ours.
func (r *seedRing) has(m mark) bool {
	number := m.high >> drawnBits
	if number >= r.count {
		return false
	}
	seed := *r.at(number)
	return (seed^m.high)&^unended == 0 && uint64(m.low%marks>>givenBits) <= seed>>drawnBits
}

// permutation is an unbalanced Feistel network of three rounds over a mark, with a
// mask. It keeps IVs from looking like counters, and is no cipher: who puts millions of
// IVs together may find out which are of one seed, and how many there were, and no more.
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
func (p *permutation) hide(m mark) mark {
	m.high ^= fold(uint64(m.low), &p.rounds[0])
	m.low ^= uint32(fold(m.high, &p.rounds[1]))
	m.high ^= fold(uint64(m.low), &p.rounds[2])
	return mark{m.high ^ p.mask.high, m.low ^ p.mask.low}
}

// show undoes hide.
func (p *permutation) show(iv mark) mark {
	m := mark{iv.high ^ p.mask.high, iv.low ^ p.mask.low}
	m.high ^= fold(uint64(m.low), &p.rounds[2])
	m.low ^= uint32(fold(m.high, &p.rounds[1]))
	m.high ^= fold(uint64(m.low), &p.rounds[0])
	return m
}

// fold is the round function: a product by an odd secret, its two halves folded.
func fold(x uint64, key *[2]uint64) uint64 {
	high, low := bits.Mul64(x^key[0], key[1])
	return high ^ low
}
