package ilp

import (
	"bytes"
	"regexp"
	"testing"
	"time"

	"github.com/millrace-ilp/millrace/internal/vectors"
)

func FuzzPackets(f *testing.F) {
	v := vectors.Load[vectors.ILPPackets](f, "ilp_packets.json")
	for _, e := range v.Prepares {
		f.Add([]byte(e.Hex))
	}
	for _, e := range v.Fulfills {
		f.Add([]byte(e.Hex))
	}
	for _, e := range v.Rejects {
		f.Add([]byte(e.Hex))
	}
	for _, e := range v.Decode {
		if e.PrefixHex == nil {
			f.Add([]byte(e.Hex))
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if p, err := ParsePrepare(b); err == nil {
			checkPrefix(t, b, appendPrepare(t, p))
		}
		if p, err := ParseFulfill(b); err == nil {
			checkPrefix(t, b, appendFulfill(t, p))
		}
		if p, err := ParseReject(b); err == nil {
			if again := appendReject(t, p); len(again) > 0 {
				checkPrefix(t, b, again)
			}
		}
	})
}

// checkPrefix holds decode∘encode to identity: what was read from b and written
// again is b, up to octets behind the last field and behind the packet.
func checkPrefix(t *testing.T, b, again []byte) {
	t.Helper()
	skip := func(p []byte) []byte {
		c, err := contents(p, PeekType(p))
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	if !bytes.HasPrefix(skip(b), skip(again)) {
		t.Errorf("%x is written as %x", b, again)
	}
	p, err := ParsePrepare(again)
	if err == nil && len(again) != PrepareLen(len(p.Destination()), len(p.Data())) {
		t.Errorf("%d octets, foretold otherwise", len(again))
	}
}

// addressPattern is the syntax of IL-RFC 0015, without its length.
var addressPattern = regexp.MustCompile(`^(g|private|example|peer|self|local|test[1-3]?)(\.[A-Za-z0-9_~-]+)+$`)

func FuzzCheckAddress(f *testing.F) {
	for _, e := range vectors.Load[vectors.ILPPackets](f, "ilp_packets.json").Addresses {
		f.Add([]byte(e.Address))
	}
	for _, s := range []string{"private.a.b", "self.a", "local.a", "test.", "test2.~", "g.\xe1", "peer..a", "example.a.", "tes.a", "test2a.b"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		want := len(b) <= MaxAddress && addressPattern.Match(b)
		if got := CheckAddress(b) == nil; got != want {
			t.Errorf("CheckAddress(%q): %t, want %t", b, got, want)
		}
	})
}

func FuzzTimestamp(f *testing.F) {
	f.Add([]byte("20300101000000000"))
	f.Add([]byte("20240229235959999"))
	f.Add([]byte("2024022923595999:"))
	digits := regexp.MustCompile(`^[0-9]{17}$`)
	f.Fuzz(func(t *testing.T, b []byte) {
		ms, err := ParseTimestamp(b)
		var want time.Time
		wantErr := ErrTimestamp
		if digits.Match(b) {
			want, wantErr = time.Parse(layout, string(b[:14])+"."+string(b[14:]))
		}
		if (err == nil) != (wantErr == nil) || err == nil && ms != want.UnixMilli() {
			t.Fatalf("%q: %d, %v; want %v, %v", b, ms, err, want, wantErr)
		}
		if err == nil {
			if again := MakeTimestamp(ms); string(again[:]) != string(b) {
				t.Errorf("%q is written as %s", b, &again)
			}
		}
	})
}
