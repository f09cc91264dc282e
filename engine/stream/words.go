package stream

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"unsafe"
)

// What a folded connection's records and names are written as: see fold.go.

func copyWords(words []uint64, record unsafe.Pointer, octets uintptr) {
	copy(unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(words))), octets), unsafe.Slice((*byte)(record), octets))
}

func putWords(record unsafe.Pointer, words []uint64, octets uintptr) {
	copy(unsafe.Slice((*byte)(record), octets), unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(words))), octets))
}

// allOnes is the length of a word of ones: many an amount is without limit.
const allOnes = 9

// appendWords appends words to b: a bit for each says whether it is above 0; then stand
// the lengths of those that are, in octets, two in an octet; then these octets, the lowest first.
func appendWords(b []byte, words []uint64) []byte {
	marks := len(b)
	b = append(b, make([]byte, (len(words)+7)/8)...)
	n := 0
	for i, w := range words {
		if w == 0 {
			continue
		}
		b[marks+i/8] |= 1 << (i % 8)
		if n%2 == 0 {
			b = append(b, wordLen(w))
		} else {
			b[len(b)-1] |= wordLen(w) << 4
		}
		n++
	}
	for _, w := range words {
		if w == ^uint64(0) {
			continue
		}
		for ; w != 0; w >>= 8 {
			b = append(b, byte(w))
		}
	}
	return b
}

func wordLen(w uint64) byte {
	if w == ^uint64(0) {
		return allOnes
	}
	return byte(bits.Len64(w)+7) / 8
}

// takeWords is the inverse: it returns what follows them.
func takeWords(b []byte, words []uint64) []byte {
	marks := b[:(len(words)+7)/8]
	n := 0
	for _, m := range marks {
		n += bits.OnesCount8(m)
	}
	lengths := b[len(marks):]
	octets := lengths[(n+1)/2:]
	n = 0
	for i := range words {
		words[i] = 0
		if marks[i/8]>>(i%8)&1 == 0 {
			continue
		}
		l := int(lengths[n/2] >> (n % 2 * 4) & 15)
		if n++; l == allOnes {
			words[i] = ^uint64(0)
			continue
		}
		for k := range l {
			words[i] |= uint64(octets[k]) << (8 * k)
		}
		octets = octets[l:]
	}
	return octets
}

// wordOf is the word k of n that appendWords wrote.
func wordOf(b []byte, n, k int) (word uint64) {
	marks := b[:(n+7)/8]
	if marks[k/8]>>(k%8)&1 == 0 {
		return 0
	}
	before, all := 0, 0
	for i, m := range marks {
		all += bits.OnesCount8(m)
		switch {
		case i < k/8:
			before += bits.OnesCount8(m)
		case i == k/8:
			before += bits.OnesCount8(m & (1<<(k%8) - 1))
		}
	}
	lengths := b[len(marks):]
	octets := lengths[(all+1)/2:]
	for i := range before {
		if l := lengths[i/2] >> (i % 2 * 4) & 15; l != allOnes {
			octets = octets[l:]
		}
	}
	l := int(lengths[before/2] >> (before % 2 * 4) & 15)
	if l == allOnes {
		return ^uint64(0)
	}
	for i := range l {
		word |= uint64(octets[i]) << (8 * i)
	}
	return word
}

// appendNames appends a connection's names to b: the numbers of their prefixes, where its
// token begins, and what is its own of its peer's address, of its own, and its tag (appendName).
func (m *Machine) appendNames(b []byte, c *conn) []byte {
	head, names := m.namesOf(c)
	b = binary.AppendUvarint(b, uint64(head.peerPrefix()))
	b = binary.AppendUvarint(b, uint64(head.localPrefix()))
	b = binary.AppendUvarint(b, uint64(head.token()))
	peer, names := names[:head.peer()], names[head.peer():]
	local, names := names[:head.local()], names[head.local():]
	b = appendName(b, peer)
	b = appendName(b, local)
	return appendName(b, names[:head.tag()])
}

// takeNames gives a connection the names that b begins with.
func (m *Machine) takeNames(b []byte, c *conn) {
	var numbers [3]int // of both prefixes, and where the token begins
	for k := range numbers {
		v, n := binary.Uvarint(b)
		numbers[k], b = int(v), b[n:]
	}
	all := m.scratch.made[:0]
	var lengths [3]int
	for k := range lengths {
		before := len(all)
		all, b = takeName(all, b)
		lengths[k] = len(all) - before
	}
	m.scratch.made = all
	number, piece := m.names.Alloc(namesHeadLen + len(all))
	makeNamesHead(uint16(numbers[0]), uint16(numbers[1]), lengths[0], lengths[1], lengths[2], numbers[2]).put(piece)
	copy(piece[namesHeadLen:], all)
	c.names = number
}

// appendName appends a text to b: twice its length, and whether it stands in base64url,
// as tokens do; then it, as octets if so.
func appendName(b, text []byte) []byte {
	at, twice := len(b), uint64(len(text))<<1
	b = binary.AppendUvarint(b, twice|1)
	// The decoder passes over line breaks, which would be lost.
	b, err := tokenEncoding.AppendDecode(b, text)
	if err == nil && len(text)%4 != 1 && bytes.IndexByte(text, '\n') < 0 && bytes.IndexByte(text, '\r') < 0 {
		return b
	}
	return append(binary.AppendUvarint(b[:at], twice), text...)
}

// takeName appends the text that b begins with to dst, and returns what follows it.
func takeName(dst, b []byte) (text, rest []byte) {
	v, k := binary.Uvarint(b)
	b = b[k:]
	n := int(v >> 1)
	if v&1 == 0 {
		return append(dst, b[:n]...), b[n:]
	}
	octets := tokenEncoding.DecodedLen(n)
	return tokenEncoding.AppendEncode(dst, b[:octets]), b[octets:]
}
