package btp

import (
	"bytes"
	"testing"

	"github.com/millrace-ilp/millrace/codec/oer"
	"github.com/millrace-ilp/millrace/internal/vectors"
)

func FuzzParse(f *testing.F) {
	v := vectors.Load[vectors.BTP](f, "btp.json")
	for _, e := range v.Encode {
		f.Add([]byte(e.Hex))
	}
	for _, e := range v.Decode {
		f.Add([]byte(e.Hex))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := Parse(b)
		checkFastPath(t, b, p, err)
		if err != nil {
			return
		}
		walked := 0
		for range p.SubProtocols() {
			walked++
		}
		if walked != p.Count() {
			t.Errorf("%d sub-protocols, Count says %d", walked, p.Count())
		}
		// What is written again reads as the same. It is the same octets as
		// well, up to dates, counts with leading zeros and what is ignored.
		again := appendPacket(p)
		q, err := Parse(again)
		if err != nil {
			t.Fatalf("%x is written as %x: %v", b, again, err)
		}
		checkSame(t, p, q)
		if twice := appendPacket(q); !bytes.Equal(twice, again) {
			t.Errorf("%x is written as %x", again, twice)
		}
	})
}

// checkFastPath holds ParseILP to Parse: it takes exactly the packets that are a
// Message or Response with the one sub-protocol "ilp" of content type 0, and
// reads them the same.
func checkFastPath(t *testing.T, b []byte, p Packet, err error) {
	t.Helper()
	typ, id, packet, ok := ParseILP(b)
	want := err == nil && (p.Type() == TypeMessage || p.Type() == TypeResponse) && p.Count() == 1
	if want {
		s, _ := p.Primary()
		// A count with leading zeros is left to Parse.
		want = string(s.Name) == "ilp" && s.ContentType == OctetStream && countLen(t, b) == 2
	}
	if ok != want {
		t.Fatalf("ParseILP(%x): %t, want %t", b, ok, want)
	}
	if !ok {
		return
	}
	slow, _ := p.ILP()
	if typ != p.Type() || id != p.RequestID() || !bytes.Equal(packet, slow) {
		t.Errorf("ParseILP(%x) = %v, %d, %x; Parse says %v, %d, %x", b, typ, id, packet, p.Type(), p.RequestID(), slow)
	}
}

// countLen is the number of octets of the count of a Message or Response.
func countLen(t *testing.T, b []byte) int {
	t.Helper()
	contents, _, err := oer.VarOctets(b, headerLen)
	if err != nil {
		t.Fatal(err)
	}
	_, next, err := oer.VarUint(contents, 0)
	if err != nil {
		t.Fatal(err)
	}
	return next
}

func checkSame(t *testing.T, p, q Packet) {
	t.Helper()
	if p.Type() != q.Type() || p.RequestID() != q.RequestID() || p.Amount() != q.Amount() || p.Count() != q.Count() {
		t.Errorf("%v became %v", p, q)
	}
	pf, _ := p.ErrorFields()
	qf, _ := q.ErrorFields()
	if pf.TriggeredAtUnixMs == NoTime {
		pf.TriggeredAtUnixMs = 0
	}
	pf.Data = pf.Data[:min(len(pf.Data), MaxErrorData)]
	if pf.Code != qf.Code || !bytes.Equal(pf.Name, qf.Name) || pf.TriggeredAtUnixMs != qf.TriggeredAtUnixMs || !bytes.Equal(pf.Data, qf.Data) {
		t.Errorf("%+v became %+v", pf, qf)
	}
	if !bytes.Equal(p.subs, q.subs) {
		t.Errorf("%x became %x", p.subs, q.subs)
	}
}
