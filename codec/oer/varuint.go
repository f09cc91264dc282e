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
	// Almost every integer is followed by eight more octets, so one load and
	// one shift read it whatever its length. n-1 < 8 is 1 <= n <= 8.
	if off >= 0 && off < len(b)-8 {
		if n := uint64(b[off]); n-1 < 8 {
			v = binary.BigEndian.Uint64(b[off+1:]) >> (64 - 8*n)
			return v, off + 1 + int(n), nil
		}
	}
	return slowVarUint(b, off)
}

// slowVarUint is VarUint near the end of b and for what is wrong.
func slowVarUint(b []byte, off int) (v uint64, next int, err error) {
	n, at, err := Length(b, off)
	if err != nil {
		return 0, 0, err
	}
	if n == 0 || n > 8 {
		return 0, 0, ErrVarUint
	}
	for _, c := range b[at : at+n] {
		v = v<<8 | uint64(c)
	}
	return v, at + n, nil
}

// VarUintSaturating is VarUint for the two STREAM fields that mean "at least
// this much": an integer of more than eight octets reads as 2^64-1, even when
// its first octets are zero (as the other implementations do). Only those of no
// octets at all are ErrVarUint.
func VarUintSaturating(b []byte, off int) (v uint64, next int, err error) {
	n, at, err := Length(b, off)
	if err != nil {
		return 0, 0, err
	}
	if n > 8 {
		return math.MaxUint64, at + n, nil
	}
	return VarUint(b, off)
}
