package oer

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"testing"

	"github.com/millrace-ilp/millrace/internal/vectors"
)

// differences are the vectors of oer-utils that Millrace does not follow.
var differences = vectors.Differences{
	"octets/five-byte length of length, leading zeros, 128": "not canonical (IL-RFC 0030); accepted there because a 32-bit shift wraps",
	"octets/six-byte length of length, leading zeros, 256":  "not canonical (IL-RFC 0030); accepted there because a 32-bit shift wraps",
	"number/eight bytes max":                                "the reader of counts stops at 53 bits there; here there is one reader, and a count that is too large finds the input truncated",
	"number/eight bytes leading zeros":                      "the reader of counts stops at six octets there; the value is 1",
}

func TestVectorsOfOtherImplementations(t *testing.T) {
	v := vectors.Load[vectors.OER](t, "oer.json")
	check := differences.Check(t)

	for _, e := range v.VarOctetEncode {
		got := AppendVarOctets(nil, make([]byte, e.Length))
		want := append(e.Prefix, make([]byte, e.Length)...)
		check.Case(fmt.Sprint("prefix/", e.Length), differ(bytes.Equal(got, want)))
	}
	for _, e := range v.VarUIntEncode {
		got := AppendVarUint(nil, uint64(e.Value))
		check.Case(fmt.Sprint("uint/", e.Value), differ(bytes.Equal(got, e.Hex)))
	}
	for _, e := range v.FixedEncode {
		var be [8]byte
		binary.BigEndian.PutUint64(be[:], uint64(e.Value))
		check.Case(fmt.Sprintf("fixed/%d/%d", e.Bits, e.Value), differ(bytes.Equal(be[8-e.Bits/8:], e.Hex)))
	}
	for _, e := range v.VarOctetDecode {
		got, next, err := VarOctets(e.Hex, 0)
		same := (err == nil) == e.Accepted && len(got) == e.ContentLength && next == e.Consumed
		check.Case("octets/"+e.Name, differ(same))
	}
	for _, e := range v.VarUIntDecode {
		got, _, err := VarUint(e.Hex, 0)
		integer := func(want vectors.OERInteger) string {
			return differ((err == nil) == want.Accepted && got == uint64(want.Value))
		}
		check.Case("long/"+e.Name, integer(e.AsLong))
		check.Case("number/"+e.Name, integer(e.AsNumber))
	}
}

func differ(same bool) string {
	if same {
		return ""
	}
	return "differs"
}
