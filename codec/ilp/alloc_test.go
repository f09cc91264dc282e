package ilp

import "testing"

func TestMoneyPathAllocatesNothing(t *testing.T) {
	prepare := benchPrepare()
	fulfill, _ := AppendFulfill(nil, &PeerFulfillment, make([]byte, 60))
	reject, _ := AppendReject(nil, F99, []byte("g.a"), []byte("why"), make([]byte, 60))
	destination := []byte("test.receiver.token")
	buf, scratch := make([]byte, 0, 1024), make([]byte, 0, 16)
	var fields PrepareFields
	fields.Expiry = MakeTimestamp(1893456000123)
	fields.Destination = destination
	for name, f := range map[string]func(){
		"ParsePrepare": func() {
			p, _ := ParsePrepare(prepare)
			expiry := MakeTimestamp(p.ExpiryUnixMs() - 1000)
			p.SetAmount(p.Amount() - 1)
			p.SetExpiry(&expiry)
			sink += len(p.Condition()) + len(p.Destination()) + len(p.Data())
		},
		"ParseFulfill": func() {
			p, _ := ParseFulfill(fulfill)
			sink += len(p.Fulfillment()) + len(p.Data())
		},
		"ParseReject": func() {
			p, _ := ParseReject(reject)
			sink += int(p.Code().Class()) + len(p.TriggeredBy()) + len(p.Message()) + len(p.Data())
		},
		"refusals": func() {
			_, _ = ParsePrepare(prepare[:50])
			_, _ = ParsePrepare(reject)
			_, _ = ParseReject(reject[:9])
		},
		"PutPrepare": func() {
			expiry := MakeTimestamp(1893456000123)
			b := buf[:PrepareLen(len(destination), 46)]
			condition, data := PutPrepare(b, 7, &expiry, destination, 46)
			sink += len(condition) + len(data)
		},
		"PutFulfill": func() {
			fulfillment, data := PutFulfill(buf[:FulfillLen(46)], 46)
			sink += len(fulfillment) + len(data)
		},
		"PutReject": func() {
			sink += len(PutReject(buf[:RejectLen(len(destination), 0, 46)], F99, destination, nil, 46))
		},
		"Append": func() {
			b, _ := AppendPrepare(buf, &fields)
			b, _ = AppendFulfill(b, &PeerFulfillment, destination)
			b, _ = AppendReject(b, F08, destination, nil, AppendTooLarge(scratch, 1, 2))
			sink += len(b)
		},
	} {
		if n := testing.AllocsPerRun(100, f); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}
