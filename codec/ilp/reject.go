package ilp

import (
	"encoding/binary"

	"github.com/millrace-ilp/millrace/codec/oer"
)

// Reject is a view of an encoded ILP Reject (IL-RFC 0027). It owns no memory
// and is good only while the octets it was parsed from are.
type Reject struct {
	raw            []byte // the contents, cut behind data
	triggeredBy    int
	triggeredByEnd int
	message        int
	messageEnd     int
	data           int // first octet of the data, which ends with raw
}

// ParseReject checks b and returns a view of it. b may be longer than the
// packet. The error is ErrType, ErrTruncated, ErrLength, ErrAddress or
// ErrDataLength.
//
// Any three octets pass as a code, and a message may be of any length and need
// not be UTF-8: a sender that could not read a Reject would not know that its
// money came back.
func ParseReject(b []byte) (r Reject, err error) {
	c, err := contents(b, TypeReject)
	if err != nil {
		return Reject{}, err
	}
	n, at, err := oer.Length(c, 3)
	if err != nil {
		return Reject{}, err
	}
	r.triggeredBy, r.triggeredByEnd = at, at+n
	if n > 0 && !validAddress(c[at:at+n]) {
		return Reject{}, ErrAddress
	}
	if n, at, err = oer.Length(c, at+n); err != nil {
		return Reject{}, err
	}
	r.message, r.messageEnd = at, at+n
	if n, at, err = oer.Length(c, at+n); err != nil {
		return Reject{}, err
	}
	if n > MaxData {
		return Reject{}, ErrDataLength
	}
	r.data = at
	r.raw = c[: at+n : at+n]
	return r, nil
}

// Code is the three characters of the error code. Unknown ones are handed over
// as they are: see Code.Class.
func (r *Reject) Code() Code { return Code(r.raw) }

// TriggeredBy is the ILP address of the node that made the Reject, or empty; it
// points into the packet.
func (r *Reject) TriggeredBy() []byte {
	return r.raw[r.triggeredBy:r.triggeredByEnd:r.triggeredByEnd]
}

// Message is for people and supposed to be UTF-8; it points into the packet.
// Whoever shows it replaces what is not (strings.ToValidUTF8).
func (r *Reject) Message() []byte { return r.raw[r.message:r.messageEnd:r.messageEnd] }

// Data is what the node that made the Reject sent along, at most MaxData octets;
// it points into the packet.
func (r *Reject) Data() []byte { return r.raw[r.data:] }

// RejectLen is the length of a Reject whose fields have those many octets.
func RejectLen(triggeredByLen, messageLen, dataLen int) int {
	return envelopeLen(3 + varLen(triggeredByLen) + varLen(messageLen) + varLen(dataLen))
}

// PutReject writes a Reject into dst, which must have exactly
// RejectLen(len(triggeredBy), len(message), dataLen) octets, and panics if it
// has fewer. It leaves out the data and returns that region of dst for the
// caller to fill. It does not check triggeredBy (CheckAddress, or empty), the
// length of message (MaxMessage) nor dataLen (MaxData).
func PutReject(dst []byte, code Code, triggeredBy, message []byte, dataLen int) (data []byte) {
	dst[0] = byte(TypeReject)
	at := oer.PutLength(dst, 1, 3+varLen(len(triggeredBy))+varLen(len(message))+varLen(dataLen))
	*(*Code)(dst[at:]) = code
	at = oer.PutLength(dst, at+3, len(triggeredBy))
	at += copy(dst[at:], triggeredBy)
	at = oer.PutLength(dst, at, len(message))
	at += copy(dst[at:], message)
	at = oer.PutLength(dst, at, dataLen)
	return dst[at : at+dataLen : at+dataLen]
}

// AppendReject appends a Reject. It returns dst unchanged with ErrCode,
// ErrAddress, ErrMessageLength or ErrDataLength if the packet may not be sent.
// triggeredBy may be empty.
func AppendReject(dst []byte, code Code, triggeredBy, message, data []byte) ([]byte, error) {
	switch {
	case code.Class() == 0:
		return dst, ErrCode
	case len(triggeredBy) > 0 && !validAddress(triggeredBy):
		return dst, ErrAddress
	case len(message) > MaxMessage:
		return dst, ErrMessageLength
	case len(data) > MaxData:
		return dst, ErrDataLength
	}
	out, room := extend(dst, RejectLen(len(triggeredBy), len(message), len(data)))
	copy(PutReject(room, code, triggeredBy, message, len(data)), data)
	return out, nil
}

// AppendTooLarge appends the data of an F08 Reject: the amount that arrived and
// the largest that may, both in the units of the node that rejects (IL-RFC 0027,
// "F08").
func AppendTooLarge(dst []byte, received, maximum Amount) []byte {
	dst = binary.BigEndian.AppendUint64(dst, uint64(received))
	return binary.BigEndian.AppendUint64(dst, uint64(maximum))
}

// ParseTooLarge reads the data of an F08 Reject; octets behind the two amounts
// are ignored. ok says only that both are there. Peers do send zeros, and a
// maximum above what was received: guard any division by them.
func ParseTooLarge(data []byte) (received, maximum Amount, ok bool) {
	if len(data) < 16 {
		return 0, 0, false
	}
	return Amount(binary.BigEndian.Uint64(data)), Amount(binary.BigEndian.Uint64(data[8:])), true
}
