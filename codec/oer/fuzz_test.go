package oer

import (
	"bytes"
	"math/big"
	"testing"

	"github.com/millrace-ilp/millrace/internal/vectors"
)

// FuzzReaders holds every reader to the reference, at every offset of the input.
func FuzzReaders(f *testing.F) {
	v := vectors.Load[vectors.OER](f, "oer.json")
	for _, e := range v.VarOctetDecode {
		f.Add([]byte(e.Hex))
	}
	for _, e := range v.VarUIntDecode {
		f.Add([]byte(e.Hex))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		for off := range min(len(b), 32) + 1 {
			checkReaders(t, b, off)
		}
	})
}

func checkReaders(t *testing.T, b []byte, off int) {
	octets, next, err := VarOctets(b, off)
	wantOctets, wantNext, wantErr := referenceVarOctets(b, off)
	if !bytes.Equal(octets, wantOctets) || next != wantNext || err != wantErr {
		t.Errorf("VarOctets(%x, %d) = %x, %d, %v; want %x, %d, %v", b, off, octets, next, err, wantOctets, wantNext, wantErr)
	}
	n, at, err := Length(b, off)
	if err != wantErr || err == nil && (at+n != wantNext || n != len(wantOctets)) {
		t.Errorf("Length(%x, %d) = %d, %d, %v", b, off, n, at, err)
	}
	if err == nil {
		// One encoding for one value: what was read is what would be written.
		if again := AppendVarOctets(nil, octets); !bytes.Equal(again, b[off:next]) {
			t.Errorf("%x reads as %x, which is written as %x", b[off:next], octets, again)
		}
	}

	v, next, err := VarUint(b, off)
	want, wantNext, wantErr := referenceVarUint(b, off)
	if next != wantNext || err != wantErr || err == nil && want.Cmp(new(big.Int).SetUint64(v)) != 0 {
		t.Errorf("VarUint(%x, %d) = %d, %d, %v; want %v, %d, %v", b, off, v, next, err, want, wantNext, wantErr)
	}
	v, next, err = VarUintSaturating(b, off)
	want, wantNext, wantErr = referenceVarUintSaturating(b, off)
	if next != wantNext || err != wantErr || err == nil && want.Cmp(new(big.Int).SetUint64(v)) != 0 {
		t.Errorf("VarUintSaturating(%x, %d) = %d, %d, %v; want %v, %d, %v", b, off, v, next, err, want, wantNext, wantErr)
	}
}

// FuzzRoundTrip writes values behind each other and reads them back.
func FuzzRoundTrip(f *testing.F) {
	f.Add(uint64(0), []byte(nil))
	f.Add(uint64(1)<<63, bytes.Repeat([]byte{1}, 300))
	f.Fuzz(func(t *testing.T, v uint64, octets []byte) {
		b := AppendVarOctets(AppendVarUint(nil, v), octets)
		if n := VarUintLen(v) + LengthLen(len(octets)) + len(octets); n != len(b) {
			t.Errorf("%d octets, foretold %d", len(b), n)
		}
		gotUint, next, err := VarUint(b, 0)
		if gotUint != v || err != nil {
			t.Fatalf("VarUint(%x) = %d, %v", b, gotUint, err)
		}
		gotOctets, next, err := VarOctets(b, next)
		if !bytes.Equal(gotOctets, octets) || next != len(b) || err != nil {
			t.Fatalf("VarOctets(%x) = %x, %d, %v", b, gotOctets, next, err)
		}
	})
}
