package oer

import (
	"bytes"
	"math/big"
)

// The reference: the same rules once more, written to be obviously right rather
// than fast, on arbitrary-precision integers. Tests hold the real readers to it.

// referenceLength returns the declared length and the offset behind the
// determinant, without looking at what follows.
func referenceLength(b []byte, off int) (n *big.Int, next int, err error) {
	if off >= len(b) {
		return nil, 0, ErrTruncated
	}
	if b[off] < 0x80 {
		return big.NewInt(int64(b[off])), off + 1, nil
	}
	k := int(b[off]) - 0x80
	if k < 1 || k > 8 {
		return nil, 0, ErrLength
	}
	if off+1+k > len(b) {
		return nil, 0, ErrTruncated
	}
	n = new(big.Int).SetBytes(b[off+1 : off+1+k])
	if !bytes.Equal(referenceDeterminant(n), b[off:off+1+k]) {
		return nil, 0, ErrLength
	}
	return n, off + 1 + k, nil
}

// referenceDeterminant is the canonical encoding of a length.
func referenceDeterminant(n *big.Int) []byte {
	if n.Cmp(big.NewInt(128)) < 0 {
		return []byte{byte(n.Int64())}
	}
	octets := n.Bytes()
	return append([]byte{0x80 + byte(len(octets))}, octets...)
}

func referenceVarOctets(b []byte, off int) (v []byte, next int, err error) {
	n, at, err := referenceLength(b, off)
	if err != nil {
		return nil, 0, err
	}
	if n.Cmp(big.NewInt(int64(len(b)-at))) > 0 {
		return nil, 0, ErrTruncated
	}
	end := at + int(n.Int64())
	return b[at:end], end, nil
}

func referenceVarUint(b []byte, off int) (v *big.Int, next int, err error) {
	octets, next, err := referenceVarOctets(b, off)
	if err != nil {
		return nil, 0, err
	}
	if len(octets) == 0 || len(octets) > 8 {
		return nil, 0, ErrVarUint
	}
	return new(big.Int).SetBytes(octets), next, nil
}

func referenceVarUintSaturating(b []byte, off int) (v *big.Int, next int, err error) {
	octets, next, err := referenceVarOctets(b, off)
	if err == nil && len(octets) > 8 {
		return new(big.Int).SetUint64(1<<64 - 1), next, nil
	}
	return referenceVarUint(b, off)
}
