package frame

import (
	"github.com/millrace-ilp/millrace/codec/oer"
)

// frameLen is the length of a frame whose body has n octets.
func frameLen(n int) int { return 1 + oer.LengthLen(n) + n }

// varLen is the length of a variable-length octet string of n octets.
func varLen(n int) int { return oer.LengthLen(n) + n }

// appendHead appends the type and the length of a frame whose body has n octets.
func appendHead(dst []byte, t Type, n int) []byte {
	return oer.AppendLength(append(dst, byte(t)), n)
}

// appendUint and appendUints append whole frames whose bodies are one and two
// integers.
func appendUint(dst []byte, t Type, v uint64) []byte {
	return oer.AppendVarUint(append(dst, byte(t), byte(oer.VarUintLen(v))), v)
}

func appendUints(dst []byte, t Type, v, w uint64) []byte {
	n := oer.VarUintLen(v) + oer.VarUintLen(w)
	return oer.AppendVarUint(oer.AppendVarUint(append(dst, byte(t), byte(n)), v), w)
}

// parseUints reads a body of two integers.
func parseUints(body []byte) (v, w uint64, err error) {
	v, at, err := oer.VarUint(body, 0)
	if err != nil {
		return 0, 0, err
	}
	w, _, err = oer.VarUint(body, at)
	return v, w, err
}

// uint8At reads the octet at b[off] and the offset behind it.
func uint8At(b []byte, off int) (v uint8, next int, err error) {
	if uint(off) >= uint(len(b)) {
		return 0, 0, ErrTruncated
	}
	return b[off], off + 1, nil
}

// checkBody reports what is wrong with the body of a frame: nothing if its type
// is unknown. It walks the fields without decoding them, and must accept exactly
// what the Parse functions accept; a fuzz test holds the two together.
func checkBody(t Type, b []byte) error {
	at, err := 0, error(nil)
	switch t {
	case TypeStreamMoney, TypeStreamMaxData, TypeStreamDataBlocked:
		if at, err = skipUint(b, 0); err == nil {
			_, err = skipUint(b, at)
		}
	case TypeStreamMaxMoney, TypeStreamMoneyBlocked:
		if at, err = skipUint(b, 0); err != nil {
			return err
		}
		if at, err = skipSaturating(b, at); err == nil {
			_, err = skipUint(b, at)
		}
	case TypeConnectionMaxData, TypeConnectionDataBlocked,
		TypeConnectionMaxStreamID, TypeConnectionStreamIDBlocked:
		_, err = skipUint(b, 0)
	case TypeStreamData:
		if at, err = skipUint(b, 0); err != nil {
			return err
		}
		if at, err = skipUint(b, at); err == nil {
			_, _, err = oer.Length(b, at)
		}
	case TypeStreamReceipt:
		if at, err = skipUint(b, 0); err == nil {
			_, _, err = oer.Length(b, at)
		}
	case TypeStreamClose:
		if at, err = skipUint(b, 0); err == nil {
			_, _, err = oer.Length(b, at+1)
		}
	case TypeConnectionClose:
		_, _, err = oer.Length(b, 1)
	case TypeConnectionNewAddress:
		_, _, err = oer.Length(b, 0)
	case TypeConnectionAssetDetails:
		var n int
		if n, at, err = oer.Length(b, 0); err == nil && at+n >= len(b) {
			err = ErrTruncated
		}
	}
	return err
}

// skipUint is oer.VarUint without the value.
func skipUint(b []byte, off int) (next int, err error) {
	if uint(off) < uint(len(b)) {
		// n-1 < 8 is 1 <= n <= 8.
		if n := int(b[off]); uint(n-1) < 8 && n < len(b)-off {
			return off + 1 + n, nil
		}
	}
	_, next, err = oer.VarUint(b, off)
	return next, err
}

// skipSaturating is oer.VarUintSaturating without the value.
func skipSaturating(b []byte, off int) (next int, err error) {
	if uint(off) < uint(len(b)) {
		if n := int(b[off]); uint(n-1) < 0x7f && n < len(b)-off {
			return off + 1 + n, nil
		}
	}
	_, next, err = oer.VarUintSaturating(b, off)
	return next, err
}
