package ilp

import (
	"bytes"
	"crypto/sha256"
	"strings"
	"testing"
)

func samplePrepare(t *testing.T, data int) []byte {
	t.Helper()
	b, err := AppendPrepare(nil, &PrepareFields{
		Amount:      107,
		Expiry:      MakeTimestamp(1893456000123),
		Condition:   sha256.Sum256(nil),
		Destination: []byte("example.alice"),
		Data:        bytes.Repeat([]byte{0xda}, data),
	})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestPrepareReadsEveryField(t *testing.T) {
	b := samplePrepare(t, 200)
	p, err := ParsePrepare(b)
	if err != nil {
		t.Fatal(err)
	}
	condition := sha256.Sum256(nil)
	if p.Amount() != 107 || p.ExpiryUnixMs() != 1893456000123 || !bytes.Equal(p.Condition(), condition[:]) ||
		string(p.Destination()) != "example.alice" || !bytes.Equal(p.Data(), bytes.Repeat([]byte{0xda}, 200)) {
		t.Errorf("%d %d %x %q %x", p.Amount(), p.ExpiryUnixMs(), p.Condition(), p.Destination(), p.Data())
	}
}

func TestForwarderRewritesAmountAndExpiryAndNothingElse(t *testing.T) {
	b := samplePrepare(t, 200)
	before := bytes.Clone(b)
	p, err := ParsePrepare(b)
	if err != nil {
		t.Fatal(err)
	}
	expiry := MakeTimestamp(1893456000123 - 1000)
	p.SetAmount(1<<64 - 1)
	p.SetExpiry(&expiry)

	again, err := ParsePrepare(b)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range []Prepare{p, again} {
		if p.Amount() != 1<<64-1 || p.ExpiryUnixMs() != 1893456000123-1000 {
			t.Errorf("%d, %d", p.Amount(), p.ExpiryUnixMs())
		}
	}
	const start = 1 + 3 // type and length
	if !bytes.Equal(b[:start], before[:start]) || !bytes.Equal(b[start+conditionAt:], before[start+conditionAt:]) {
		t.Errorf("%x\n%x", before, b)
	}

	var junk Timestamp
	p.SetExpiry(&junk)
	if p.ExpiryUnixMs() != 0 {
		t.Errorf("an expiry that is no date counts as %d", p.ExpiryUnixMs())
	}
}

func TestPacketsTellWhatIsWrong(t *testing.T) {
	expiry := "20300101000000000"
	condition := strings.Repeat("c", 32)
	prepare := func(expiry, rest string) string {
		c := "\x00\x00\x00\x00\x00\x00\x00\x01" + expiry + condition + rest
		return "\x0c" + string([]byte{byte(len(c))}) + c
	}
	long := samplePrepare(t, MaxData)
	tooLong := append(bytes.Clone(long[:len(long)-MaxData-3]), 0x82, 0x80, 0x01)
	tooLong = append(tooLong, make([]byte, 0x8001)...)
	tooLong[3] += 2 // the envelope grows by as much

	for _, c := range []struct {
		name string
		in   string
		want error
	}{
		{"nothing", "", ErrTruncated},
		{"type only", "\x0c", ErrTruncated},
		{"another type", "\x0d\x00", ErrType},
		{"long form of a short length (IL-RFC 0030)", "\x0c\x81\x05aaaaa", ErrLength},
		{"contents end before the destination", "\x0c\x05aaaaa", ErrTruncated},
		{"expiry is no date", prepare("20301301000000000", "\x03g.a\x00"), ErrTimestamp},
		{"no destination", prepare(expiry, ""), ErrTruncated},
		{"empty destination", prepare(expiry, "\x00\x00"), ErrAddress},
		{"destination without segment", prepare(expiry, "\x02g.\x00"), ErrAddress},
		{"destination cut short", prepare(expiry, "\x09g.a\x00"), ErrTruncated},
		{"no data", prepare(expiry, "\x03g.a"), ErrTruncated},
		{"data cut short", prepare(expiry, "\x03g.a\x05aa"), ErrTruncated},
		{"data of 2^63 octets", prepare(expiry, "\x03g.a\x88\x80\x00\x00\x00\x00\x00\x00\x00"), ErrTruncated},
		{"data of 32768 octets", string(tooLong), ErrDataLength},
		{"data of 32767 octets", string(long), nil},
		{"as it should be", prepare(expiry, "\x03g.a\x00"), nil},
		{"octets behind the last field", prepare(expiry, "\x03g.a\x00junk"), nil},
		{"octets behind the packet", prepare(expiry, "\x03g.a\x00") + "junk", nil},
	} {
		if _, err := ParsePrepare([]byte(c.in)); err != c.want {
			t.Errorf("Prepare, %s: %v, want %v", c.name, err, c.want)
		}
	}

	for _, c := range []struct {
		name string
		in   string
		want error
	}{
		{"no fulfillment", "\x0d\x05aaaaa", ErrTruncated},
		{"no data", "\x0d\x20" + condition, ErrTruncated},
		{"another type", "\x0e\x21" + condition + "\x00", ErrType},
		{"data of 32768 octets", "\x0d\x82\x80\x23" + condition + "\x82\x80\x00" + strings.Repeat("d", 0x8000), ErrDataLength},
		{"as it should be", "\x0d\x21" + condition + "\x00", nil},
	} {
		if _, err := ParseFulfill([]byte(c.in)); err != c.want {
			t.Errorf("Fulfill, %s: %v, want %v", c.name, err, c.want)
		}
	}

	for _, c := range []struct {
		name string
		in   string
		want error
	}{
		{"code cut short", "\x0e\x02F0", ErrTruncated},
		{"nothing behind the code", "\x0e\x03F00", ErrTruncated},
		{"no message", "\x0e\x04F00\x00", ErrTruncated},
		{"no data", "\x0e\x05F00\x00\x00", ErrTruncated},
		{"another type", "\x0c\x06F00\x00\x00\x00", ErrType},
		{"triggered by no address", "\x0e\x07F00\x01g\x00\x00", ErrAddress},
		{"data of 32768 octets", "\x0e\x82\x80\x08F00\x00\x00\x82\x80\x00" + strings.Repeat("d", 0x8000), ErrDataLength},
		{"triggered by nobody", "\x0e\x06F00\x00\x00\x00", nil},
		{"unknown code", "\x0e\x06\x00\xff?\x00\x00\x00", nil},
		{"message not UTF-8", "\x0e\x08F00\x00\x02\xff\xfe\x00", nil},
		{"message over 8191 octets", "\x0e\x82\x20\x08F00\x00\x82\x20\x00" + strings.Repeat("m", 0x2000) + "\x00", nil},
	} {
		if _, err := ParseReject([]byte(c.in)); err != c.want {
			t.Errorf("Reject, %s: %v, want %v", c.name, err, c.want)
		}
	}
}

func TestEveryPrefixOfAPacketIsTruncated(t *testing.T) {
	prepare := samplePrepare(t, 300)
	fulfill, _ := AppendFulfill(nil, &PeerFulfillment, make([]byte, 300))
	reject, _ := AppendReject(nil, F99, []byte("g.a"), []byte("why"), make([]byte, 300))
	for n := range prepare {
		if _, err := ParsePrepare(prepare[:n]); err != ErrTruncated {
			t.Errorf("Prepare, %d octets: %v", n, err)
		}
	}
	for n := range fulfill {
		if _, err := ParseFulfill(fulfill[:n]); err != ErrTruncated {
			t.Errorf("Fulfill, %d octets: %v", n, err)
		}
	}
	for n := range reject {
		if _, err := ParseReject(reject[:n]); err != ErrTruncated {
			t.Errorf("Reject, %d octets: %v", n, err)
		}
	}
}

func TestWhatMayNotBeSentIsRefused(t *testing.T) {
	good := PrepareFields{Expiry: MakeTimestamp(0), Destination: []byte("g.a"), Data: make([]byte, MaxData)}
	dst := []byte("kept")
	noDate, noAddress, tooLong := good, good, good
	noDate.Expiry = Timestamp{}
	noAddress.Destination = nil
	tooLong.Data = make([]byte, MaxData+1)
	for _, c := range []struct {
		name string
		f    PrepareFields
		want error
	}{{"good", good, nil}, {"no date", noDate, ErrTimestamp}, {"no address", noAddress, ErrAddress}, {"too long", tooLong, ErrDataLength}} {
		b, err := AppendPrepare(dst, &c.f)
		if err != c.want || err != nil && string(b) != "kept" {
			t.Errorf("AppendPrepare, %s: %v, %d octets", c.name, err, len(b))
		}
	}
	if b, err := AppendFulfill(dst, &PeerFulfillment, make([]byte, MaxData+1)); err != ErrDataLength || string(b) != "kept" {
		t.Errorf("AppendFulfill: %v", err)
	}
	for _, c := range []struct {
		code                       Code
		triggeredBy, message, data int
		want                       error
	}{
		{F00, 0, MaxMessage, MaxData, nil},
		{Code{'Z', '0', '0'}, 0, 0, 0, ErrCode},
		{F00, 1, 0, 0, ErrAddress},
		{F00, 0, MaxMessage + 1, 0, ErrMessageLength},
		{F00, 0, 0, MaxData + 1, ErrDataLength},
	} {
		b, err := AppendReject(dst, c.code, make([]byte, c.triggeredBy), make([]byte, c.message), make([]byte, c.data))
		if err != c.want || err != nil && string(b) != "kept" {
			t.Errorf("AppendReject %+v: %v, %d octets", c, err, len(b))
		}
	}
}

func TestLargestPacketsHaveTheirForetoldLengths(t *testing.T) {
	if n := PrepareLen(MaxAddress, MaxData); n != MaxPrepareLen {
		t.Errorf("Prepare: %d", n)
	}
	if n := FulfillLen(MaxData); n != MaxFulfillLen {
		t.Errorf("Fulfill: %d", n)
	}
	if n := RejectLen(MaxAddress, MaxMessage, MaxData); n != MaxRejectLen {
		t.Errorf("Reject: %d", n)
	}
	address := []byte("g." + strings.Repeat("a", MaxAddress-2))
	b, err := AppendPrepare(nil, &PrepareFields{Expiry: MakeTimestamp(0), Destination: address, Data: make([]byte, MaxData)})
	if err != nil || len(b) != MaxPrepareLen {
		t.Fatalf("%d octets, %v", len(b), err)
	}
	if p, err := ParsePrepare(b); err != nil || len(p.Data()) != MaxData || len(p.Destination()) != MaxAddress {
		t.Errorf("%v", err)
	}
	b, err = AppendReject(nil, T00, address, make([]byte, MaxMessage), make([]byte, MaxData))
	if err != nil || len(b) != MaxRejectLen {
		t.Fatalf("%d octets, %v", len(b), err)
	}
	if r, err := ParseReject(b); err != nil || len(r.Data()) != MaxData || len(r.Message()) != MaxMessage {
		t.Errorf("%v", err)
	}
}

// PutX and AppendX write the same, whatever the lengths do to the prefixes.
func TestInPlaceWritersLeaveExactlyTheirRegionsOpen(t *testing.T) {
	address := []byte("example.alice")
	expiry := MakeTimestamp(1893456000123)
	for _, n := range []int{0, 1, 45, 46, 47, 48, 90, 91, 92, 127, 128, 129, 150, 200, 255, 256, 257, 1000, MaxData} {
		data := bytes.Repeat([]byte{0xda}, n)
		condition := sha256.Sum256(data)

		want, err := AppendPrepare(nil, &PrepareFields{Amount: 5, Expiry: expiry, Condition: condition, Destination: address, Data: data})
		if err != nil {
			t.Fatal(err)
		}
		got := make([]byte, PrepareLen(len(address), n))
		c, d := PutPrepare(got, 5, &expiry, address, n)
		copy(d, data)
		copy(c, condition[:])
		if !bytes.Equal(got, want) || cap(c) != 32 || cap(d) != n {
			t.Errorf("PutPrepare(%d): %x, want %x", n, got, want)
		}

		want, err = AppendFulfill(nil, &condition, data)
		if err != nil {
			t.Fatal(err)
		}
		got = make([]byte, FulfillLen(n))
		c, d = PutFulfill(got, n)
		copy(d, data)
		copy(c, condition[:])
		if !bytes.Equal(got, want) || cap(c) != 32 || cap(d) != n {
			t.Errorf("PutFulfill(%d): %x, want %x", n, got, want)
		}

		want, err = AppendReject(nil, F99, address, []byte("why"), data)
		if err != nil {
			t.Fatal(err)
		}
		got = make([]byte, RejectLen(len(address), 3, n))
		d = PutReject(got, F99, address, []byte("why"), n)
		copy(d, data)
		if !bytes.Equal(got, want) || cap(d) != n {
			t.Errorf("PutReject(%d): %x, want %x", n, got, want)
		}
	}
}

func TestWritersPanicWithoutRoom(t *testing.T) {
	expiry := MakeTimestamp(0)
	for name, write := range map[string]func(){
		"Prepare": func() { PutPrepare(make([]byte, PrepareLen(3, 9)-1), 1, &expiry, []byte("g.a"), 9) },
		"Fulfill": func() { PutFulfill(make([]byte, FulfillLen(9)-1), 9) },
		"Reject":  func() { PutReject(make([]byte, RejectLen(3, 0, 9)-1), F00, []byte("g.a"), nil, 9) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			write()
		}()
	}
}

func TestCodes(t *testing.T) {
	for _, c := range []struct {
		text  string
		ok    bool
		class byte
	}{
		{"F00", true, 'F'}, {"T99", true, 'T'}, {"R42", true, 'R'},
		{"Z00", false, 0}, {"f00", false, 0}, {"F0", false, 0}, {"F000", false, 0}, {"F0x", false, 0}, {"Fx0", false, 0}, {"", false, 0},
	} {
		code, err := ParseCode(c.text)
		fromOctets, errOctets := ParseCode([]byte(c.text))
		if (err == nil) != c.ok || err != errOctets || code != fromOctets || code.Class() != c.class {
			t.Errorf("ParseCode(%q) = %v, %v, class %q", c.text, code, err, code.Class())
		}
		if c.ok && code.String() != c.text {
			t.Errorf("%q is written as %q", c.text, code)
		}
	}
	for _, c := range []Code{F00, F01, F02, F03, F04, F05, F06, F07, F08, F99, T00, T01, T02, T03, T04, T05, T99, R00, R01, R02, R99} {
		if parsed, err := ParseCode(c.String()); parsed != c || err != nil || c.Name() == "" {
			t.Errorf("%v: %v, %v, %q", c, parsed, err, c.Name())
		}
	}
	odd := Code{0, 'A', 0xff}
	if odd.String() != "?A?" || odd.Name() != "" {
		t.Errorf("%q, %q", odd.String(), odd.Name())
	}
}

func TestTooLargeDataMayBeMissing(t *testing.T) {
	for n := range 16 {
		if _, _, ok := ParseTooLarge(make([]byte, n)); ok {
			t.Errorf("%d octets are accepted", n)
		}
	}
	received, maximum, ok := ParseTooLarge(append(AppendTooLarge(nil, 1<<63, 100), 1, 2, 3))
	if received != 1<<63 || maximum != 100 || !ok {
		t.Errorf("%d, %d, %t", received, maximum, ok)
	}
}

func TestPeekType(t *testing.T) {
	if PeekType(nil) != 0 || PeekType([]byte{12}) != TypePrepare || PeekType([]byte{200}) != 200 {
		t.Error("wrong")
	}
	for typ, want := range map[PacketType]string{TypePrepare: "Prepare", TypeFulfill: "Fulfill", TypeReject: "Reject", 0: "invalid"} {
		if typ.String() != want {
			t.Errorf("%d is %s", typ, typ)
		}
	}
}
