package ws

import (
	"encoding/binary"
	"math/rand/v2"
	"unsafe"
)

// Mask applies a masking key to b in place; applied twice it is undone (RFC 6455
// §5.3). key holds the four octets of the key with the first one lowest.
func Mask(b []byte, key uint32) {
	if wide && len(b) >= 64 {
		maskWide(unsafe.SliceData(b), len(b), key)
		return
	}
	maskWords(b, key)
}

// maskWords is Mask in words of eight octets, eight of them a turn.
func maskWords(b []byte, key uint32) {
	k := uint64(key)<<32 | uint64(key)
	for len(b) >= 64 {
		w := b[:64:64]
		binary.LittleEndian.PutUint64(w[0:], binary.LittleEndian.Uint64(w[0:])^k)
		binary.LittleEndian.PutUint64(w[8:], binary.LittleEndian.Uint64(w[8:])^k)
		binary.LittleEndian.PutUint64(w[16:], binary.LittleEndian.Uint64(w[16:])^k)
		binary.LittleEndian.PutUint64(w[24:], binary.LittleEndian.Uint64(w[24:])^k)
		binary.LittleEndian.PutUint64(w[32:], binary.LittleEndian.Uint64(w[32:])^k)
		binary.LittleEndian.PutUint64(w[40:], binary.LittleEndian.Uint64(w[40:])^k)
		binary.LittleEndian.PutUint64(w[48:], binary.LittleEndian.Uint64(w[48:])^k)
		binary.LittleEndian.PutUint64(w[56:], binary.LittleEndian.Uint64(w[56:])^k)
		b = b[64:]
	}
	if len(b) >= 32 {
		w := b[:32:32]
		binary.LittleEndian.PutUint64(w[0:], binary.LittleEndian.Uint64(w[0:])^k)
		binary.LittleEndian.PutUint64(w[8:], binary.LittleEndian.Uint64(w[8:])^k)
		binary.LittleEndian.PutUint64(w[16:], binary.LittleEndian.Uint64(w[16:])^k)
		binary.LittleEndian.PutUint64(w[24:], binary.LittleEndian.Uint64(w[24:])^k)
		b = b[32:]
	}
	if len(b) >= 16 {
		w := b[:16:16]
		binary.LittleEndian.PutUint64(w[0:], binary.LittleEndian.Uint64(w[0:])^k)
		binary.LittleEndian.PutUint64(w[8:], binary.LittleEndian.Uint64(w[8:])^k)
		b = b[16:]
	}
	if len(b) >= 8 {
		binary.LittleEndian.PutUint64(b, binary.LittleEndian.Uint64(b)^k)
		b = b[8:]
	}
	if len(b) >= 4 {
		binary.LittleEndian.PutUint32(b, binary.LittleEndian.Uint32(b)^key)
		b = b[4:]
	}
	for i := range b {
		b[i] ^= byte(key)
		key >>= 8
	}
}

// MaskFrames masks every frame in b, which holds whole frames as PutHeader and
// AppendFrame write them for a client, with a fresh key each. Call it once, when
// the octets are about to leave.
//
// Keys must not be foreseeable by whoever chooses the payload (RFC 6455 §10.3);
// keys is to be seeded from the system's source of randomness.
func MaskFrames(b []byte, keys *rand.ChaCha8) {
	var pair uint64 // two keys a draw
	for turn := 0; len(b) > 0; turn++ {
		if turn&1 == 0 {
			pair = keys.Uint64()
		} else {
			pair >>= 32
		}
		key := uint32(pair)
		h, n := FrameLen(b)
		binary.LittleEndian.PutUint32(b[h-4:h], key)
		Mask(b[h:h+n], key)
		b = b[h+n:]
	}
}
