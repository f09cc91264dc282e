package ildcp

import (
	"bytes"
	"testing"

	"github.com/millrace-ilp/millrace/internal/vectors"
)

func FuzzParseResponse(f *testing.F) {
	v := vectors.Load[vectors.ILDCP](f, "ildcp.json")
	for _, e := range v.Responses {
		f.Add([]byte(e.Hex))
	}
	for _, e := range v.DecodeResponse {
		f.Add([]byte(e.Hex))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := ParseResponse(b)
		if err != nil {
			return
		}
		again, err := AppendResponse(nil, c)
		if err != nil {
			t.Fatal(err)
		}
		d, err := ParseResponse(again)
		if err != nil || !bytes.Equal(c.Address, d.Address) || c.AssetScale != d.AssetScale || !bytes.Equal(c.AssetCode, d.AssetCode) {
			t.Errorf("%+v became %+v, %v", c, d, err)
		}
	})
}

func FuzzParseResponseData(f *testing.F) {
	f.Add([]byte("\x03g.a\x09\x03XRP"))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := ParseResponseData(b)
		if err != nil {
			return
		}
		if again := AppendResponseData(nil, c); !bytes.HasPrefix(b, again) {
			t.Errorf("%x is written as %x", b, again)
		}
	})
}
