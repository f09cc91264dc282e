package oer

import (
	"encoding/binary"
	"errors"
	"math"
	"math/bits"
)

// ErrVarUint means that a variable-length unsigned integer is empty or has more
// than eight octets.
var ErrVarUint = errors.New("oer: variable-length integer empty or over 64 bits")

// VarUintLen is the number of octets that AppendVarUint writes for v, the
// length octet included: 2 to 9.
func VarUintLen(v uint64) int {
	return 1 + (bits.Len64(v|1)+7)/8
}

// AppendVarUint appends v as a variable-length unsigned integer: a length
// octet, then the fewest octets that hold v, one for zero (IL-RFC 0030,
// "Variable-length unsigned integer"). It writes 2 to 9 octets and allocates
// only if dst must grow.
func AppendVarUint(dst []byte, v uint64) []byte {
	if v < 0x100 { // stream ids and shares, mostly
		return append(dst, 1, byte(v))
	}
	n := (bits.Len64(v) + 7) / 8
	var be [9]byte
	be[0] = byte(n)
	binary.BigEndian.PutUint64(be[1:], v<<(64-8*n))
	return append(dst, be[:1+n]...)
}

// PutVarUint writes v at the start of dst as AppendVarUint would and returns
// how many octets that took. It panics if dst is shorter than VarUintLen(v).
func PutVarUint(dst []byte, v uint64) int {
	n := (bits.Len64(v|1) + 7) / 8
	_ = dst[n]
	dst[0] = byte(n)
	for i := n; i > 0; i-- {
		dst[i] = byte(v)
		v >>= 8
	}
	return 1 + n
}

// VarUint reads the variable-length unsigned integer at b[off:] and the offset
// behind it. Leading zero octets are accepted as long as there are at most
// eight octets in all. The error is ErrTruncated, ErrLength or ErrVarUint.
func VarUint(b []byte, off int) (v uint64, next int, err error) {
	if uint(off) < uint(len(b)) {
		rest := b[off+1:]
		if n := uint64(b[off]); n-1 < 8 { // 1 <= n <= 8
			if len(rest) >= 8 {
				// One load and one shift, whatever n is.
				return binary.BigEndian.Uint64(rest) >> (64 - 8*n), off + 1 + int(n), nil
			}
			// The last field of a frame, a few octets as a rule.
			if n <= uint64(len(rest)) {
				for _, c := range rest[:n] {
					v = v<<8 | uint64(c)
				}
				return v, off + 1 + int(n), nil
			}
		}
	}
	return 0, 0, varUintError(b, off)
}

// varUintError says why there is no integer at b[off:].
func varUintError(b []byte, off int) error {
	if _, _, err := Length(b, off); err != nil {
		return err
	}
	return ErrVarUint
}

// VarUintSaturating is VarUint for the two STREAM fields that mean "at least
// this much": an integer of more than eight octets reads as 2^64-1, even when
// its first octets are zero (as the other implementations do). Only those of no
// octets at all are ErrVarUint.
func VarUintSaturating(b []byte, off int) (v uint64, next int, err error) {
	if uint(off) < uint(len(b)) && b[off] <= 8 {
		return VarUint(b, off)
	}
	n, at, err := Length(b, off)
	if err != nil {
		return 0, 0, err
	}
	return math.MaxUint64, at + n, nil
}
