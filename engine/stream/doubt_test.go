package stream

import (
	"testing"

	"github.com/millrace-ilp/millrace/codec/frame"
	"github.com/millrace-ilp/millrace/codec/ilp"
)

// What is sent must be what has arrived, whatever part of a packet in doubt the
// receiver's totals leave over.
func TestTotalBetweenTwoPacketsIsTakenOfOne(t *testing.T) {
	for _, arrived := range []Amount{1, 99, 150, 250, 299} { // of packets 4 to 6, of 100 each
		var total Amount
		r := doubtful(t, 4, 6, func(a *probeAnswer, n int) []byte {
			if n == 7 {
				total += arrived
			}
			if a.fulfillable {
				total += a.prepare.Amount()
			}
			return a.fulfill(frame.StreamMaxMoney{StreamID: 1, ReceiveMax: maxAmount, TotalReceived: total})
		})
		info, _ := r.m.ConnInfo(r.conn)
		if info.Sent != 1000 || info.Delivered != 1000 || total != 1000 || info.Held != 0 || info.Unknown != 0 {
			t.Errorf("%d arrived: sent %d, delivered %d, held %d; the receiver has %d", arrived, info.Sent, info.Delivered, info.Held, total)
		}
	}
}

// paysThree is a client that pays over three streams; its money packets first to
// last are lost before or behind the receiver.
func paysThree(t *testing.T, first, last int, arrive bool) (r *probeReceiver, streams []StreamHandle, totals map[uint64]Amount) {
	t.Helper()
	r = newProbeClient(t, Config{}, Options{MaxPacketAmount: 90, Expiry: 5e9})
	totals = map[uint64]Amount{}
	n := 0
	r.script = func(a *probeAnswer, _ int) []byte {
		amount := a.prepare.Amount()
		lost := false
		if amount > 0 {
			n++
			lost = n >= first && n <= last
		}
		var shares uint64
		var ids, parts []uint64
		var tell []appender
		for it := a.packet.Frames(); it.Next(); {
			switch it.Type() {
			case frame.TypeStreamMoney:
				f, _ := frame.ParseStreamMoney(it.Body())
				shares += f.Shares
				ids, parts = append(ids, f.StreamID), append(parts, f.Shares)
			case frame.TypeStreamMoneyBlocked:
				f, _ := frame.ParseStreamMoneyBlocked(it.Body())
				ids, parts = append(ids, f.StreamID), append(parts, 0)
			}
		}
		for k, id := range ids {
			if shares > 0 && (!lost || arrive) {
				totals[id] += Amount(uint64(amount) * parts[k] / shares) // they always divide
			}
			tell = append(tell, frame.StreamMaxMoney{StreamID: id, ReceiveMax: maxAmount, TotalReceived: totals[id]})
		}
		if lost {
			return []byte{}
		}
		return a.fulfill(tell...)
	}
	streams = []StreamHandle{r.stream}
	for range 2 {
		s, err := r.m.OpenStream(r.now, r.conn)
		if err != nil {
			t.Fatal(err)
		}
		streams = append(streams, s)
	}
	for _, s := range streams {
		if err := r.m.SetSendMax(r.now, s, 300); err != nil {
			t.Fatal(err)
		}
	}
	return r, streams, totals
}

func TestPacketOfManyStreamsInDoubtIsSettledForEachOfThem(t *testing.T) {
	for _, arrive := range []bool{false, true} {
		r, streams, totals := paysThree(t, 3, 5, arrive)
		r.run(60 * second)
		for k, s := range streams {
			info, _ := r.m.StreamInfo(s)
			if info.Sent != 300 || info.Delivered != 300 || totals[info.ID] != 300 || info.Held != 0 || info.Unknown != 0 {
				t.Errorf("arrived %v, stream %d: %+v, the receiver has %d", arrive, k, info, totals[info.ID])
			}
		}
		if info, _ := r.m.ConnInfo(r.conn); info.Sent != 900 || info.Held != 0 || info.Unknown != 0 {
			t.Errorf("arrived %v: %+v", arrive, info)
		}
		if n := r.m.parts.Len(); n != 0 {
			t.Errorf("arrived %v: %d parts are left", arrive, n)
		}
	}
}

func TestDoubtOfAClosedConnectionIsSettledByWhatWasTold(t *testing.T) {
	for _, arrive := range []bool{false, true} {
		r, streams, totals := paysThree(t, 3, 5, arrive)
		r.run(second) // the totals of later packets are told
		before, _ := r.m.ConnInfo(r.conn)
		if before.Held != 270 {
			t.Fatalf("%d are held", before.Held)
		}
		if err := r.m.DestroyConn(r.now, r.conn, frame.ApplicationError, ""); err != nil {
			t.Fatal(err)
		}
		r.run(30 * second)
		info, _ := r.m.ConnInfo(r.conn)
		var have Amount
		for _, total := range totals {
			have += total
		}
		if info.Sent != have || info.Held != 0 || info.Unknown != 0 || (have > before.Sent) != arrive {
			t.Errorf("arrived %v: the receiver has %d, sent are %d, held %d", arrive, have, info.Sent, info.Held)
		}
		for _, s := range streams {
			if i, _ := r.m.StreamInfo(s); i.Held != 0 || i.Unknown != 0 || i.Sent != totals[i.ID] {
				t.Errorf("arrived %v: %+v, the receiver has %d", arrive, i, totals[i.ID])
			}
		}
	}
}

func TestRefusedPacketOfManyStreamsIsFreeForEachOfThem(t *testing.T) {
	w := newWorld(t, Options{ReceiveMax: maxAmount}, Config{})
	c := w.connect(Options{MaxPacketAmount: 90})
	w.run(second)
	left := w.refuseNext(3, ilp.T00)
	var streams []StreamHandle
	for range 3 {
		s, _ := w.a.m.OpenStream(w.now, c)
		_ = w.a.m.SetSendMax(w.now, s, 30)
		streams = append(streams, s)
	}
	w.a.drain()
	w.pass(w.a)
	for _, s := range streams {
		if info, _ := w.a.m.StreamInfo(s); info.Held != 0 || info.Sent != 0 {
			t.Fatalf("refused, and %+v", info)
		}
	}
	w.run(5 * second)
	for _, s := range streams {
		if info, _ := w.a.m.StreamInfo(s); info.Held != 0 || info.Sent != 30 || *left != 0 {
			t.Fatalf("%+v", info)
		}
	}
	w.books(c, 90, 90)
}

// At a rate of one to a hundred a packet of one unit is never divided.
func TestPartOfAUnitInDoubtIsNotTakenForSent(t *testing.T) {
	for _, arrived := range []Amount{0, 50, 100} {
		r := newProbeClient(t, Config{}, Options{RateNum: 100, RateDen: 1, MaxPacketAmount: 1, Expiry: 5e9})
		var total Amount
		n := 0
		r.script = func(a *probeAnswer, _ int) []byte {
			if a.prepare.Amount() > 0 {
				if n++; n == 1 {
					total += arrived
					return []byte{}
				}
				total += 100
			}
			data := r.peer.seal(streamText(ilp.TypeFulfill, a.packet.Sequence, 100, frame.StreamMaxMoney{StreamID: 1, ReceiveMax: maxAmount, TotalReceived: total}))
			return a.fulfillWith(a.fulfillment, data)
		}
		if err := r.m.SetSendMax(r.now, r.stream, 1); err != nil {
			t.Fatal(err)
		}
		r.run(30 * second)
		packets := map[Amount]int{0: 2, 50: 2, 100: 1}[arrived]
		if info, _ := r.m.ConnInfo(r.conn); info.Sent != 1 || info.Held != 0 || n != packets {
			t.Errorf("%d of it arrived: sent %d in %d packets, want %d; held %d", arrived, info.Sent, n, packets, info.Held)
		}
	}
}

// The rate that was looked for is 1; it has fallen to 99/100 since, which the last
// packet told.
func TestDoubtIsReckonedAtTheRateOfTheLastPacket(t *testing.T) {
	r := newProbeClient(t, Config{}, Options{MaxPacketAmount: 100, Expiry: 5e9})
	var total Amount
	n := 0
	r.script = func(a *probeAnswer, _ int) []byte {
		amount := a.prepare.Amount() * 99 / 100
		if amount > 0 {
			n++
			total += amount
			if n == 4 || n == 5 {
				return []byte{} // they have arrived
			}
		}
		data := r.peer.seal(streamText(ilp.TypeFulfill, a.packet.Sequence, amount, frame.StreamMaxMoney{StreamID: 1, ReceiveMax: maxAmount, TotalReceived: total}))
		return a.fulfillWith(a.fulfillment, data)
	}
	if err := r.m.SetSendMax(r.now, r.stream, 1000); err != nil {
		t.Fatal(err)
	}
	r.run(30 * second)
	if info, _ := r.m.ConnInfo(r.conn); info.Sent != 1000 || info.Delivered != 990 || total != 990 || n != 10 {
		t.Fatalf("sent %d in %d packets, delivered %d, the receiver has %d", info.Sent, n, info.Delivered, total)
	}
}

func TestAnswerThatIsNotFreshSettlesNothing(t *testing.T) {
	r := newProbeClient(t, Config{}, Options{MaxPacketAmount: 100, Expiry: 5e9})
	n := 0
	r.script = func(a *probeAnswer, _ int) []byte {
		if a.prepare.Amount() > 0 {
			if n++; n <= 2 {
				return []byte{}
			}
			return a.rejectWith(ilp.T00, nil) // tells nothing of the receiver's
		}
		return []byte{}
	}
	if err := r.m.SetSendMax(r.now, r.stream, 200); err != nil {
		t.Fatal(err)
	}
	r.run(12 * second)
	if info, _ := r.m.ConnInfo(r.conn); info.Held != 200 || info.Unknown != 200 || info.Sent != 0 {
		t.Fatalf("%+v", info)
	}
	_ = r.m.SetSendMax(r.now, r.stream, 300)
	r.run(4 * second)
	if info, _ := r.m.ConnInfo(r.conn); n < 3 || info.Unknown != 200 || info.Sent != 0 {
		t.Fatalf("after %d packets: held %d, unknown %d, sent %d", n, info.Held, info.Unknown, info.Sent)
	}
}
