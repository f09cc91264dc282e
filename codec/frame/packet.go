package frame

import (
	"errors"

	"github.com/millrace-ilp/millrace/codec/ilp"
	"github.com/millrace-ilp/millrace/codec/oer"
)

// Version is the version of STREAM that this package speaks: the first octet of
// every packet (IL-RFC 0029, "STREAM Packets").
const Version = 1

// Sizes in octets.
const (
	// Overhead is what encryption adds to a packet: IV and tag (IL-RFC 0029,
	// "Encryption").
	Overhead = 28
	// MaxPlaintext is the largest packet that fits into the data of an ILP packet
	// once it is encrypted.
	MaxPlaintext = ilp.MaxData - Overhead
)

// What makes a packet unreadable. ErrTruncated, ErrLength and ErrVarUint are
// those of package oer.
var (
	ErrTruncated = oer.ErrTruncated
	ErrLength    = oer.ErrLength
	ErrVarUint   = oer.ErrVarUint
	ErrVersion   = errors.New("frame: unknown STREAM version")
)

// Packet is a view of a STREAM packet. It owns no memory and is good only while
// the octets it was parsed from are. Its methods take it by pointer only to spare
// the copy.
type Packet struct {
	// PacketType is the type of ILP packet that this one says to travel in.
	// Whoever parses it must compare it with the one it came in: nothing else
	// protects against replies that were swapped on the way.
	PacketType ilp.PacketType
	// Sequence is the request's number; a reply repeats it.
	Sequence uint64
	// PrepareAmount is the least amount the receiver may accept if the packet is
	// a request, and the amount that arrived if it is a reply; both in the
	// receiver's units.
	PrepareAmount ilp.Amount

	count  uint64 // of frames, checked
	frames []byte // from the first frame to the last
}

// Parse checks plaintext and returns a view of it. Every frame of a known type is
// checked completely, so that walking the packet cannot fail. The error is
// ErrVersion, ErrTruncated, ErrLength or ErrVarUint; all mean that the packet is
// to be treated as one that does not decrypt (F06).
//
// Any ILP packet type passes: see PacketType.
func Parse(plaintext []byte) (p Packet, err error) {
	b := plaintext
	if len(b) < 2 {
		return Packet{}, ErrTruncated
	}
	if b[0] != Version {
		return Packet{}, ErrVersion
	}
	sequence, at, err := oer.VarUint(b, 2)
	if err != nil {
		return Packet{}, err
	}
	amount, at, err := oer.VarUint(b, at)
	if err != nil {
		return Packet{}, err
	}
	count, at, err := oer.VarUint(b, at)
	if err != nil {
		return Packet{}, err
	}
	start := at
	// A frame has two octets or more, so a count that is a lie ends here soon.
	for range count {
		if at >= len(b) {
			return Packet{}, ErrTruncated
		}
		t := Type(b[at])
		var n int
		if n, at, err = oer.Length(b, at+1); err != nil {
			return Packet{}, err
		}
		if err = checkBody(t, b[at:at+n]); err != nil {
			return Packet{}, err
		}
		at += n
	}
	// Field by field: a literal would be built beside the result and copied.
	p.PacketType = ilp.PacketType(b[1])
	p.Sequence = sequence
	p.PrepareAmount = ilp.Amount(amount)
	p.count = count
	p.frames = b[start:at:at]
	return p, nil
}

// Count is the number of frames, those of unknown types included.
func (p *Packet) Count() int { return int(p.count) }

// Frames starts a walk over the frames, in the order in which they apply.
func (p *Packet) Frames() Iter { return Iter{frames: p.frames} }

// Iter walks the frames of a packet. Call Next before the first one.
type Iter struct {
	frames []byte
	// Offsets rather than slices: storing a pointer costs more than computing it.
	body, end int
	typ       Type
}

// Next goes to the next frame and reports whether there is one.
func (it *Iter) Next() bool {
	at := it.end
	if at >= len(it.frames) {
		return false
	}
	it.typ = Type(it.frames[at])
	// Parse has checked the length.
	if n := it.frames[at+1]; n < 0x80 {
		it.body, it.end = at+2, at+2+int(n)
		return true
	}
	n, body, _ := oer.Length(it.frames, at+1)
	it.body, it.end = body, body+n
	return true
}

// Type is the type of the frame; it need not be a known one.
func (it *Iter) Type() Type { return it.typ }

// Body is what the frame holds, for the Parse function of its type. It points
// into the packet.
func (it *Iter) Body() []byte { return it.frames[it.body:it.end:it.end] }

// HeaderLen is the number of octets that AppendHeader writes.
func HeaderLen(sequence uint64, amount ilp.Amount) int {
	return 2 + oer.VarUintLen(sequence) + oer.VarUintLen(uint64(amount)) + 2
}

// AppendHeader appends what precedes the frames, with a frame count of zero.
// SetCount(out, countAt, n) sets it, as long as there are at most 255 frames.
func AppendHeader(dst []byte, t ilp.PacketType, sequence uint64, amount ilp.Amount) (out []byte, countAt int) {
	dst = append(dst, Version, byte(t))
	dst = oer.AppendVarUint(dst, sequence)
	dst = oer.AppendVarUint(dst, uint64(amount))
	dst = append(dst, 1, 0)
	return dst, len(dst) - 1
}

// SetCount sets the frame count of a packet in buf that AppendHeader began. n is
// at most 255, more does not fit into the octet that is there.
func SetCount(buf []byte, countAt, n int) {
	if uint(n) > 255 {
		panic("frame: more than 255 frames")
	}
	buf[countAt] = byte(n)
}
