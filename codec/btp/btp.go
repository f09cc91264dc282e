package btp

import (
	"encoding/binary"
	"errors"
	"iter"

	"github.com/millrace-ilp/millrace/codec/oer"
)

// Type is the first octet of a BTP packet.
type Type uint8

// The packet types of BTP 2.0 (IL-RFC 0023, "Overview"). 3, 4 and 5 were Prepare,
// Fulfill and Reject in BTP 1 and are invalid; deployed peers close the link when
// they see one.
const (
	TypeResponse Type = 1
	TypeError    Type = 2
	TypeMessage  Type = 6
	TypeTransfer Type = 7
)

// String is the name of the type, for people.
func (t Type) String() string {
	switch t {
	case TypeResponse:
		return "Response"
	case TypeError:
		return "Error"
	case TypeMessage:
		return "Message"
	case TypeTransfer:
		return "Transfer"
	}
	return "invalid"
}

// Content types of a sub-protocol (IL-RFC 0023, "ProtocolData"). Others pass
// through.
const (
	OctetStream uint8 = 0
	TextPlain   uint8 = 1 // UTF-8
	JSON        uint8 = 2
)

// What may be wrong with a packet. ErrTruncated, ErrLength and ErrVarUint are
// those of package oer. A peer whose packet cannot be read must not be answered.
var (
	ErrTruncated = oer.ErrTruncated
	ErrLength    = oer.ErrLength
	ErrVarUint   = oer.ErrVarUint
	ErrType      = errors.New("btp: unknown packet type")
)

// headerLen is type and request id.
const headerLen = 5

// SubProtocol is one entry of a packet's list. Name and Data are borrowed: of a
// parsed packet they point into it, of one to be written they are copied.
type SubProtocol struct {
	Name        []byte // ASCII
	ContentType uint8  // OctetStream, TextPlain, JSON or anything else
	Data        []byte
}

// Packet is a view of an encoded BTP packet. It owns no memory and is good only
// while the octets it was parsed from are.
type Packet struct {
	typ       Type
	requestID uint32
	count     uint64 // of sub-protocols, checked
	fields    []byte // what precedes the sub-protocols
	subs      []byte // from the first sub-protocol on
}

// Parse checks b, down to the last sub-protocol and field, and returns a view of
// it. Octets behind the packet and behind its last sub-protocol are ignored; a
// date that cannot be read is not an error. The error is ErrType, ErrTruncated,
// ErrLength or ErrVarUint.
func Parse(b []byte) (p Packet, err error) {
	if len(b) < headerLen {
		return Packet{}, ErrTruncated
	}
	typ := Type(b[0])
	p.typ, p.requestID = typ, binary.BigEndian.Uint32(b[1:])
	n, at, err := oer.Length(b, headerLen)
	if err != nil {
		return Packet{}, err
	}
	c := b[at : at+n]
	switch typ {
	case TypeResponse, TypeMessage:
		at = 0
	case TypeTransfer:
		at = 8
	case TypeError:
		at = 3
		for range 3 { // name, triggeredAt, data
			if n, at, err = oer.Length(c, at); err != nil {
				return Packet{}, err
			}
			at += n
		}
	default:
		return Packet{}, ErrType
	}
	if at > len(c) {
		return Packet{}, ErrTruncated
	}
	p.fields = c[:at:at]
	if p.count, at, err = oer.VarUint(c, at); err != nil {
		return Packet{}, err
	}
	p.subs = c[at:]
	// An entry has three octets or more, so a count that is a lie ends here
	// soon.
	at = 0
	for range p.count {
		if _, at, err = subProtocol(p.subs, at); err != nil {
			return Packet{}, err
		}
	}
	p.subs = p.subs[:at:at]
	return p, nil
}

// subProtocol reads the entry at b[off:] and the offset behind it.
func subProtocol(b []byte, off int) (s SubProtocol, next int, err error) {
	if s.Name, off, err = oer.VarOctets(b, off); err != nil {
		return SubProtocol{}, 0, err
	}
	if off >= len(b) {
		return SubProtocol{}, 0, ErrTruncated
	}
	s.ContentType = b[off]
	if s.Data, off, err = oer.VarOctets(b, off+1); err != nil {
		return SubProtocol{}, 0, err
	}
	return s, off, nil
}

// Type is what the packet is.
func (p *Packet) Type() Type { return p.typ }

// RequestID pairs a request with its answer.
func (p *Packet) RequestID() uint32 { return p.requestID }

// Count is the number of sub-protocols.
func (p *Packet) Count() int { return int(p.count) }

// SubProtocols walks the list in its order:
//
//	for s := range p.SubProtocols() { … }
func (p *Packet) SubProtocols() iter.Seq[SubProtocol] {
	return func(yield func(SubProtocol) bool) {
		at := 0
		for range p.count {
			var s SubProtocol
			s, at, _ = subProtocol(p.subs, at)
			if !yield(s) {
				return
			}
		}
	}
}

// Primary is the first sub-protocol, which says what the packet is about
// (IL-RFC 0023, "Sub-protocols"). ok is false if there is none.
func (p *Packet) Primary() (s SubProtocol, ok bool) {
	if p.count == 0 {
		return SubProtocol{}, false
	}
	s, _, _ = subProtocol(p.subs, 0)
	return s, true
}

// Find is the first sub-protocol with that name, wherever in the list it stands.
func (p *Packet) Find(name string) (s SubProtocol, ok bool) {
	at := 0
	for range p.count {
		s, at, _ = subProtocol(p.subs, at)
		if string(s.Name) == name {
			return s, true
		}
	}
	return SubProtocol{}, false
}

// ILP is the data of the first sub-protocol named "ilp", wherever in the list it
// stands and whatever its content type.
func (p *Packet) ILP() (packet []byte, ok bool) {
	s, ok := p.Find("ilp")
	return s.Data, ok
}

// Amount is what a Transfer says to have settled, in units of the link. It is 0
// for every other type.
func (p *Packet) Amount() uint64 {
	if p.typ != TypeTransfer {
		return 0
	}
	return binary.BigEndian.Uint64(p.fields)
}
