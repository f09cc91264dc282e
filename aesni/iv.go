package aesni

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
)

const (
	// SeedLen is the length of an IVSource's seed: a 32-octet AES-256 key and a
	// 16-octet first counter block.
	SeedLen = 48

	ivBuffer = 4 << 10
)

// IVSource makes initialisation vectors, and knows those that it made when it sees
// them again. Its other random octets ([IVSource.Fill]) are an AES-256-CTR keystream.
// It is deterministic from its seeds, the same on every tier, so that a simulation can
// replay it; a real program seeds it from crypto/rand. It belongs to one goroutine.
// It allocates only in NewIVSource, in Reseed, and once in 2^31 IVs: 8 octets a
// seed, up to 8 MiB.
//
// Why the IVs are good enough. AES-GCM loses both secrecy and authenticity
// when one IV is used twice under one key, and the two ends of a STREAM
// connection seal under the same key without being able to agree on ranges. The
// data field must also look random to a connector (IL-RFC 0029, "Encryption"),
// which rules out a counter on the wire. So an IV is the number of a seed, 44 bits drawn
// with it, which end seals, and a counter (see mark), in all 96 bits, mixed by
// a permutation with secret keys that stay as long as the source, and masked
// with 96 secret random bits. That no two of one source are equal follows from the
// numbers, for 2^20 seeds and after them but for a chance of 2^-44 for each. Those of two
// sources, whatever the other one is, are equal with a chance of 2^-96 for each pair, because the
// mask is random. So with q packets under a key, half of each end, the chance of a
// repetition is below q²/2^98; within the 2^32 that NIST SP 800-38D allows for random IVs it
// stays below 2^-34.
//
// Why they are recognised. One key for both directions means that what an end
// has sealed is authentic when a connector sends it back: a reply of ours could
// pass for the answer to our packet of the same sequence, and a packet of ours for the peer's.
// [IVSource.Recognise] tells: it undoes the permutation and compares the 44 random bits, and the
// counter with how far it went. A stranger's IV passes for ours with a chance below 2^-44,
// and below 2^-50 where seeds give fewer than 2^25 IVs each.
//
// An IV is public, so unlike a key it need not stay secret once used, and the
// permutation hides counters, not secrets: all that matters is that no IV is given
// twice. Two sources must never share a seed, and an IVSource must not be copied. A
// virtual machine that is resumed twice from one snapshot copies it nevertheless: so the
// owner reseeds about once a second, used or not, and before anything else after a
// pause. What both give before that repeats; after it only the 44 bits tell them apart.
type IVSource struct {
	stream cipher.Stream
	used   int // octets of buf given and wiped
	next   mark
	hidden permutation
	seeds  seedRing
	buf    [ivBuffer]byte
}

// NewIVSource returns a source seeded with key (32 octets) and first counter
// block (16 octets). The seed is borrowed until return, and the caller wipes it.
func NewIVSource(seed *[SeedLen]byte) *IVSource {
	s := new(IVSource)
	s.start(seed)
	s.hidden.draw(s)
	s.begin()
	return s
}

// Reseed replaces key and counter, and wipes what was left of the old
// keystream. IVs given before are still known, of the last 2^20 seeds.
func (s *IVSource) Reseed(seed *[SeedLen]byte) {
	s.start(seed)
	s.begin()
}

// start begins a keystream.
func (s *IVSource) start(seed *[SeedLen]byte) {
	block, err := aes.NewCipher(seed[:32])
	if err != nil {
		panic("aesni: " + err.Error()) // 32 octets are a key
	}
	s.stream = cipher.NewCTR(block, seed[32:])
	clear(s.buf[:])
	s.used = len(s.buf)
}

// Next sets iv to one that was never given. Of the two ends of a connection, 0 and 1,
// end is the one that seals: one source may serve both, and tell them apart.
func (s *IVSource) Next(iv *[12]byte, end uint32) {
	if s.next.low >= marks {
		s.begin()
	}
	m := s.hidden.hide(mark{s.next.high, s.next.low | end<<31})
	s.next.low++
	binary.LittleEndian.PutUint64(iv[:], m.high)
	binary.LittleEndian.PutUint32(iv[8:], m.low)
}

// Stranger is Op.SealedBy of what no end of ours has sealed.
const Stranger = 2

// Recognise sets SealedBy of every genuine op: the end that its IV was given to, or
// Stranger. It reads Data.
func (s *IVSource) Recognise(ops []Op) {
	for i := range ops {
		if op := &ops[i]; op.OK {
			op.SealedBy = s.givenTo(op.Data)
		}
	}
}

// givenTo is the end that Next gave the IV to which an envelope begins with, or Stranger.
func (s *IVSource) givenTo(envelope []byte) uint8 {
	_ = envelope[11]
	m := s.hidden.show(mark{binary.LittleEndian.Uint64(envelope), binary.LittleEndian.Uint32(envelope[8:])})
	if !s.seeds.has(m) {
		return Stranger
	}
	return uint8(m.low >> 31)
}

// Fill sets p to the next len(p) octets: nonces and random conditions.
func (s *IVSource) Fill(p []byte) {
	for len(p) > 0 {
		if s.used == len(s.buf) {
			s.refill()
		}
		n := copy(p, s.buf[s.used:])
		clear(s.buf[s.used : s.used+n])
		s.used += n
		p = p[n:]
	}
}

// refill draws the next 4 KiB. Every octet of buf was wiped when it was given,
// so XORing the keystream in gives the keystream.
func (s *IVSource) refill() {
	s.stream.XORKeyStream(s.buf[:], s.buf[:])
	s.used = 0
}
