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

// threeStreams is a client that pays over three streams, 30 of each in every packet.
type threeStreams struct {
	*probeReceiver
	streams []StreamHandle
	totals  map[uint64]Amount // what the receiver has
	n       int               // packets with money of the present ten
	shy     int               // the receiver tells one total in each answer: 1 the first, -1 the last
}

// payThree pays 300 on each stream. So many packets from the third on are lost, when
// so many halves of them have arrived.
func payThree(t *testing.T, lose int, halves Amount, shy int) *threeStreams {
	t.Helper()
	r := &threeStreams{probeReceiver: newProbeClient(t, Config{}, Options{MaxPacketAmount: 90, Expiry: 5e9}), totals: map[uint64]Amount{}, shy: shy}
	r.script = func(a *probeAnswer, _ int) []byte {
		lost := false
		if a.prepare.Amount() > 0 {
			r.n++
			lost = r.n >= 3 && r.n < 3+lose
		}
		var tell []appender
		for it := a.packet.Frames(); it.Next(); {
			var id uint64
			switch it.Type() {
			case frame.TypeStreamMoney:
				f, _ := frame.ParseStreamMoney(it.Body())
				id = f.StreamID
				if lost {
					r.totals[id] += Amount(f.Shares) * halves / 2
				} else {
					r.totals[id] += Amount(f.Shares)
				}
			case frame.TypeStreamMoneyBlocked:
				f, _ := frame.ParseStreamMoneyBlocked(it.Body())
				id = f.StreamID
			default:
				continue
			}
			tell = append(tell, frame.StreamMaxMoney{StreamID: id, ReceiveMax: maxAmount, TotalReceived: r.totals[id]})
		}
		if lost {
			return []byte{}
		}
		if n := len(tell); r.shy > 0 && n > 1 {
			tell = tell[:1]
		} else if r.shy < 0 && n > 1 {
			tell = tell[n-1:]
		}
		return a.fulfill(tell...)
	}
	r.streams = []StreamHandle{r.stream}
	for range 2 {
		s, err := r.m.OpenStream(r.now, r.conn)
		if err != nil {
			t.Fatal(err)
		}
		r.streams = append(r.streams, s)
	}
	r.payTen(0)
	return r
}

// payTen sends 300 more on each stream, in ten packets.
func (r *threeStreams) payTen(sent Amount) {
	r.t.Helper()
	r.n = 0
	for total := sent + 30; total <= sent+300; total += 30 {
		for _, s := range r.streams {
			if err := r.m.SetSendMax(r.now, s, total); err != nil {
				r.t.Fatal(err)
			}
		}
		r.run(second / 50)
	}
	if r.n != 10 {
		r.t.Fatalf("%d packets with money", r.n)
	}
}

func TestDoubtOfManyStreamsWaitsForTheTotalOfEach(t *testing.T) {
	for k := range Amount(8) {
		lose, halves, shy := 1+int(k&4)/2, k&2, 1-2*int(k&1)
		r := payThree(t, lose, halves, shy)
		r.run(20 * second)
		for round := range Amount(3) { // what was told before says nothing of the next
			want := 300 * (round + 1)
			for _, s := range r.streams {
				info, _ := r.m.StreamInfo(s)
				if info.Sent != want || r.totals[info.ID] != want || info.Held != 0 {
					t.Fatalf("%d halves of %d arrived, round %d: sent %d, held %d, the receiver has %d", halves, lose, round, info.Sent, info.Held, r.totals[info.ID])
				}
			}
			r.payTen(want)
			r.run(20 * second)
		}
	}
}

// Packets of one size are told apart by the streams that they pay: with those of the
// first taken for those of the second, the second's total would stay ahead, and the
// next packet of it that is lost would pass for sent.
func TestPacketsOfOneSizeAreToldApartByTheirStreams(t *testing.T) {
	r := newProbeClient(t, Config{}, Options{MaxPacketAmount: 100, Expiry: 5e9})
	totals, n, lose := map[uint64]Amount{}, 0, 0
	r.script = func(a *probeAnswer, _ int) []byte {
		var tell []appender
		silent := false
		for it := a.packet.Frames(); it.Next(); {
			var id uint64
			switch it.Type() {
			case frame.TypeStreamMoney:
				f, _ := frame.ParseStreamMoney(it.Body())
				id = f.StreamID
				switch n++; {
				case n <= lose && id == 1: // these are lost
					silent = true
				case n <= lose && lose > 2: // and the answers to these
					silent = true
					totals[id] += Amount(f.Shares)
				default:
					totals[id] += Amount(f.Shares)
				}
			case frame.TypeStreamMoneyBlocked:
				f, _ := frame.ParseStreamMoneyBlocked(it.Body())
				id = f.StreamID
			default:
				continue
			}
			tell = append(tell, frame.StreamMaxMoney{StreamID: id, ReceiveMax: maxAmount, TotalReceived: totals[id]})
		}
		if silent {
			return []byte{}
		}
		return a.fulfill(tell...)
	}
	other, err := r.m.OpenStream(r.now, r.conn)
	if err != nil {
		t.Fatal(err)
	}
	r.run(second)
	streams := []StreamHandle{r.stream, other}
	for _, lose = range []int{4, 8, 0} {
		n = 0
		for _, s := range streams {
			info, _ := r.m.StreamInfo(s)
			if err := r.m.SetSendMax(r.now, s, info.Sent+400); err != nil {
				t.Fatal(err)
			}
		}
		r.run(40 * second)
		for _, s := range streams {
			info, _ := r.m.StreamInfo(s)
			if info.Sent != totals[info.ID] || info.Delivered != totals[info.ID] || info.Held != 0 {
				t.Fatalf("stream %d: sent %d, delivered %d, held %d; the receiver has %d", info.ID, info.Sent, info.Delivered, info.Held, totals[info.ID])
			}
		}
	}
}

// Two packets of one size that divide it otherwise: the streams' totals tell which has
// arrived, and nothing false later.
func TestDivisionAmongStreamsIsAsTheReceiverTellsIt(t *testing.T) {
	r := newProbeClient(t, Config{}, Options{MaxPacketAmount: 100, Expiry: 5e9})
	totals, n := map[uint64]Amount{}, 0
	r.script = func(a *probeAnswer, _ int) []byte {
		pays := a.prepare.Amount() > 0 && a.fulfillable
		if pays {
			n++
		}
		var tell []appender
		for it := a.packet.Frames(); it.Next(); {
			var id uint64
			switch it.Type() {
			case frame.TypeStreamMoney:
				f, _ := frame.ParseStreamMoney(it.Body())
				if id = f.StreamID; n != 1 && n != 4 { // those are lost
					totals[id] += Amount(f.Shares)
				}
			case frame.TypeStreamMoneyBlocked:
				f, _ := frame.ParseStreamMoneyBlocked(it.Body())
				id = f.StreamID
			default:
				continue
			}
			tell = append(tell, frame.StreamMaxMoney{StreamID: id, ReceiveMax: maxAmount, TotalReceived: totals[id]})
		}
		if pays && (n <= 2 || n == 4) {
			return []byte{}
		}
		return a.fulfill(tell...)
	}
	other, err := r.m.OpenStream(r.now, r.conn)
	if err != nil {
		t.Fatal(err)
	}
	r.run(second)
	pay := func(a, b Amount, d Instant) {
		for i, s := range []StreamHandle{r.stream, other} {
			if err := r.m.SetSendMax(r.now, s, [2]Amount{a, b}[i]); err != nil {
				t.Fatal(err)
			}
		}
		r.run(d)
	}
	pay(60, 40, second/50)
	pay(100, 100, 40*second)
	if n != 3 || totals[1] != 100 || totals[3] != 100 {
		t.Fatalf("%d packets, totals %v: not what this test is about", n, totals)
	}
	pay(100, 200, 40*second) // the first packet of these is lost
	info, _ := r.m.ConnInfo(r.conn)
	if all := totals[1] + totals[3]; info.Sent != all || info.Delivered != all || all != 300 || info.Held != 0 {
		t.Errorf("sent %d, delivered %d, held %d; the receiver has %v", info.Sent, info.Delivered, info.Held, totals)
	}
}

func TestPacketOfManyStreamsInDoubtIsSettledForEachOfThem(t *testing.T) {
	for _, cut := range []bool{false, true} {
		for halves := range Amount(3) {
			r := payThree(t, 3, halves, 0)
			if cut {
				r.m.LinkLost(r.now, r.link)
				r.m.LinkUp(r.now, r.link)
			}
			for _, s := range r.streams {
				if info, _ := r.m.StreamInfo(s); info.Held != 90 || info.Sent != 210 || (info.Unknown == 90) != cut {
					t.Fatalf("link cut %v: %+v", cut, info)
				}
			}
			r.run(60 * second)
			for _, s := range r.streams {
				info, _ := r.m.StreamInfo(s)
				if info.Sent != 300 || info.Delivered != 300 || r.totals[info.ID] != 300 || info.Held != 0 || info.Unknown != 0 {
					t.Errorf("link cut %v, %d halves arrived: %+v, the receiver has %d", cut, halves, info, r.totals[info.ID])
				}
			}
			if info, _ := r.m.ConnInfo(r.conn); info.Sent != 900 || info.Held != 0 || info.Unknown != 0 {
				t.Errorf("link cut %v, %d halves arrived: %+v", cut, halves, info)
			}
			if n := r.m.parts.Len(); n != 0 {
				t.Errorf("link cut %v, %d halves arrived: %d parts are left", cut, halves, n)
			}
		}
	}
}

func TestDoubtOfAClosedConnectionIsSettledByWhatWasTold(t *testing.T) {
	for _, halves := range []Amount{0, 2} {
		r := payThree(t, 3, halves, 0) // the packets after those told totals
		if info, _ := r.m.ConnInfo(r.conn); info.Held != 270 || info.Sent != 630 {
			t.Fatalf("%+v", info)
		}
		if err := r.m.DestroyConn(r.now, r.conn, frame.ApplicationError, ""); err != nil {
			t.Fatal(err)
		}
		r.run(30 * second)
		if info, _ := r.m.ConnInfo(r.conn); info.Sent != 630+270*halves/2 || info.Held != 0 || info.Unknown != 0 {
			t.Errorf("%d halves arrived: %+v", halves, info)
		}
		for _, s := range r.streams {
			if i, _ := r.m.StreamInfo(s); i.Held != 0 || i.Unknown != 0 || i.Sent != r.totals[i.ID] {
				t.Errorf("%d halves arrived: %+v, the receiver has %d", halves, i, r.totals[i.ID])
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

func TestLateFulfillmentsSettleWhatIsInDoubtInAnyOrder(t *testing.T) {
	for _, order := range [][]int{{0, 1, 2, 3}, {1, 2, 0, 3}, {3, 1, 2, 0}, {2, 3, 1, 0}} {
		r := newProbeClient(t, Config{}, Options{MaxPacketAmount: 100, Expiry: 5e9})
		var late []Entry
		r.script = func(a *probeAnswer, _ int) []byte {
			for i := uint32(1); i < 20 && a.prepare.Amount() > 0; i++ {
				if m := r.m; m.slots.Generation(i)&1 == 1 && m.slots.At(i).sequence == a.packet.Sequence {
					late = append(late, Entry{Kind: Fulfill, Link: r.link, Request: m.requestID(m.slots.Handle(i)), Packet: a.fulfill()})
				}
			}
			return []byte{} // nor are questions answered
		}
		if err := r.m.SetSendMax(r.now, r.stream, 400); err != nil {
			t.Fatal(err)
		}
		r.run(12 * second)
		if info, _ := r.m.ConnInfo(r.conn); len(late) != 4 || info.Unknown != 400 || info.Held != 400 {
			t.Fatalf("%d packets, %+v", len(late), info)
		}
		for k, n := range order {
			r.m.Handle(r.now, late[n:n+1], r)
			info, _ := r.m.ConnInfo(r.conn)
			if want := Amount(100 * (k + 1)); info.Sent != want || info.Held != 400-want || info.Unknown != 400-want {
				t.Fatalf("order %v, %d answers: %+v", order, k+1, info)
			}
		}
		r.run(second)
		if info, _ := r.m.ConnInfo(r.conn); info.Sent != 400 || len(late) != 4 || r.m.conns.At(1).firstDoubt != 0 || r.m.coldOf(r.m.conns.At(1)).lastDoubt != 0 {
			t.Fatalf("order %v: sent %d in %d packets", order, info.Sent, len(late))
		}
	}
}

func TestPacketsShareWhatPartsThereAre(t *testing.T) {
	w := newWorld(t, Options{ReceiveMax: maxAmount}, Config{MaxRequests: 3}) // as many parts
	c := w.connect(Options{RateNum: 1, RateDen: 1})
	for range 8 {
		s, _ := w.a.m.OpenStream(w.now, c)
		_ = w.a.m.SetSendMax(w.now, s, 10)
	}
	w.a.drain()
	if info, _ := w.a.m.ConnInfo(c); info.Held != 50 || w.a.m.parts.Len() != 3 {
		t.Fatalf("%d are held of two packets, %d parts", info.Held, w.a.m.parts.Len())
	}
	w.run(5 * second)
	w.books(c, 80, 80)
	if n := w.a.m.parts.Len(); n != 0 {
		t.Fatalf("%d parts are left", n)
	}
}
