package oer

import (
	"bytes"
	"encoding/hex"
	"errors"
	"math"
	"math/big"
	"testing"
)

func TestLengthsHaveOneShortestForm(t *testing.T) {
	for _, c := range []struct {
		long int64
		want string
	}{
		{0, "00"}, {1, "01"}, {127, "7f"},
		{128, "8180"}, {255, "81ff"},
		{256, "820100"}, {32767, "827fff"}, {65535, "82ffff"},
		{65536, "83010000"}, {1<<24 - 1, "83ffffff"}, {1 << 24, "8401000000"},
		{1 << 31, "8480000000"}, {1 << 40, "86010000000000"}, {math.MaxInt64, "887fffffffffffffff"},
	} {
		length := int(c.long)
		if int64(length) != c.long {
			continue // no slice is that long on a machine of 32 bits
		}
		got := AppendLength([]byte{0xaa}, length)
		if hex.EncodeToString(got) != "aa"+c.want {
			t.Errorf("AppendLength(%d) = %x, want aa%s", length, got, c.want)
		}
		if n := LengthLen(length); n != len(c.want)/2 {
			t.Errorf("LengthLen(%d) = %d, want %d", length, n, len(c.want)/2)
		}
		// PutLength writes that, and nothing before it and behind it.
		const at = 3
		rest := bytes.Repeat([]byte{0xee}, 15)
		put := bytes.Clone(rest)
		n := PutLength(put, at, length)
		if hex.EncodeToString(put[at:n]) != c.want || !bytes.Equal(put[:at], rest[:at]) || !bytes.Equal(put[n:], rest[n:]) {
			t.Errorf("PutLength(%d) = %d, %x", length, n, put)
		}
	}
}

func TestVarUintsHaveOneShortestForm(t *testing.T) {
	values := []uint64{0, math.MaxUint64}
	for shift := range 64 {
		values = append(values, 1<<shift-1, 1<<shift, 1<<shift+1)
	}
	for _, v := range values {
		octets := new(big.Int).SetUint64(v).Bytes()
		if v == 0 {
			octets = []byte{0}
		}
		want := append([]byte{byte(len(octets))}, octets...)
		if got := AppendVarUint(nil, v); !bytes.Equal(got, want) {
			t.Errorf("AppendVarUint(%d) = %x, want %x", v, got, want)
		}
		if n := VarUintLen(v); n != len(want) {
			t.Errorf("VarUintLen(%d) = %d, want %d", v, n, len(want))
		}
		put := bytes.Repeat([]byte{0xee}, 12)
		n := PutVarUint(put, v)
		if !bytes.Equal(put[:n], want) || !bytes.Equal(put[n:], bytes.Repeat([]byte{0xee}, 12-n)) {
			t.Errorf("PutVarUint(%d) = %d, %x", v, n, put)
		}
		// With and without enough octets behind it for the fast path.
		for _, tail := range [][]byte{nil, make([]byte, 3), make([]byte, 20)} {
			got, next, err := VarUint(append(want[:len(want):len(want)], tail...), 0)
			if got != v || next != len(want) || err != nil {
				t.Errorf("VarUint(%x) = %d, %d, %v", want, got, next, err)
			}
		}
	}
}

// A writer must not touch what lies behind the room it needs: a packet is built
// in place, in a buffer that holds other packets.
func TestAppendVarUintStaysInsideItsRoom(t *testing.T) {
	buf := bytes.Repeat([]byte{0xee}, 16)
	got := AppendVarUint(buf[:1:3], 7)
	if &got[0] != &buf[0] {
		t.Error("moved although there was room")
	}
	if want := append([]byte{0xee, 1, 7}, bytes.Repeat([]byte{0xee}, 13)...); !bytes.Equal(buf, want) {
		t.Errorf("wrote %x", buf)
	}
}

func TestReadersTellWhatIsWrong(t *testing.T) {
	huge := "ffffffffffffffff"
	for _, c := range []struct {
		name, in string
		octets   error
		uint     error
	}{
		{"nothing", "", ErrTruncated, ErrTruncated},
		{"zero octets", "00", nil, ErrVarUint},
		{"short by one", "03aabb", ErrTruncated, ErrTruncated},
		{"leading zeros (accepted against IL-RFC 0030)", "080000000000000001", nil, nil},
		{"nine octets", "09" + "00" + huge, nil, ErrVarUint},
		{"indefinite", "80aabb", ErrLength, ErrLength},
		{"nine length octets", "89000000000000000000", ErrLength, ErrLength},
		{"long form of 1", "810105", ErrLength, ErrLength},
		{"long form of 127", "817f", ErrLength, ErrLength},
		{"leading zero in a long form", "820080", ErrLength, ErrLength},
		{"length octets missing", "8201", ErrTruncated, ErrTruncated},
		{"2^64-1 octets", "88" + huge, ErrTruncated, ErrTruncated},
		{"2^63 octets", "888000000000000000", ErrTruncated, ErrTruncated},
	} {
		in, err := hex.DecodeString(c.in)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := VarOctets(in, 0); !errors.Is(err, c.octets) {
			t.Errorf("%s: VarOctets: %v, want %v", c.name, err, c.octets)
		}
		if _, _, err := VarUint(in, 0); !errors.Is(err, c.uint) {
			t.Errorf("%s: VarUint: %v, want %v", c.name, err, c.uint)
		}
	}
}

func TestOffsetsOutsideAreTruncation(t *testing.T) {
	b := []byte{1, 2, 3}
	for _, off := range []int{3, 4, math.MaxInt, -1, math.MinInt} {
		if _, _, err := Length(b, off); err != ErrTruncated {
			t.Errorf("Length at %d: %v", off, err)
		}
		if _, _, err := VarUint(b, off); err != ErrTruncated {
			t.Errorf("VarUint at %d: %v", off, err)
		}
		if _, _, err := VarUintSaturating(b, off); err != ErrTruncated {
			t.Errorf("VarUintSaturating at %d: %v", off, err)
		}
		if _, _, err := VarOctets(b, off); err != ErrTruncated {
			t.Errorf("VarOctets at %d: %v", off, err)
		}
	}
}

func TestSaturatingReadsMoreThan64BitsAsTheMaximum(t *testing.T) {
	for _, c := range []struct {
		in   []byte
		want uint64
		next int
	}{
		{[]byte{1, 5}, 5, 2},
		{append([]byte{8}, bytes.Repeat([]byte{0xff}, 8)...), math.MaxUint64, 9},
		{append([]byte{9}, make([]byte, 9)...), math.MaxUint64, 10},
		{append([]byte{0x81, 200}, make([]byte, 300)...), math.MaxUint64, 202},
	} {
		got, next, err := VarUintSaturating(c.in, 0)
		if got != c.want || next != c.next || err != nil {
			t.Errorf("%x: %d, %d, %v", c.in, got, next, err)
		}
	}
	if _, _, err := VarUintSaturating([]byte{0, 0}, 0); err != ErrVarUint {
		t.Errorf("no octets: %v", err)
	}
	if _, _, err := VarUintSaturating([]byte{9, 0}, 0); err != ErrTruncated {
		t.Errorf("nine octets, eight missing: %v", err)
	}
}

// What is returned must not let its owner write over what follows it.
func TestVarOctetsEndWhereTheyEnd(t *testing.T) {
	b := []byte{2, 'a', 'b', 'c'}
	v, next, err := VarOctets(b, 0)
	if string(v) != "ab" || cap(v) != 2 || next != 3 || err != nil {
		t.Errorf("%q, cap %d, %d, %v", v, cap(v), next, err)
	}
}
