package stream

import (
	"math/rand/v2"
	"testing"

	"github.com/millrace-ilp/millrace/codec/frame"
)

// payer is a client that pays over several streams, to a receiver that keeps totals
// and tells them in every answer.
type payer struct {
	*probeReceiver
	streams []StreamHandle
	totals  map[uint64]Amount
	n       int                               // packets with money
	fate    func(n int) (arrives, tells bool) // of the nth packet with money
	deaf    bool                              // the others are not answered either
	silent  bool                              // nothing is told of a stream that is over
	odd     bool                              // of a packet of both, a unit more goes to the first stream
}

func newPayer(t *testing.T, o Options, streams int) *payer {
	t.Helper()
	p := &payer{probeReceiver: newProbeClient(t, Config{}, o), totals: map[uint64]Amount{}}
	p.fate = func(int) (arrives, tells bool) { return true, true }
	p.streams = []StreamHandle{p.stream}
	for len(p.streams) < streams {
		s, err := p.m.OpenStream(p.now, p.conn)
		if err != nil {
			t.Fatal(err)
		}
		p.streams = append(p.streams, s)
	}
	p.run(second)
	p.script = func(a *probeAnswer, _ int) []byte {
		arrives, tells := true, !p.deaf
		if a.prepare.Amount() > 0 {
			p.n++
			arrives, tells = p.fate(p.n)
		}
		for it := a.packet.Frames(); it.Next(); {
			if it.Type() == frame.TypeStreamMoney && arrives {
				f, _ := frame.ParseStreamMoney(it.Body())
				p.totals[f.StreamID] += Amount(f.Shares)
			}
		}
		if p.odd && p.n == 1 {
			p.odd = false
			p.totals[1]++
			p.totals[3]--
		}
		if !tells {
			return []byte{}
		}
		var tell []appender
		for _, s := range p.streams {
			if info, ok := p.m.StreamInfo(s); ok && !(p.silent && info.Closed) {
				tell = append(tell, frame.StreamMaxMoney{StreamID: info.ID, ReceiveMax: maxAmount, TotalReceived: p.totals[info.ID]})
			}
		}
		if !a.fulfillable {
			return a.f99(tell...)
		}
		return a.fulfill(tell...)
	}
	return p
}

// pay raises the send maximum of a stream.
func (p *payer) pay(k int, sendMax Amount) {
	p.t.Helper()
	if err := p.m.SetSendMax(p.now, p.streams[k], sendMax); err != nil {
		p.t.Fatal(err)
	}
}

// has is what the receiver has.
func (p *payer) has() (sum Amount) {
	for _, total := range p.totals {
		sum += total
	}
	return sum
}

// check compares our books with what the receiver has.
func (p *payer) check(sent Amount) {
	p.t.Helper()
	info, _ := p.m.ConnInfo(p.conn)
	if info.Sent != sent || p.has() != sent || info.Held != 0 {
		p.t.Fatalf("sent %d, want %d; held %d; the receiver has %v", info.Sent, sent, info.Held, p.totals)
	}
}

// The rate that was given is a tenth of what the path has: by it, what has arrived of
// one packet would be more than all three.
func TestTotalOfOneStreamSaysNothingOfThePacketsOfOthers(t *testing.T) {
	for arrived := range 4 {
		for _, closed := range []bool{false, true} {
			p := newPayer(t, Options{RateNum: 1, RateDen: 10, MaxPacketAmount: 20, Expiry: 5e9}, 3)
			p.fate = func(n int) (arrives, tells bool) { return n <= arrived || n > 3, n > 3 }
			for k := range p.streams {
				p.pay(k, 20)
			}
			p.run(second)
			if p.n != 3 || p.has() != Amount(20*arrived) {
				t.Fatalf("%d packets, totals %v: not what this test is about", p.n, p.totals)
			}
			if !closed {
				p.run(30 * second)
				p.check(60)
				continue
			}
			if _, err := p.m.Write(p.now, p.streams[0], []byte{1}); err != nil { // the answer tells totals
				t.Fatal(err)
			}
			p.run(second)
			p.deaf = true
			if err := p.m.DestroyConn(p.now, p.conn, frame.ApplicationError, ""); err != nil {
				t.Fatal(err)
			}
			p.run(30 * second)
			p.check(Amount(20 * arrived))
		}
	}
}

// Ten packets of 10 are in doubt, and 30 has arrived. By the rate that was given it
// would be all of them; it is three.
func TestDoubtAtARateThatNobodyHasToldStays(t *testing.T) {
	unsettled := func() *payer {
		p := newPayer(t, Options{RateNum: 1, RateDen: 10, MaxPacketAmount: 10, Expiry: 5e9}, 1)
		p.fate = func(n int) (arrives, tells bool) { return n <= 3 || n > 10, n > 10 }
		p.pay(0, 100)
		p.run(40 * second)
		info, _ := p.m.ConnInfo(p.conn)
		si, _ := p.m.StreamInfo(p.stream)
		if p.n != 10 || info.Sent != 0 || info.Held != 100 || si.Unsettled != 100 {
			t.Fatalf("%d packets, sent %d, held %d, unsettled %d", p.n, info.Sent, info.Held, si.Unsettled)
		}
		told := 0
		for _, e := range p.events {
			if e == "stream: unsettled" {
				told++
			}
		}
		if told != 1 {
			t.Fatalf("it is told %d times, want once", told)
		}
		return p
	}
	p := unsettled()
	p.pay(0, 110) // one more packet, and its answer tells the rate
	p.run(10 * second)
	p.check(110)

	p = unsettled()
	if err := p.m.DestroyConn(p.now, p.conn, frame.ApplicationError, ""); err != nil {
		t.Fatal(err)
	}
	p.run(30 * second)
	if info, _ := p.m.ConnInfo(p.conn); info.Sent != 10 || info.Held != 0 { // that is certain
		t.Fatalf("closed: sent %d, held %d", info.Sent, info.Held)
	}
}

// While there is money to send, its answer tells the rate before anything is given up.
func TestRateOfTheNextPacketSettlesWhatIsInDoubt(t *testing.T) {
	p := newPayer(t, Options{RateNum: 1, RateDen: 10, MaxPacketAmount: 10, MaxInFlight: 10, Expiry: 5e9}, 1)
	p.fate = func(n int) (arrives, tells bool) { return n <= 3 || n > 10, n > 10 }
	p.pay(0, 500)
	p.run(60 * second)
	p.check(500)
	for _, e := range p.events {
		if e == "stream: unsettled" {
			t.Fatal("it was left unsettled")
		}
	}
}

// A packet of two streams, and one of each, all of one size. The first and the last
// have arrived, which only the totals of each stream tell.
func TestPacketsOfOneSizeThatShareAStreamAreToldApart(t *testing.T) {
	p := newPayer(t, Options{MaxPacketAmount: 100, Expiry: 5e9}, 2)
	p.fate = func(n int) (arrives, tells bool) { return n != 2, n > 3 }
	p.pay(0, 60)
	p.pay(1, 40)
	p.run(second / 50)
	p.pay(0, 160)
	p.run(second / 50)
	p.pay(1, 140)
	p.run(second)
	if p.n != 3 || p.totals[1] != 60 || p.totals[3] != 140 {
		t.Fatalf("%d packets, totals %v: not what this test is about", p.n, p.totals)
	}
	p.run(20 * second)
	p.check(300)
	if p.totals[1] != 160 {
		t.Errorf("the receiver has %v", p.totals)
	}
}

// The receiver divides a packet otherwise than we reckon. When one of its streams goes
// with the packet that is settled, the other must not stay behind its total.
func TestStreamThatGoesLeavesTheOthersLevel(t *testing.T) {
	for _, silent := range []bool{false, true} {
		p := newPayer(t, Options{MaxPacketAmount: 100, Expiry: 5e9}, 2)
		p.fate = func(n int) (arrives, tells bool) { return n == 1 || n == 4, n == 1 }
		p.odd, p.silent = true, silent
		p.pay(0, 60)
		p.pay(1, 40)
		p.run(second)
		p.pay(0, 160)
		p.run(second / 50)
		p.pay(1, 140)
		p.run(second)
		if err := p.m.DestroyStream(p.now, p.streams[0], frame.ApplicationError, ""); err != nil {
			t.Fatal(err)
		}
		p.run(second)
		p.m.ReleaseStream(p.streams[0])
		p.run(30 * second)
		if _, ok := p.m.StreamInfo(p.streams[0]); ok || p.n != 4 {
			t.Fatalf("%d packets, the stream is there %v: not what this test is about", p.n, ok)
		}
		p.check(200)
	}
}

// A fulfill that comes after the end counts with its minimum, half of what was sent.
// The other half is neither the rate, nor what packets in doubt have brought.
func TestWhatAFulfillAfterTheEndBroughtIsNotTakenForOthers(t *testing.T) {
	p := newPayer(t, Options{MaxPacketAmount: 100, SlippagePPM: 500_000, Expiry: 5e9}, 1)
	var late Entry
	p.fate = func(n int) (arrives, tells bool) { return n <= 3, n == 1 }
	answer := p.script
	p.script = func(a *probeAnswer, n int) []byte {
		b := answer(a, n)
		if a.prepare.Amount() > 0 && p.n == 2 {
			for i := uint32(1); i < 20; i++ {
				if m := p.m; m.slots.Generation(i)&1 == 1 && m.slots.At(i).sequence == a.packet.Sequence {
					late = Entry{Kind: Fulfill, Link: p.link, Request: m.requestID(m.slots.Handle(i)), Packet: a.fulfill()}
				}
			}
		}
		return b
	}
	p.pay(0, 500)
	p.run(second)
	if _, err := p.m.Write(p.now, p.stream, []byte{1}); err != nil { // the answer tells the total
		t.Fatal(err)
	}
	p.run(second)
	if p.n != 5 || p.has() != 300 {
		t.Fatalf("%d packets, totals %v: not what this test is about", p.n, p.totals)
	}
	p.deaf = true
	if err := p.m.DestroyConn(p.now, p.conn, frame.ApplicationError, ""); err != nil {
		t.Fatal(err)
	}
	p.run(Instant(3.5e9))
	p.m.Handle(p.now, []Entry{late}, p)
	if info, _ := p.m.ConnInfo(p.conn); !info.Closed || info.Sent != 200 || info.LastNum != info.LastDen {
		t.Fatalf("%+v", info)
	}
	p.run(20 * second)
	p.check(300)
}

// TestPacketsOfOneSizeThatPayOtherStreams: three packets of one size are in doubt, one for
// the first stream, one for the second, one for both. Whichever of them have arrived, each stream
// pays just what it may.
func TestPacketsOfOneSizeThatPayOtherStreams(t *testing.T) {
	for arrived := range 8 {
		for _, closed := range []bool{false, true} {
			p := newPayer(t, Options{MaxPacketAmount: 20, Expiry: 5e9}, 2)
			p.fate = func(n int) (arrives, tells bool) { return n > 3 || arrived>>(n-1)&1 != 0, n > 3 }
			p.pay(0, 27)
			p.pay(1, 33)
			p.run(second)
			if p.n != 3 {
				t.Fatalf("%d packets, totals %v: not what this test is about", p.n, p.totals)
			}
			want := [2]Amount{27, 33}
			if closed {
				if _, err := p.m.Write(p.now, p.streams[0], []byte{1}); err != nil { // the answer tells totals
					t.Fatal(err)
				}
				p.run(second)
				want, p.deaf = [2]Amount{p.totals[1], p.totals[3]}, true
				if err := p.m.DestroyConn(p.now, p.conn, frame.ApplicationError, ""); err != nil {
					t.Fatal(err)
				}
			}
			p.run(30 * second)
			for k, s := range p.streams {
				info, _ := p.m.StreamInfo(s)
				if got := p.totals[info.ID]; got != want[k] || info.Sent != want[k] || info.Held != 0 {
					t.Errorf("of three packets %03b have arrived, closed %v: stream %d has sent %d and holds %d, the receiver has %d, want %d",
						arrived, closed, info.ID, info.Sent, info.Held, got, want[k])
				}
			}
		}
	}
}

// TestEachStreamGetsWhatItMay: payments over several streams at random, of whose packets
// and answers many are lost. In the end each stream has paid just what it may.
func TestEachStreamGetsWhatItMay(t *testing.T) {
	for seed := range uint64(400) {
		r := rand.New(rand.NewPCG(seed, 1))
		p := newPayer(t, Options{MaxPacketAmount: []Amount{20, 100, 1000}[r.IntN(3)], Expiry: 5e9}, 2+r.IntN(3))
		lost, unanswered := r.Float64()*0.6, r.Float64()*0.6
		p.fate = func(int) (arrives, tells bool) {
			arrives = r.Float64() >= lost
			return arrives, arrives && r.Float64() >= unanswered
		}
		may := make([]Amount, len(p.streams))
		for range 3 + r.IntN(14) {
			for range 1 + r.IntN(2) {
				k := r.IntN(len(may))
				may[k] += Amount(1 + r.IntN(60))
				p.pay(k, may[k])
			}
			p.run([]Instant{2e7, 2e7, 2e7, 2e8, second, 3 * second, 7 * second}[r.IntN(7)])
		}
		p.fate = func(int) (arrives, tells bool) { return true, true }
		p.run(60 * second)
		for k, s := range p.streams {
			info, _ := p.m.StreamInfo(s)
			if got := p.totals[info.ID]; got != may[k] || info.Sent != may[k] || info.Held != 0 {
				t.Errorf("seed %d: stream %d may send %d, has sent %d and holds %d; the receiver has %d", seed, info.ID, may[k], info.Sent, info.Held, got)
			}
		}
	}
}

// A rate was given that nothing has borne out, and the totals of one stream alone are
// ahead: a packet that pays another one, too, has not arrived for certain.
func TestCertainPacketPaysNoStreamThatIsNotAhead(t *testing.T) {
	p := newPayer(t, Options{RateNum: 1, RateDen: 1, MaxPacketAmount: 100, Expiry: 5e9}, 2)
	p.fate = func(n int) (arrives, tells bool) { return n == 2, false }
	p.pay(0, 5)
	p.pay(1, 5)
	p.run(second / 50)
	p.pay(1, 65)
	p.run(second)
	if _, err := p.m.Write(p.now, p.streams[1], []byte{1}); err != nil { // the answer tells totals
		t.Fatal(err)
	}
	p.run(second)
	p.deaf = true
	if err := p.m.DestroyConn(p.now, p.conn, frame.ApplicationError, ""); err != nil {
		t.Fatal(err)
	}
	p.run(40 * second)
	if p.n != 2 {
		t.Fatalf("%d packets, totals %v: not what this test is about", p.n, p.totals)
	}
	for _, s := range p.streams {
		if info, _ := p.m.StreamInfo(s); info.Sent != p.totals[info.ID] || info.Held != 0 {
			t.Errorf("stream %d has sent %d and holds %d; the receiver has %d", info.ID, info.Sent, info.Held, p.totals[info.ID])
		}
	}
}
