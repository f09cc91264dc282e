package oer

import (
	"errors"
	"math/bits"
)

var (
	// ErrTruncated means that the octets end before the value does.
	ErrTruncated = errors.New("oer: truncated")
	// ErrLength means that a length determinant is not in its shortest form,
	// is indefinite, or has more than eight length octets.
	ErrLength = errors.New("oer: length determinant not canonical")
)

// LengthLen is the number of octets that the length determinant of n takes:
// 1 for 0 to 127, else one more than the octets n needs. n must not be
// negative.
func LengthLen(n int) int {
	if n < 0x80 {
		return 1
	}
	return 1 + (bits.Len64(uint64(n))+7)/8
}

// AppendLength appends the length determinant of n in its shortest form
// (IL-RFC 0030, "Variable-length octet string"). n must not be negative.
func AppendLength(dst []byte, n int) []byte {
	switch {
	case n < 0x80:
		return append(dst, byte(n))
	case n < 1<<8:
		return append(dst, 0x81, byte(n))
	case n < 1<<16:
		return append(dst, 0x82, byte(n>>8), byte(n))
	}
	k := LengthLen(n) - 1
	dst = append(dst, 0x80|byte(k))
	for k--; k >= 0; k-- {
		dst = append(dst, byte(uint64(n)>>(8*k)))
	}
	return dst
}

// PutLength writes the length determinant of n at dst[at:] and returns the offset
// behind it. It panics if dst has no room for LengthLen(n) octets there.
func PutLength(dst []byte, at, n int) (next int) {
	switch {
	case n < 0x80:
		dst[at] = byte(n)
		return at + 1
	case n < 1<<8:
		_ = dst[at+1]
		dst[at], dst[at+1] = 0x81, byte(n)
		return at + 2
	case n < 1<<16:
		_ = dst[at+2]
		dst[at], dst[at+1], dst[at+2] = 0x82, byte(n>>8), byte(n)
		return at + 3
	}
	return at + len(AppendLength(dst[at:at:at+LengthLen(n)], n))
}

// Length reads the length determinant at b[off:]. It returns the length n and
// the offset next of the first octet behind the determinant, and has checked
// that n octets follow: b[next:next+n] cannot fail.
//
// The error is ErrTruncated or ErrLength. An offset outside b counts as
// truncated.
func Length(b []byte, off int) (n, next int, err error) {
	if uint(off) >= uint(len(b)) {
		return 0, 0, ErrTruncated
	}
	b, off = b[off:], off+1
	// The three forms that packets use, each in its shortest form only.
	switch b[0] {
	case 0x81:
		if len(b) >= 2 {
			if n = int(b[1]); n >= 0x80 && n <= len(b)-2 {
				return n, off + 1, nil
			}
		}
	case 0x82:
		if len(b) >= 3 {
			if n = int(b[1])<<8 | int(b[2]); n >= 0x100 && n <= len(b)-3 {
				return n, off + 2, nil
			}
		}
	default:
		if n = int(b[0]); n < 0x80 {
			if n > len(b)-1 {
				return 0, 0, ErrTruncated
			}
			return n, off, nil
		}
	}
	return longLength(b, off)
}

// longLength reads any long form. b starts with its first octet, off is the
// offset of the second, as the caller counts.
func longLength(b []byte, off int) (n, next int, err error) {
	first, rest := b[0], b[1:]
	k := int(first & 0x7f)
	if k == 0 || k > 8 {
		return 0, 0, ErrLength
	}
	if len(rest) < k {
		return 0, 0, ErrTruncated
	}
	if rest[0] == 0 {
		return 0, 0, ErrLength
	}
	var v uint64
	for _, c := range rest[:k] {
		v = v<<8 | uint64(c)
	}
	if v < 0x80 {
		return 0, 0, ErrLength
	}
	if v > uint64(len(rest)-k) {
		return 0, 0, ErrTruncated
	}
	return int(v), off + k, nil
}

// AppendVarOctets appends v as a variable-length octet string: its length
// determinant, then its octets.
func AppendVarOctets(dst, v []byte) []byte {
	return append(AppendLength(dst, len(v)), v...)
}

// VarOctets reads the variable-length octet string at b[off:] and the offset
// behind it. v points into b and may be empty. The error is ErrTruncated or
// ErrLength.
func VarOctets(b []byte, off int) (v []byte, next int, err error) {
	n, at, err := Length(b, off)
	if err != nil {
		return nil, 0, err
	}
	return b[at : at+n : at+n], at + n, nil
}
