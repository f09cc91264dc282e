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

	// ReseedOctets is how much an IVSource may give before its owner should
	// Reseed it from the system's generator: 1 MiB, 87,381 IVs.
	ReseedOctets = 1 << 20

	ivBuffer = 4 << 10
)

// IVSource makes initialisation vectors: the octets of an AES-256-CTR
// keystream, in order. It is deterministic from its seed, the same on every
// tier, so that a simulation can replay it; a real program seeds it from
// crypto/rand. It belongs to one goroutine. It does not allocate but in
// NewIVSource and Reseed.
//
// Why the IVs are good enough. AES-GCM loses both secrecy and authenticity
// when one IV is used twice under one key, and the two ends of a STREAM
// connection seal under the same key without being able to agree on ranges. The
// data field must also look random to a connector (IL-RFC 0029, "Encryption"),
// which rules out a counter on the wire. So an IV must be random-looking and
// unique among those of both ends. 96 bits of a keystream under a key of 256
// secret random bits cannot be told from random, so the bound is that of random
// IVs: with q packets under a key, of both ends and replies included, two are
// equal with a chance below q²/2^97. A connection that stays within the 2^32
// that NIST SP 800-38D allows for random IVs stays below 2^-33.
//
// An IV is public, so unlike a key it need not stay secret once used: all that
// matters is that the same keystream is never given twice. Two sources must
// never share a seed; an IVSource must not be copied; and as a virtual machine
// resumed twice from one snapshot would repeat what it had buffered, the buffer
// is small, used octets are wiped, and the owner reseeds every ReseedOctets and
// about once a second when active.
type IVSource struct {
	stream cipher.Stream
	used   int // octets of buf given and wiped
	spent  int
	buf    [ivBuffer]byte
}

// NewIVSource returns a source seeded with key (32 octets) and first counter
// block (16 octets). The seed is borrowed until return, and the caller wipes it.
func NewIVSource(seed *[SeedLen]byte) *IVSource {
	s := new(IVSource)
	s.Reseed(seed)
	return s
}

// Reseed replaces key and counter, and wipes what was left of the old
// keystream. Spent starts from zero.
func (s *IVSource) Reseed(seed *[SeedLen]byte) {
	block, err := aes.NewCipher(seed[:32])
	if err != nil {
		panic("aesni: " + err.Error()) // 32 octets are a key
	}
	s.stream = cipher.NewCTR(block, seed[32:])
	s.spent = 0
	clear(s.buf[:])
	s.used = len(s.buf)
}

// Spent returns how many octets were given since the seed.
func (s *IVSource) Spent() int { return s.spent }

// Next sets iv to the next 12 octets.
func (s *IVSource) Next(iv *[12]byte) {
	if s.used > len(s.buf)-len(iv) {
		s.Fill(iv[:])
		return
	}
	from := s.buf[s.used:][:len(iv)]
	binary.NativeEndian.PutUint64(iv[:], binary.NativeEndian.Uint64(from))
	binary.NativeEndian.PutUint32(iv[8:], binary.NativeEndian.Uint32(from[8:]))
	clear(from)
	s.used += len(iv)
	s.spent += len(iv)
}

// Fill sets p to the next len(p) octets: nonces and random conditions.
func (s *IVSource) Fill(p []byte) {
	s.spent += len(p)
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
