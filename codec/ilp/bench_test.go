package ilp

import "testing"

// benchPrepare is a Prepare as STREAM sends them: an address with a token, and
// an encrypted packet with one StreamMoney frame.
func benchPrepare() []byte {
	expiry := MakeTimestamp(1893456000123)
	b, err := AppendPrepare(nil, &PrepareFields{
		Amount:      1000,
		Expiry:      expiry,
		Destination: []byte("test.millrace.receiver.AbCdEfGhIjKlMnOpQrStUvWxYz0123456789_-AbCdEf"),
		Data:        make([]byte, 46),
	})
	if err != nil {
		panic(err)
	}
	return b
}

var sink int

func BenchmarkParsePrepare(b *testing.B) {
	packet := benchPrepare()
	b.ReportAllocs()
	for b.Loop() {
		p, err := ParsePrepare(packet)
		if err != nil {
			b.Fatal(err)
		}
		sink += len(p.Data()) + int(p.Amount())
	}
	b.SetBytes(int64(len(packet)))
}

func BenchmarkPutPrepare(b *testing.B) {
	p, err := ParsePrepare(benchPrepare())
	if err != nil {
		b.Fatal(err)
	}
	expiry := MakeTimestamp(p.ExpiryUnixMs())
	buf := make([]byte, PrepareLen(len(p.Destination()), 46))
	b.ReportAllocs()
	for b.Loop() {
		condition, data := PutPrepare(buf, 1000, &expiry, p.Destination(), 46)
		sink += len(condition) + len(data)
	}
	b.SetBytes(int64(len(buf)))
}

func BenchmarkParseFulfill(b *testing.B) {
	packet, err := AppendFulfill(nil, &PeerFulfillment, make([]byte, 60))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		f, err := ParseFulfill(packet)
		if err != nil {
			b.Fatal(err)
		}
		sink += len(f.Data())
	}
}

func BenchmarkPutFulfill(b *testing.B) {
	buf := make([]byte, FulfillLen(60))
	b.ReportAllocs()
	for b.Loop() {
		fulfillment, data := PutFulfill(buf, 60)
		sink += len(fulfillment) + len(data)
	}
}

func BenchmarkParseReject(b *testing.B) {
	packet, err := AppendReject(nil, F99, []byte("test.millrace.receiver"), nil, make([]byte, 60))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		r, err := ParseReject(packet)
		if err != nil {
			b.Fatal(err)
		}
		sink += len(r.Data())
	}
}

func BenchmarkCheckAddress(b *testing.B) {
	p, err := ParsePrepare(benchPrepare())
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if CheckAddress(p.Destination()) != nil {
			b.Fatal("refused")
		}
	}
	b.SetBytes(int64(len(p.Destination())))
}

func BenchmarkMakeTimestamp(b *testing.B) {
	ms := int64(1893456000123)
	for b.Loop() {
		t := MakeTimestamp(ms)
		sink += int(t[16])
		ms++
	}
}

func BenchmarkParseTimestamp(b *testing.B) {
	t := MakeTimestamp(1893456000123)
	for b.Loop() {
		ms, err := ParseTimestamp(t[:])
		if err != nil {
			b.Fatal(err)
		}
		sink += int(ms)
	}
}
