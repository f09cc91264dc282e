package ilp

import (
	"encoding/binary"

	"github.com/millrace-ilp/millrace/codec/oer"
)

// Where the fixed fields of a Prepare sit in its contents (IL-RFC 0027,
// "Prepare").
const (
	expiryAt      = 8
	conditionAt   = expiryAt + 17
	destinationAt = conditionAt + 32
)

// Prepare is a view of an encoded ILP Prepare (IL-RFC 0027). It owns no memory
// and is good only while the octets it was parsed from are. The zero value is
// not a Prepare; its accessors panic. They take it by pointer only to spare the
// copy.
type Prepare struct {
	raw          []byte // the contents, cut behind data
	expiryUnixMs int64
	dest         uint16 // first octet of the destination
	destEnd      uint16
	data         uint16 // first octet of the data, which ends with raw
}

// ParsePrepare checks b and returns a view of it. b may be longer than the
// packet. The error is ErrType, ErrTruncated, ErrLength, ErrTimestamp,
// ErrAddress or ErrDataLength; to each of them a receiver answers F01.
func ParsePrepare(b []byte) (p Prepare, err error) {
	var memo ExpiryMemo
	if err = p.ParseUnaddressed(b, &memo); err != nil {
		return Prepare{}, err
	}
	if !validAddress(p.Destination()) {
		return Prepare{}, ErrAddress
	}
	return p, nil
}

// ParseUnaddressed is ParsePrepare but for the destination, of which it checks the
// length alone: for whoever compares it with addresses that are valid, and calls
// CheckAddress when it is none of them. Packets that come together share a memo. It fills
// p where it is; after an error p is void.
func (p *Prepare) ParseUnaddressed(b []byte, memo *ExpiryMemo) error {
	c, err := contents(b, TypePrepare)
	if err != nil {
		return err
	}
	if len(c) < destinationAt {
		return ErrTruncated
	}
	expiry, ok := memo.parse((*[17]byte)(c[expiryAt:]))
	if !ok {
		return ErrTimestamp
	}
	destLen, dest, err := oer.Length(c, destinationAt)
	if err != nil {
		return err
	}
	destEnd := dest + destLen
	// Before dataLen is read: this bound is what makes the offsets fit.
	if destLen > MaxAddress {
		return ErrAddress
	}
	dataLen, data, err := oer.Length(c, destEnd)
	if err != nil {
		return err
	}
	if dataLen > maxDataIn {
		return ErrDataLength
	}
	p.raw = c[: data+dataLen : data+dataLen]
	p.expiryUnixMs = expiry
	p.dest, p.destEnd, p.data = uint16(dest), uint16(destEnd), uint16(data)
	return nil
}

// Amount is in the units of the link that the packet came in on.
func (p *Prepare) Amount() Amount { return Amount(binary.BigEndian.Uint64(p.raw)) }

// ExpiryUnixMs is when the packet expires, in milliseconds since the Unix epoch.
func (p *Prepare) ExpiryUnixMs() int64 { return p.expiryUnixMs }

// Condition is the 32 octets of the execution condition; they point into the
// packet.
func (p *Prepare) Condition() []byte { return p.raw[conditionAt:destinationAt:destinationAt] }

// Destination is a valid ILP address; it points into the packet.
func (p *Prepare) Destination() []byte { return p.raw[p.dest:p.destEnd:p.destEnd] }

// Data is what the receiver is to see, at most MaxData octets, or the one more
// that the reference library is known to send; it points into
// the packet.
func (p *Prepare) Data() []byte { return p.raw[p.data:] }

// SetAmount rewrites the amount in the packet itself, as a forwarder does.
func (p *Prepare) SetAmount(a Amount) { binary.BigEndian.PutUint64(p.raw, uint64(a)) }

// SetExpiry rewrites the expiry in the packet itself, as a forwarder does. t
// must be a date, as everything from MakeTimestamp is; if it is not, the packet
// counts as expired at the epoch.
func (p *Prepare) SetExpiry(t *Timestamp) {
	copy(p.raw[expiryAt:conditionAt], t[:])
	p.expiryUnixMs, _ = parseTimestamp((*[17]byte)(t))
}

// PrepareLen is the length of a Prepare whose destination has destLen and whose
// data has dataLen octets.
func PrepareLen(destLen, dataLen int) int {
	return envelopeLen(destinationAt + varLen(destLen) + varLen(dataLen))
}

// PutPrepare writes a Prepare into dst, which must have exactly
// PrepareLen(len(dest), dataLen) octets, and panics if it has fewer. It leaves
// out the 32 octets of the condition and the dataLen octets of the data, and
// returns both regions of dst for the caller to fill, in either order. It does
// not check dest (CheckAddress does) nor dataLen (MaxData).
func PutPrepare(dst []byte, amount Amount, expiry *Timestamp, dest []byte, dataLen int) (condition, data []byte) {
	condition, destination, data := PutPrepareTo(dst, amount, expiry, len(dest), dataLen)
	copy(destination, dest)
	return condition, data
}

// PutPrepareTo is PutPrepare that leaves the destination, of destLen octets, to the caller
// as well: it returns that region, too.
func PutPrepareTo(dst []byte, amount Amount, expiry *Timestamp, destLen, dataLen int) (condition, destination, data []byte) {
	dst[0] = byte(TypePrepare)
	from := oer.PutLength(dst, 1, destinationAt+varLen(destLen)+varLen(dataLen))
	fixed := (*[destinationAt]byte)(dst[from : from+destinationAt])
	binary.BigEndian.PutUint64(fixed[:], uint64(amount))
	*(*Timestamp)(fixed[expiryAt:]) = *expiry
	from = oer.PutLength(dst, from+destinationAt, destLen)
	to := from + destLen
	at := oer.PutLength(dst, to, dataLen)
	return fixed[conditionAt:], dst[from:to:to], dst[at : at+dataLen : at+dataLen]
}

// PrepareFields are the fields of a Prepare to be written.
type PrepareFields struct {
	Amount      Amount    // in units of the link it will travel on
	Expiry      Timestamp // from MakeTimestamp
	Condition   [32]byte
	Destination []byte // an ILP address
	Data        []byte // at most MaxData octets
}

// AppendPrepare appends a Prepare with the given fields, of which it keeps
// nothing. It returns dst unchanged with ErrTimestamp, ErrAddress or
// ErrDataLength if the packet may not be sent.
func AppendPrepare(dst []byte, f *PrepareFields) ([]byte, error) {
	if _, err := f.Expiry.UnixMs(); err != nil {
		return dst, err
	}
	if !validAddress(f.Destination) {
		return dst, ErrAddress
	}
	if len(f.Data) > MaxData {
		return dst, ErrDataLength
	}
	out, room := extend(dst, PrepareLen(len(f.Destination), len(f.Data)))
	condition, data := PutPrepare(room, f.Amount, &f.Expiry, f.Destination, len(f.Data))
	copy(condition, f.Condition[:])
	copy(data, f.Data)
	return out, nil
}
