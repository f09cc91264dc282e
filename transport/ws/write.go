package ws

import "encoding/binary"

// HeaderLen is the octets of the header of a frame with n octets of payload: 2,
// 4 or 10, and 4 more for a client's masking key.
func HeaderLen(n int, role Role) int {
	h := 2
	switch {
	case n > 0xffff:
		h = 10
	case n >= len16:
		h = 4
	}
	if role == Client {
		h += 4
	}
	return h
}

// PutHeader writes the header of an unfragmented frame with n octets of payload
// into dst and returns its length, which is HeaderLen(n, role). A client's key is
// left zero, so that the payload can be built bare and masked by MaskFrames.
func PutHeader(dst []byte, op Op, n int, role Role) int {
	var mask byte
	if role == Client {
		mask = maskBit
	}
	h := 2
	dst[0] = finBit | byte(op)
	switch {
	case n > 0xffff:
		dst[1] = mask | len64
		binary.BigEndian.PutUint64(dst[2:], uint64(n))
		h = 10
	case n >= len16:
		dst[1] = mask | len16
		binary.BigEndian.PutUint16(dst[2:], uint16(n))
		h = 4
	default:
		dst[1] = mask | byte(n)
	}
	if mask != 0 {
		binary.LittleEndian.PutUint32(dst[h:], 0)
		h += 4
	}
	return h
}

// AppendFrame appends an unfragmented frame to dst. A client's frame still has to
// go through MaskFrames.
func AppendFrame(dst []byte, op Op, payload []byte, role Role) []byte {
	var head [MaxHeader]byte
	dst = append(dst, head[:PutHeader(head[:], op, len(payload), role)]...)
	return append(dst, payload...)
}

// AppendCloseBody appends the payload of a close frame to dst: code and reason,
// the latter cut at MaxReason octets. CodeNoStatus makes it empty; 1006 and 1015
// may never be on the wire and are written so too (RFC 6455 §7.4.1).
func AppendCloseBody(dst []byte, code uint16, reason string) []byte {
	if !ValidCode(code) {
		return dst
	}
	if len(reason) > MaxReason {
		reason = reason[:runeCut(reason, MaxReason)]
	}
	dst = binary.BigEndian.AppendUint16(dst, code)
	return append(dst, reason...)
}

// runeCut is the longest n <= limit at which s can be cut without splitting a
// character: close reasons are UTF-8.
func runeCut(s string, limit int) int {
	for limit > 0 && s[limit]&0xc0 == 0x80 {
		limit--
	}
	return limit
}

// FrameLen is the lengths of header and payload of the frame at the start of b,
// which was written by this package and is whole.
func FrameLen(b []byte) (header, payload int) {
	header, payload = 2, int(b[1]&lenBits)
	switch payload {
	case len16:
		header, payload = 4, int(binary.BigEndian.Uint16(b[2:]))
	case len64:
		header, payload = 10, int(binary.BigEndian.Uint64(b[2:]))
	}
	if b[1]&maskBit != 0 {
		header += 4
	}
	return header, payload
}

// FrameKey is the masking key of the frame at the start of b whose header has the
// length that FrameLen says; 0 when it is bare or not masked yet.
func FrameKey(b []byte, header int) uint32 {
	if b[1]&maskBit == 0 {
		return 0
	}
	return binary.LittleEndian.Uint32(b[header-4:])
}
