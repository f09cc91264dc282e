package stream

import (
	"bytes"
	"testing"

	"github.com/millrace-ilp/millrace/codec/frame"
	"github.com/millrace-ilp/millrace/codec/ilp"
	"github.com/millrace-ilp/millrace/codec/receipt"
	"github.com/millrace-ilp/millrace/internal/vectors"
)

func TestReceiptsAgainstVectors(t *testing.T) {
	v := vectors.Load[vectors.Receipts](t, "receipts.json")
	if len(v.Valid) == 0 || len(v.Verify) == 0 {
		t.Fatal("vectors are missing")
	}
	for _, c := range v.Valid {
		secret := [32]byte(c.Secret)
		got := AppendReceipt(nil, (*[16]byte)(c.Nonce), &secret, uint8(c.StreamID), Amount(c.TotalReceived))
		if !bytes.Equal(got, c.Receipt) {
			t.Errorf("stream %d, total %d: %x, not %x", c.StreamID, c.TotalReceived, got, c.Receipt)
		}
		if r, err := VerifyReceipt(got, &secret); err != nil || r.TotalReceived != Amount(c.TotalReceived) {
			t.Errorf("%x: %v", got, err)
		}
		secret[31]++
		if _, err := VerifyReceipt(got, &secret); err != ErrReceipt {
			t.Errorf("under another secret: %v", err)
		}
	}
	secret := [32]byte(v.Valid[0].Secret)
	for _, c := range v.Verify {
		if _, err := VerifyReceipt(c.Receipt, &secret); (err == nil) != (c.Verify == "ok") {
			t.Errorf("%s: %v, the reference says %q", c.Name, err, c.Verify)
		}
	}
}

// payWithReceipts pays over streams whose server signs receipts, and returns the
// world with what the client knows.
func payWithReceipts(t *testing.T, streams int) (*world, ConnHandle, []StreamHandle, *receiptKeys) {
	w := newWorld(t, Options{ReceiveMax: maxAmount}, Config{})
	w.max = 100
	k := &receiptKeys{nonce: [16]byte{1, 2}, secret: [32]byte{3, 4}}
	tokens, _ := NewTokens(testSecret[:])
	segment, secret, err := tokens.Issue(&[30]byte{5}, CredentialOptions{ReceiptNonce: k.nonce[:], ReceiptSecret: k.secret[:]})
	if err != nil {
		t.Fatal(err)
	}
	c, err := w.a.m.Connect(w.now, ConnectConfig{Link: w.a.link, Destination: []byte("test.hub.bob." + segment), SharedSecret: secret})
	if err != nil {
		t.Fatal(err)
	}
	w.run(second)
	var all []StreamHandle
	for range streams {
		s, err := w.a.m.OpenStream(w.now, c)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.a.m.SetSendMax(w.now, s, 1000); err != nil {
			t.Fatal(err)
		}
		all = append(all, s)
	}
	w.run(5 * second)
	return w, c, all, k
}

func TestReceiptsProveWhatEachStreamReceived(t *testing.T) {
	w, _, streams, k := payWithReceipts(t, 3)
	for _, h := range streams {
		info, _ := w.a.m.StreamInfo(h)
		r, err := VerifyReceipt(info.Receipt[:], &k.secret)
		if err != nil || r.TotalReceived != 1000 || uint64(r.StreamID) != info.ID || r.Nonce != k.nonce {
			t.Errorf("stream %d: %v %+v", info.ID, err, r)
		}
	}
}

func TestReceiptThatIsLateOrWrongReplacesNothing(t *testing.T) {
	w, c, streams, k := payWithReceipts(t, 1)
	i, rec, _, err := w.a.m.openStream(streams[0])
	if err != nil {
		t.Fatal(err)
	}
	_ = c
	before := bytes.Clone(w.a.m.receipts.At(w.a.m.coldStreamOf(rec).receipt)[:])
	for _, b := range [][]byte{
		nil, make([]byte, 57), make([]byte, 58),
		AppendReceipt(nil, &k.nonce, &k.secret, 1, 999),
		AppendReceipt(nil, &k.nonce, &k.secret, 2, 5000),
	} {
		w.a.m.takeReceipt(w.a.m.streams.At(i), b)
	}
	if !bytes.Equal(before, w.a.m.receipts.At(w.a.m.coldStreamOf(rec).receipt)[:]) {
		t.Fatal("the receipt was replaced")
	}
}

func TestPaddedPacketsAndRepliesAreAllOfOneSize(t *testing.T) {
	w := newWorld(t, Options{ReceiveMax: maxAmount, Padding: true}, Config{})
	w.max = 100
	sizes := map[int]int{}
	w.hook = func(from *node, e *Entry) bool {
		switch {
		case ilp.PeekType(e.Packet) == ilp.TypeFulfill:
			f, _ := ilp.ParseFulfill(e.Packet)
			sizes[len(f.Data())]++
		case ilp.PeekType(e.Packet) == ilp.TypePrepare && from == w.a:
			if p, _ := ilp.ParsePrepare(e.Packet); w.a.m.Stats().FulfillsIn > 0 || p.Amount() == 100 {
				sizes[len(p.Data())]++
			}
		}
		return true
	}
	c, _ := w.pay(Options{Padding: true, RateNum: 1, RateDen: 1}, 10_000)
	w.books(c, 10_000, 10_000)
	if len(sizes) != 1 || sizes[frame.MaxPlaintext+frame.Overhead] < 200 {
		t.Fatalf("sizes %v", sizes)
	}
}

func TestNoReceiptForStreamsAboveTheHighestNumber(t *testing.T) {
	w := newWorld(t, Options{}, Config{})
	var k receiptKeys
	c := w.connect(Options{})
	i, rec, err := w.a.m.open(c)
	if err != nil {
		t.Fatal(err)
	}
	w.a.m.ownCold(rec).receipts = &k
	for id, want := range map[uint32]int{255: 1, 256: 0, 1001: 0} {
		if _, n := w.a.m.appendReceipt(nil, 0, i, &streamRec{id: id}); n != want {
			t.Errorf("stream %d: %d receipts", id, n)
		}
	}
	if receipt.Len != 58 {
		t.Error("a receipt has 58 octets")
	}
}
