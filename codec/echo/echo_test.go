package echo

import (
	"bytes"
	"errors"
	"testing"

	"github.com/millrace-ilp/millrace/codec/ilp"
	"github.com/millrace-ilp/millrace/codec/oer"
)

func TestRequestsCarryTheirSource(t *testing.T) {
	data, err := AppendRequestData([]byte("x"), []byte("g.sender"))
	if want := "xECHOECHOECHOECHO\x00\x08g.sender"; err != nil || string(data) != want {
		t.Fatalf("%q, %v, want %q", data, err, want)
	}
	source, err := ParseRequestData(append(data[1:], "behind"...))
	if err != nil || string(source) != "g.sender" {
		t.Errorf("source %q, %v", source, err)
	}
	if !IsRequest(data[1:]) || IsResponse(data[1:]) {
		t.Error("a request is taken for something else")
	}
}

func TestResponsesAreTold(t *testing.T) {
	data := AppendResponseData([]byte("x"))
	if want := "xECHOECHOECHOECHO\x01"; string(data) != want || len(data)-1 != ResponseLen {
		t.Fatalf("%q, want %q", data, want)
	}
	if !IsResponse(data[1:]) || IsRequest(data[1:]) {
		t.Error("a response is taken for something else")
	}
}

func TestWhatIsNoRequestIsRefused(t *testing.T) {
	for _, c := range []struct {
		data string
		want error
	}{
		{"", ErrNotEcho},
		{"ECHOECHOECHOECHO", ErrNotEcho},
		{"ECHOECHOECHOECHO\x01\x08g.sender", ErrNotEcho},
		{"echoechoechoecho\x00\x08g.sender", ErrNotEcho},
		{"ECHOECHOECHOECHO\x00", oer.ErrTruncated},
		{"ECHOECHOECHOECHO\x00\x09g.sender", oer.ErrTruncated},
		{"ECHOECHOECHOECHO\x00\x08g sender", ilp.ErrAddress},
		{"ECHOECHOECHOECHO\x00\x00", ilp.ErrAddress},
	} {
		if _, err := ParseRequestData([]byte(c.data)); !errors.Is(err, c.want) {
			t.Errorf("%q: %v, want %v", c.data, err, c.want)
		}
	}
	if data, err := AppendRequestData([]byte("x"), []byte("no address")); !errors.Is(err, ilp.ErrAddress) || string(data) != "x" {
		t.Errorf("a bad source: %q, %v", data, err)
	}
}

func FuzzParseRequestData(f *testing.F) {
	f.Add([]byte("ECHOECHOECHOECHO\x00\x08g.sender"))
	f.Fuzz(func(t *testing.T, b []byte) {
		source, err := ParseRequestData(b)
		if err != nil {
			return
		}
		again, err := AppendRequestData(nil, source)
		if err != nil {
			t.Fatal(err)
		}
		if s, err := ParseRequestData(again); err != nil || !bytes.Equal(s, source) {
			t.Errorf("%q became %q, %v", source, s, err)
		}
	})
}
