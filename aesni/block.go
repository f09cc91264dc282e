package aesni

import "unsafe"

// block is the expanded keys of one connection as the kernels read them: six cache
// lines without a pointer.
//
// The generators in _asm know these offsets.
type block struct {
	// powers of the hash key, H^4 first, multiplied by x and turned round. What hashes
	// k blocks begins k powers before the end; 64-octet loads that begin there may run
	// on into the midstates, whose products are with zeros. Higher powers, which longer
	// packets need, are made on the way: they would be one more line of every connection.
	powers [4 * 16]byte
	// inner and outer are SHA-256 states after the key's block, in the order of the SHA
	// extensions.
	inner, outer [8]uint32
	rounds       [15 * 16]byte // AES-256 round keys
	has          uint32        // what was expanded
	_            [12]byte
}

// What a slot holds.
const (
	hasEncryption = 1 << iota
	hasFulfillment
	hasDerived // the fulfillment key itself, in place of its inner state
)

const blockLen = 384

// SlotLen is the memory of one slot of Keys, in octets.
const SlotLen = blockLen

var (
	_ [blockLen - unsafe.Sizeof(block{})]byte
	_ [unsafe.Sizeof(block{}) - blockLen]byte
	_ [unsafe.Offsetof(block{}.inner) - 64]byte
	_ [unsafe.Offsetof(block{}.outer) - 96]byte
	_ [unsafe.Offsetof(block{}.rounds) - 128]byte
	// The kernels write fulfillment and condition at once.
	_ [unsafe.Offsetof(Op{}.Condition) - unsafe.Offsetof(Op{}.Fulfillment) - 32]byte
)

// derived is where a fulfillment key waits to be expanded.
func (b *block) derived() *[32]byte { return (*[32]byte)(unsafe.Pointer(&b.inner)) }

// raw is the block as the kernels take it.
func (b *block) raw() *[blockLen]byte { return (*[blockLen]byte)(unsafe.Pointer(b)) }

// proof is one packet's part of a proving kernel's work. The generator of the SHA
// kernels knows its layout.
type proof struct {
	key  *block
	data *byte
	n    int
	out  *[32]byte // Fulfillment of an Op; its Condition follows
}

var (
	_ [unsafe.Sizeof(proof{}) - 4*unsafe.Sizeof(uintptr(0))]byte
	_ [4*unsafe.Sizeof(uintptr(0)) - unsafe.Sizeof(proof{})]byte
)

// maxLanes is how many packets a kernel proves at most.
const maxLanes = 16

// initial is SHA-256's initial state in the order of the SHA extensions: F E B A, H G D C.
var initial = [8]uint32{0x9b05688c, 0x510e527f, 0xbb67ae85, 0x6a09e667, 0x5be0cd19, 0x1f83d9ab, 0xa54ff53a, 0x3c6ef372}
