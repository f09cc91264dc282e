package frame

import (
	"bytes"
	"encoding/hex"
	"testing"

	"github.com/millrace-ilp/millrace/codec/ilp"
)

func TestPacketIsBuiltFromHeaderFramesAndCount(t *testing.T) {
	b, countAt := AppendHeader(nil, ilp.TypePrepare, 1, 0)
	b = ConnectionNewAddress{Address: []byte("test.client")}.Append(b)
	b = ConnectionAssetDetails{AssetCode: []byte("XRP"), Scale: 9}.Append(b)
	SetCount(b, countAt, 2)
	const want = "010c010101000102" + "020c0b746573742e636c69656e74" + "07050358525009"
	if hex.EncodeToString(b) != want {
		t.Errorf("%x, want %s", b, want)
	}
	p, err := Parse(append(b, make([]byte, 100)...)) // padding is ignored
	if err != nil || p.Count() != 2 || p.Sequence != 1 || p.PrepareAmount != 0 || p.PacketType != ilp.TypePrepare {
		t.Errorf("%+v, %v", p, err)
	}
}

func TestHeaderMayStandBehindOtherOctets(t *testing.T) {
	b, countAt := AppendHeader([]byte("before"), ilp.TypeReject, 1<<31-1, 1<<64-1)
	SetCount(b, countAt, 255)
	if want := "before\x01\x0e\x04\x7f\xff\xff\xff\x08\xff\xff\xff\xff\xff\xff\xff\xff\x01\xff"; string(b) != want {
		t.Errorf("%q", b)
	}
	for _, n := range []int{256, -1} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("a count of %d fits", n)
				}
			}()
			SetCount(b, countAt, n)
		}()
	}
}

func TestUnreadablePacketsTellWhatIsWrong(t *testing.T) {
	for _, c := range []struct {
		name, in string
		want     error
	}{
		{"nothing", "", ErrTruncated},
		{"version only", "01", ErrTruncated},
		{"version 0", "000c010101000100", ErrVersion},
		{"version 2", "020c010101000100", ErrVersion},
		{"no sequence", "010c", ErrTruncated},
		{"no amount", "010c0101", ErrTruncated},
		{"no count", "010c01010100", ErrTruncated},
		{"sequence of no octets", "010c0001000100", ErrVarUint},
		{"amount of nine octets", "010c0101090100000000000000000100", ErrVarUint},
		{"more frames counted than there", "010c010101000102110401010101", ErrTruncated},
		{"2^64-1 frames counted", "010c0101010008ffffffffffffffff", ErrTruncated},
		{"frame without length", "010c01010100010111", ErrTruncated},
		{"frame longer than the packet", "010c01010100010111050101010a", ErrTruncated},
		{"frame length not in its shortest form", "010c01010100010111810401010101", ErrLength},
		{"unknown frame longer than the packet", "010c0101010001011805aa", ErrTruncated},
		{"field missing in a known frame", "010c0101010001011103010101", ErrTruncated},
		{"known frame that borrows from the next", "010c010101000102" + "1103010101" + "0100", ErrTruncated},
	} {
		in, err := hex.DecodeString(c.in)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Parse(in); err != c.want {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
}

// Every known frame, cut at every octet of its body, makes the packet unreadable;
// with octets behind its last field it reads the same (IL-RFC 0029, "Frames").
func TestKnownFramesAreCheckedToTheLastField(t *testing.T) {
	long := bytes.Repeat([]byte("x"), 200)
	frames := []frameValue{
		ConnectionClose{NoError, long}, ConnectionNewAddress{long}, ConnectionMaxData{1 << 20}, ConnectionDataBlocked{1 << 20},
		ConnectionMaxStreamID{300}, ConnectionStreamIDBlocked{300}, ConnectionAssetDetails{long, 9},
		StreamClose{300, 9, long}, StreamMoney{300, 1 << 40}, StreamMaxMoney{300, 1<<64 - 1, 1 << 40},
		StreamMoneyBlocked{300, 1<<64 - 1, 1 << 40}, StreamData{300, 1 << 40, long}, StreamMaxData{300, 1 << 40},
		StreamDataBlocked{300, 1 << 40}, StreamReceipt{300, long},
	}
	if len(frames) != len(grammar) {
		t.Fatalf("%d frames of %d", len(frames), len(grammar))
	}
	packet := func(typ Type, body []byte) []byte {
		b, countAt := AppendHeader(nil, ilp.TypePrepare, 1, 0)
		b = append(appendHead(b, typ, len(body)), body...)
		SetCount(b, countAt, 1)
		return b
	}
	for _, f := range frames {
		octets := f.Append(nil)
		p, err := Parse(append([]byte{Version, 12, 1, 1, 1, 0, 1, 1}, octets...))
		if err != nil {
			t.Fatal(err)
		}
		it := p.Frames()
		it.Next()
		for n := range it.Body() {
			if _, err := Parse(packet(it.Type(), it.Body()[:n])); err != ErrTruncated {
				t.Errorf("%v, %d octets: %v", it.Type(), n, err)
			}
		}
		more, err := Parse(packet(it.Type(), append(bytes.Clone(it.Body()), "behind"...)))
		if err != nil {
			t.Fatalf("%v with octets behind its fields: %v", it.Type(), err)
		}
		again := more.Frames()
		again.Next()
		if g, _, err := parseBody(again.Type(), again.Body()); err != nil || !bytes.Equal(g.Append(nil), octets) {
			t.Errorf("%v with octets behind its fields: %+v, %v", it.Type(), g, err)
		}
		if it.Next() {
			t.Errorf("%v: a second frame", it.Type())
		}
	}
}

func TestMaxStreamDataFillsTheRoomExactly(t *testing.T) {
	for _, id := range []uint64{1, 300} {
		for _, offset := range []uint64{0, 1 << 40} {
			for room := -1; room < 700; room++ {
				checkRoom(t, id, offset, room)
			}
			for _, room := range []int{MaxPlaintext, 65530, 65535, 65536, 65541, 65545, 65550, 70000} {
				checkRoom(t, id, offset, room)
			}
		}
	}
}

func TestNamesAreThoseOfTheSpecification(t *testing.T) {
	for typ := range grammar {
		if typ.String() == "unknown" {
			t.Errorf("type %d has no name", typ)
		}
	}
	for _, typ := range []Type{0, 8, 0x0f, 0x18, 0xff} {
		if typ.String() != "unknown" {
			t.Errorf("type %d is %v", typ, typ)
		}
	}
	for code, want := range map[ErrorCode]string{
		0: "unknown", NoError: "NoError", StreamIDError: "StreamIdError", ApplicationError: "ApplicationError", 10: "unknown", 255: "unknown",
	} {
		if code.String() != want {
			t.Errorf("code %d is %v", code, code)
		}
	}
}
