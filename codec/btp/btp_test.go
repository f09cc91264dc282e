package btp

import (
	"bytes"
	"encoding/hex"
	"math"
	"strings"
	"testing"

	"github.com/millrace-ilp/millrace/codec/ilp"
)

func TestAuthIsWrittenAsDeployedClientsDo(t *testing.T) {
	// These octets are those of the JavaScript client for alice and for nobody.
	for _, c := range []struct{ username, token, want string }{
		{"alice", "shh_its_a_secret", "06000000013b0103046175746800000d617574685f757365726e616d650105616c6963650a617574685f746f6b656e01107368685f6974735f615f736563726574"},
		{"", "", "0600000001260103046175746800000d617574685f757365726e616d6501000a617574685f746f6b656e0100"},
	} {
		if got := AppendAuth(nil, 1, c.username, c.token); hex.EncodeToString(got) != c.want {
			t.Errorf("%q: %x", c.username, got)
		}
	}
}

func TestILPIsFoundWhereverItStands(t *testing.T) {
	packet := []byte("an ILP packet")
	other := SubProtocol{Name: []byte("custom"), ContentType: JSON, Data: []byte("{}")}
	inner := SubProtocol{Name: []byte("ilp"), Data: packet}
	for _, c := range []struct {
		name string
		subs []SubProtocol
		ilp  bool
		fast bool
	}{
		{"alone", []SubProtocol{inner}, true, true},
		{"first", []SubProtocol{inner, other}, true, false},
		{"last", []SubProtocol{other, inner}, true, false},
		{"not there", []SubProtocol{other}, false, false},
		{"nothing there", nil, false, false},
		{"with another content type", []SubProtocol{{Name: []byte("ilp"), ContentType: TextPlain, Data: packet}}, true, false},
	} {
		for _, b := range [][]byte{AppendMessage(nil, 77, c.subs...), AppendResponse(nil, 77, c.subs...)} {
			p, err := Parse(b)
			if err != nil || p.RequestID() != 77 || p.Count() != len(c.subs) {
				t.Fatalf("%s: %v, %d", c.name, err, p.RequestID())
			}
			got, ok := p.ILP()
			if ok != c.ilp || ok && !bytes.Equal(got, packet) {
				t.Errorf("%s: ILP() = %q, %t", c.name, got, ok)
			}
			typ, id, got, ok := ParseILP(b)
			if ok != c.fast || ok && (typ != p.Type() || id != 77 || !bytes.Equal(got, packet)) {
				t.Errorf("%s: ParseILP = %v, %d, %q, %t", c.name, typ, id, got, ok)
			}
			primary, ok := p.Primary()
			if ok != (len(c.subs) > 0) || ok && !bytes.Equal(primary.Name, c.subs[0].Name) {
				t.Errorf("%s: Primary() = %q, %t", c.name, primary.Name, ok)
			}
		}
		if _, _, _, ok := ParseILP(AppendTransfer(nil, 77, 5, c.subs...)); ok {
			t.Errorf("%s: ParseILP takes a Transfer", c.name)
		}
	}
}

func TestPutILPWritesWhatAppendMessageWrites(t *testing.T) {
	for _, n := range []int{0, 1, 118, 119, 120, 121, 127, 128, 129, 246, 247, 248, 255, 256, 257, 300, 32767, ilp.MaxPrepareLen, 70000} {
		packet := bytes.Repeat([]byte{0xda}, n)
		want := AppendMessage(nil, 1<<31, SubProtocol{Name: []byte("ilp"), Data: packet})
		got := make([]byte, ILPLen(n))
		region := PutILP(got, TypeMessage, 1<<31, n)
		copy(region, packet)
		if !bytes.Equal(got, want) || cap(region) != n {
			t.Errorf("%d octets: %x, want %x", n, got[:20], want[:20])
		}
		if typ, id, back, ok := ParseILP(got); typ != TypeMessage || id != 1<<31 || !bytes.Equal(back, packet) || !ok {
			t.Errorf("%d octets: %v, %d, %t", n, typ, id, ok)
		}
	}
}

// IL-RFC 0023, "Error": GeneralizedTime without trailing zeros. Three digits are
// what every implementation reads.
func TestTriggeredAtIsReadWithUpToThreeDigitsAndWrittenWithThree(t *testing.T) {
	const second = 1503945120000 // 2017-08-28T18:32:00Z
	for _, c := range []struct {
		text string
		want int64
	}{
		{"20170828183200Z", second},
		{"20170828183200.1Z", second + 100},
		{"20170828183200.12Z", second + 120},
		{"20170828183200.123Z", second + 123},
		{"20170828183200.1234Z", NoTime},
		{"20170828183200.Z", NoTime},
		{"20170828183200", NoTime},
		{"20170828183200.123", NoTime},
		{"20170828183200,123Z", NoTime},
		{"20171328183200Z", NoTime},
		{"2017082818320Z", NoTime},
		{"yesterday", NoTime},
		{"Z", NoTime},
		{"", NoTime},
	} {
		if got := parseTime([]byte(c.text)); got != c.want {
			t.Errorf("%q: %d, want %d", c.text, got, c.want)
		}
	}
	for ms, want := range map[int64]string{second: "20170828183200.000Z", second + 120: "20170828183200.120Z", NoTime: "19700101000000.000Z"} {
		b := AppendError(nil, 3, ErrorFields{Code: CodeNotAccepted, Name: []byte(NameNotAccepted), TriggeredAtUnixMs: ms})
		if !strings.Contains(string(b), "\x13"+want) {
			t.Errorf("%d: %q", ms, b)
		}
	}
}

func TestErrorDataIsCutOnOutputAndTakenOnInput(t *testing.T) {
	b := AppendError(nil, 3, ErrorFields{Code: CodeUnreachable, Name: []byte(NameUnreachable), Data: make([]byte, MaxErrorData+1)})
	p, err := Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	if f, ok := p.ErrorFields(); !ok || f.Code != ilp.T00 || string(f.Name) != NameUnreachable || len(f.Data) != MaxErrorData {
		t.Errorf("%v %q %d octets", f.Code, f.Name, len(f.Data))
	}

	long := AppendMessage(nil, 3)[:headerLen]
	long[0] = byte(TypeError)
	contents := append([]byte("F00\x00\x00\x82\x40\x00"), make([]byte, 0x4000)...)
	contents = append(contents, 1, 0)
	long = append(long, 0x82, byte(len(contents)>>8), byte(len(contents)))
	p, err = Parse(append(long, contents...))
	if err != nil {
		t.Fatal(err)
	}
	if f, _ := p.ErrorFields(); len(f.Data) != 0x4000 || f.TriggeredAtUnixMs != NoTime {
		t.Errorf("%d octets, %d", len(f.Data), f.TriggeredAtUnixMs)
	}
}

func TestFieldsOfOtherTypesAreAbsent(t *testing.T) {
	p, err := Parse(AppendMessage(nil, 1))
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := p.ErrorFields(); ok || p.Amount() != 0 {
		t.Error("a Message has the fields of an Error or a Transfer")
	}
	if _, ok := p.Primary(); ok {
		t.Error("an empty list has a primary sub-protocol")
	}
}

func TestBrokenPacketsTellWhatIsWrong(t *testing.T) {
	header := func(typ byte, contents string) string {
		return string([]byte{typ, 0, 0, 0, 1, byte(len(contents))}) + contents
	}
	for _, c := range []struct {
		name, in string
		want     error
	}{
		{"nothing", "", ErrTruncated},
		{"request id cut short", "\x06\x00\x00\x00", ErrTruncated},
		{"no length", "\x06\x00\x00\x00\x01", ErrTruncated},
		{"type 0", header(0, "\x01\x00"), ErrType},
		{"type 3 of BTP 1", header(3, "\x01\x00"), ErrType},
		{"type 4 of BTP 1", header(4, "\x01\x00"), ErrType},
		{"type 5 of BTP 1", header(5, "\x01\x00"), ErrType},
		{"type 8", header(8, "\x01\x00"), ErrType},
		{"no count", header(6, ""), ErrTruncated},
		{"count without octets", header(6, "\x00"), ErrVarUint},
		{"count of nine octets", header(6, "\x09\x00\x00\x00\x00\x00\x00\x00\x00\x01"), ErrVarUint},
		{"count of 2^64-1", header(6, "\x08\xff\xff\xff\xff\xff\xff\xff\xff"), ErrTruncated},
		{"no content type", header(6, "\x01\x01\x01a"), ErrTruncated},
		{"no data", header(6, "\x01\x01\x01a\x00"), ErrTruncated},
		{"long form of a short length", header(6, "\x01\x01\x81\x01a\x00\x00"), ErrLength},
		{"amount cut short", header(7, "\x00\x00\x00\x01"), ErrTruncated},
		{"amount without list", header(7, "\x00\x00\x00\x00\x00\x00\x00\x01"), ErrTruncated},
		{"error code cut short", header(2, "F0"), ErrTruncated},
		{"error without data", header(2, "F00\x00\x00"), ErrTruncated},
		{"error without list", header(2, "F00\x00\x00\x00"), ErrTruncated},
		{"octets behind the list", header(6, "\x01\x00junk"), nil},
		{"octets behind the packet", header(6, "\x01\x00") + "junk", nil},
	} {
		if _, err := Parse([]byte(c.in)); err != c.want {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
		if _, _, _, ok := ParseILP([]byte(c.in)); ok {
			t.Errorf("%s: ParseILP takes it", c.name)
		}
	}
}

func TestWalkMayStopEarly(t *testing.T) {
	p, err := Parse(AppendMessage(nil, 1, SubProtocol{Name: []byte("a")}, SubProtocol{Name: []byte("b")}))
	if err != nil {
		t.Fatal(err)
	}
	for s := range p.SubProtocols() {
		if string(s.Name) != "a" {
			t.Errorf("%q", s.Name)
		}
		break
	}
	if s, ok := p.Find("b"); !ok || string(s.Name) != "b" {
		t.Errorf("%q, %t", s.Name, ok)
	}
	if _, ok := p.Find("c"); ok {
		t.Error("found what is not there")
	}
}

func TestTransferCarriesItsAmount(t *testing.T) {
	p, err := Parse(AppendTransfer(nil, 9, math.MaxUint64, SubProtocol{Name: []byte("claim"), ContentType: JSON, Data: []byte("{}")}))
	if err != nil || p.Type() != TypeTransfer || p.Amount() != math.MaxUint64 || p.Count() != 1 {
		t.Errorf("%v %v %d", err, p.Type(), p.Amount())
	}
}

func TestTypesHaveNames(t *testing.T) {
	for typ, want := range map[Type]string{TypeResponse: "Response", TypeError: "Error", TypeMessage: "Message", TypeTransfer: "Transfer", 3: "invalid"} {
		if typ.String() != want {
			t.Errorf("%d is %s", typ, typ)
		}
	}
}
