package ilp

import "github.com/millrace-ilp/millrace/codec/oer"

// Fulfill is a view of an encoded ILP Fulfill (IL-RFC 0027). It owns no memory
// and is good only while the octets it was parsed from are.
type Fulfill struct {
	raw  []byte // the contents, cut behind data
	data int    // first octet of the data, which ends with raw
}

// ParseFulfill checks b and returns a view of it. b may be longer than the
// packet. The error is ErrType, ErrTruncated, ErrLength or ErrDataLength.
//
// Whether the fulfillment fits the Prepare's condition is for the caller to
// check: this package knows no hashes.
func ParseFulfill(b []byte) (f Fulfill, err error) {
	if err = f.Parse(b); err != nil {
		return Fulfill{}, err
	}
	return f, nil
}

// Parse is ParseFulfill into a view where it is; after an error f is void.
func (f *Fulfill) Parse(b []byte) error {
	c, err := contents(b, TypeFulfill)
	if err != nil {
		return err
	}
	n, data, err := oer.Length(c, 32)
	if err != nil {
		return err
	}
	if n > MaxData {
		return ErrDataLength
	}
	f.raw, f.data = c[:data+n:data+n], data
	return nil
}

// Fulfillment is the 32 octets whose SHA-256 the condition is; they point into
// the packet.
func (f *Fulfill) Fulfillment() []byte { return f.raw[:32:32] }

// Data is what the receiver sent along, at most MaxData octets; it points into
// the packet.
func (f *Fulfill) Data() []byte { return f.raw[f.data:] }

// FulfillLen is the length of a Fulfill whose data has dataLen octets.
func FulfillLen(dataLen int) int { return envelopeLen(32 + varLen(dataLen)) }

// PutFulfill writes a Fulfill into dst, which must have exactly
// FulfillLen(dataLen) octets, and panics if it has fewer. It leaves out the 32
// octets of the fulfillment and the data, and returns both regions of dst for
// the caller to fill. It does not check dataLen (MaxData).
func PutFulfill(dst []byte, dataLen int) (fulfillment, data []byte) {
	dst[0] = byte(TypeFulfill)
	from := oer.PutLength(dst, 1, 32+varLen(dataLen))
	at := oer.PutLength(dst, from+32, dataLen)
	return dst[from : from+32 : from+32], dst[at : at+dataLen : at+dataLen]
}

// AppendFulfill appends a Fulfill. It returns dst unchanged with ErrDataLength
// if data has more than MaxData octets.
func AppendFulfill(dst []byte, fulfillment *[32]byte, data []byte) ([]byte, error) {
	if len(data) > MaxData {
		return dst, ErrDataLength
	}
	out, room := extend(dst, FulfillLen(len(data)))
	f, d := PutFulfill(room, len(data))
	copy(f, fulfillment[:])
	copy(d, data)
	return out, nil
}
