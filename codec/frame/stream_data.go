package frame

import "github.com/millrace-ilp/millrace/codec/oer"

// StreamData carries a piece of a stream's octets (IL-RFC 0029, "StreamData
// Frame").
type StreamData struct {
	StreamID uint64
	Offset   uint64 // of the first octet of Data in the stream, from 0
	Data     []byte // borrowed
}

// Len is the number of octets that Append writes.
func (f StreamData) Len() int { return f.LenWith(nil) }

// LenWith is the number of octets that AppendWith writes.
func (f StreamData) LenWith(rest []byte) int { return frameLen(f.bodyLen(rest)) }

func (f StreamData) bodyLen(rest []byte) int {
	return oer.VarUintLen(f.StreamID) + oer.VarUintLen(f.Offset) + varLen(len(f.Data)+len(rest))
}

// Append appends the frame.
func (f StreamData) Append(dst []byte) []byte { return f.AppendWith(dst, nil) }

// AppendWith appends the frame with rest behind Data, for octets that lie in two
// pieces.
func (f StreamData) AppendWith(dst, rest []byte) []byte {
	dst = appendHead(dst, TypeStreamData, f.bodyLen(rest))
	dst = oer.AppendVarUint(dst, f.StreamID)
	dst = oer.AppendVarUint(dst, f.Offset)
	dst = oer.AppendLength(dst, len(f.Data)+len(rest))
	return append(append(dst, f.Data...), rest...)
}

// MaxStreamData is the most octets of data that a StreamData frame of at most
// room octets can carry; 0 if not even an empty one fits.
func MaxStreamData(streamID, offset uint64, room int) int {
	fixed := oer.VarUintLen(streamID) + oer.VarUintLen(offset)
	// Both lengths are at their shortest for small frames; each grows twice.
	n := room - 1 - 1 - fixed - 1
	for n > 0 && frameLen(fixed+varLen(n)) > room {
		n--
	}
	return max(n, 0)
}

// ParseStreamData reads the frame's body. It cannot fail on a body from a parsed
// packet. Data points into the body.
func ParseStreamData(body []byte) (StreamData, error) {
	id, at, err := oer.VarUint(body, 0)
	if err != nil {
		return StreamData{}, err
	}
	offset, at, err := oer.VarUint(body, at)
	if err != nil {
		return StreamData{}, err
	}
	data, _, err := oer.VarOctets(body, at)
	if err != nil {
		return StreamData{}, err
	}
	return StreamData{StreamID: id, Offset: offset, Data: data}, nil
}
