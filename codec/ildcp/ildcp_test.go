package ildcp

import (
	"bytes"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/millrace-ilp/millrace/codec/ilp"
	"github.com/millrace-ilp/millrace/codec/oer"
	"github.com/millrace-ilp/millrace/internal/vectors"
)

// differences are the vectors of ilp-protocol-ildcp that Millrace does not
// follow: none.
var differences = vectors.Differences{}

func TestVectorsOfOtherImplementations(t *testing.T) {
	v := vectors.Load[vectors.ILDCP](t, "ildcp.json")
	check := differences.Check(t)

	at, err := time.Parse(time.RFC3339Nano, v.Request.ExpiresAt)
	if err != nil {
		t.Fatal(err)
	}
	expiry := ilp.MakeTimestamp(at.UnixMilli())
	check.Case("request", differ(bytes.Equal(AppendRequest(nil, &expiry), v.Request.Hex)))
	check.Case("condition", differ(bytes.Equal(v.Condition, ilp.PeerCondition[:])))

	for _, e := range v.Responses {
		c := Config{Address: []byte(e.ClientAddress), AssetScale: e.AssetScale, AssetCode: []byte(e.AssetCode)}
		b, err := AppendResponse(nil, c)
		got, parseErr := ParseResponse(e.Hex)
		check.Case("response/"+e.ClientAddress, differ(err == nil && parseErr == nil && bytes.Equal(b, e.Hex) && same(got, e.ILDCPConfig)))
	}
	for _, e := range v.DecodeResponse {
		got, err := ParseResponse(e.Hex)
		check.Case("decode response/"+e.Name, differ((err == nil) == e.Accepted && same(got, e.Value)))
	}
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).UnixMilli() // between the expiries of the vectors
	for _, e := range v.DecodeRequest {
		p, err := ilp.ParsePrepare(e.Hex)
		if err == nil {
			err = CheckRequest(p, now)
		}
		check.Case("decode request/"+e.Name, differ((err == nil) == e.Accepted))
	}
}

func same(c Config, want vectors.ILDCPConfig) bool {
	return string(c.Address) == want.ClientAddress && c.AssetScale == want.AssetScale && string(c.AssetCode) == want.AssetCode
}

func differ(same bool) string {
	if same {
		return ""
	}
	return "differs"
}

func TestRequestIsRefusedForOneReasonEach(t *testing.T) {
	const now = 1893456000000
	request := func(change func(*ilp.PrepareFields)) ilp.Prepare {
		f := ilp.PrepareFields{Expiry: ilp.MakeTimestamp(now + 1), Condition: ilp.PeerCondition, Destination: []byte(Destination)}
		change(&f)
		b, err := ilp.AppendPrepare(nil, &f)
		if err != nil {
			t.Fatal(err)
		}
		p, err := ilp.ParsePrepare(b)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	for _, c := range []struct {
		name   string
		change func(*ilp.PrepareFields)
		want   error
	}{
		{"as it should be", func(*ilp.PrepareFields) {}, nil},
		{"amount and data do not matter", func(f *ilp.PrepareFields) { f.Amount, f.Data = 5, []byte("x") }, nil},
		{"another address", func(f *ilp.PrepareFields) { f.Destination = []byte("peer.confih") }, ErrDestination},
		{"an address below", func(f *ilp.PrepareFields) { f.Destination = []byte("peer.config.x") }, ErrDestination},
		{"another condition", func(f *ilp.PrepareFields) { f.Condition[31]++ }, ErrCondition},
		{"expires now", func(f *ilp.PrepareFields) { f.Expiry = ilp.MakeTimestamp(now) }, ErrExpired},
	} {
		p := request(c.change)
		if err := CheckRequest(p, now); err != c.want {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
		if IsRequest(p) != (c.want != ErrDestination) {
			t.Errorf("%s: IsRequest is %t", c.name, IsRequest(p))
		}
	}
}

func TestResponseTellsWhatIsWrong(t *testing.T) {
	reject, err := ilp.AppendReject(nil, ilp.F00, nil, []byte("no"), nil)
	if err != nil {
		t.Fatal(err)
	}
	fulfill := func(fulfillment [32]byte, data string) []byte {
		b, err := ilp.AppendFulfill(nil, &fulfillment, []byte(data))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	for _, c := range []struct {
		name string
		in   []byte
		want error
	}{
		{"nothing", nil, ilp.ErrTruncated},
		{"a Reject", reject, ErrRejected},
		{"a Prepare", []byte{12, 0}, ilp.ErrType},
		{"another fulfillment", fulfill([32]byte{1}, "\x03g.a\x09\x00"), ErrFulfillment},
		{"no data", fulfill([32]byte{}, ""), oer.ErrTruncated},
		{"no scale", fulfill([32]byte{}, "\x03g.a"), oer.ErrTruncated},
		{"no code", fulfill([32]byte{}, "\x03g.a\x09"), oer.ErrTruncated},
		{"empty address", fulfill([32]byte{}, "\x00\x09\x00"), ilp.ErrAddress},
		{"length not in its shortest form", fulfill([32]byte{}, "\x81\x03g.a\x09\x00"), oer.ErrLength},
		{"octets behind the last field", fulfill([32]byte{}, "\x03g.a\x09\x00junk"), nil},
	} {
		if _, err := ParseResponse(c.in); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
}

func TestResponseWithoutAnAddressIsNotSent(t *testing.T) {
	if b, err := AppendResponse([]byte("kept"), Config{Address: []byte("nowhere")}); err != ilp.ErrAddress || string(b) != "kept" {
		t.Errorf("%q, %v", b, err)
	}
	if b, err := AppendResponse([]byte("kept"), Config{Address: []byte("g.a"), AssetCode: make([]byte, ilp.MaxData)}); err != ilp.ErrDataLength || string(b) != "kept" {
		t.Errorf("%d octets, %v", len(b), err)
	}
}

func TestRequestNeedsADate(t *testing.T) {
	defer func() {
		if r := recover(); r == nil || fmt.Sprint(r) != "ildcp: "+ilp.ErrTimestamp.Error() {
			t.Errorf("recovered %v", r)
		}
	}()
	AppendRequest(nil, new(ilp.Timestamp))
}
