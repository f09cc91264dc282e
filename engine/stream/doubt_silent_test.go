package stream

import (
	"fmt"
	"testing"

	"github.com/millrace-ilp/millrace/codec/frame"
	"github.com/millrace-ilp/millrace/codec/ilp"
)

// newSilentPayer is a payer whose receiver tells nothing of a stream that is over.
func newSilentPayer(t *testing.T, o Options, streams int) *payer {
	o.MaxPacketAmount, o.Expiry = max(o.MaxPacketAmount, 20), 5e9
	p := newPayer(t, o, streams)
	p.silent = true
	return p
}

// after raises send maxima, one to a stream, and lets the packet of that go.
func (p *payer) after(sendMax ...Amount) {
	p.t.Helper()
	for k, limit := range sendMax {
		if limit > 0 {
			p.pay(k, limit)
		}
	}
	p.run(second / 50)
}

// ask writes an octet, whose answer tells totals.
func (p *payer) ask() {
	p.t.Helper()
	if _, err := p.m.Write(p.now, p.streams[0], []byte{1}); err != nil {
		p.t.Fatal(err)
	}
	p.run(second)
}

// end ends a stream, and lets everything come to rest.
func (p *payer) end(k int) {
	p.t.Helper()
	if err := p.m.DestroyStream(p.now, p.streams[k], frame.ApplicationError, ""); err != nil {
		p.t.Fatal(err)
	}
	p.run(40 * second)
}

// A stream that is over tells no total any more. Two packets of the other have arrived, of
// which it shares the first: what it has of that must not be missing from what the other
// is ahead by, or else money of the other goes out twice.
func TestWhatAStreamThatIsOverSharesIsToldByTheOther(t *testing.T) {
	p := newSilentPayer(t, Options{MaxPacketAmount: 100}, 2)
	p.fate = func(n int) (arrives, tells bool) { return n != 2, n > 3 }
	p.after(60, 40)
	p.after(0, 140)
	p.after(160, 0)
	if p.n != 3 || p.totals[1] != 160 || p.totals[3] != 40 {
		t.Fatalf("%d packets, totals %v: not what this test is about", p.n, p.totals)
	}
	p.end(1)
	p.check(200)
	p.pay(0, 300)
	p.run(30 * second)
	p.check(340)
	for k, want := range []Amount{300, 40} {
		if info, _ := p.m.StreamInfo(p.streams[k]); info.Sent != want || info.Delivered != want || p.totals[info.ID] != want {
			t.Errorf("stream %d has sent %d, delivered %d, the receiver has %v", info.ID, info.Sent, info.Delivered, p.totals)
		}
	}
}

// What has arrived of packets that pay a stream which is over is not always certain. The
// stream that is told of gets what is its own, and nothing counts as sent that nobody has.
func TestWhatIsUncertainOfAStreamThatIsOverIsNotSent(t *testing.T) {
	for name, c := range map[string]struct {
		pays    [][2]Amount // of each packet, to the first stream and to the one that is over
		arrives []bool
		sent    [2]Amount // as soon as that is settled, and the first has gone on
	}{
		"either of two":        {[][2]Amount{{60, 40}, {60, 20}}, []bool{true, false}, [2]Amount{120, 0}},
		"the other of two":     {[][2]Amount{{60, 40}, {60, 20}}, []bool{false, true}, [2]Amount{120, 0}},
		"both":                 {[][2]Amount{{60, 40}, {60, 20}}, []bool{true, true}, [2]Amount{120, 60}},
		"neither":              {[][2]Amount{{60, 40}, {60, 20}}, []bool{false, false}, [2]Amount{120, 0}},
		"others would do":      {[][2]Amount{{12, 25}, {8, 0}, {4, 0}, {6, 0}, {6, 0}}, []bool{false, true, false, true, true}, [2]Amount{36, 0}},
		"no other would do":    {[][2]Amount{{12, 25}, {9, 0}, {5, 0}}, []bool{true, false, false}, [2]Amount{26, 25}},
		"of the silent alone":  {[][2]Amount{{12, 25}, {0, 30}, {9, 0}}, []bool{true, true, false}, [2]Amount{21, 25}},
		"less than one packet": {[][2]Amount{{60, 40}, {50, 50}}, []bool{true, true}, [2]Amount{110, 90}},
	} {
		t.Run(name, func(t *testing.T) {
			p := newSilentPayer(t, Options{MaxPacketAmount: 100}, 2)
			p.fate = func(n int) (arrives, tells bool) { return n > len(c.pays) || c.arrives[n-1], n > len(c.pays) }
			var all [2]Amount
			for _, pays := range c.pays {
				all[0], all[1] = all[0]+pays[0], all[1]+pays[1]
				p.after(all[:]...)
			}
			if p.n != len(c.pays) {
				t.Fatalf("%d packets: not what this test is about", p.n)
			}
			p.end(1)
			for k, want := range c.sent {
				info, _ := p.m.StreamInfo(p.streams[k])
				if has := p.totals[info.ID]; info.Sent != want || info.Held != 0 || info.Sent > has || k == 0 && has != want {
					t.Errorf("stream %d has sent %d, want %d, holds %d, the receiver has %v", info.ID, info.Sent, want, info.Held, p.totals)
				}
			}
		})
	}
}

// What was heard of a stream before it was over is told once, and by packets that are just
// that: not by others that never arrived.
func TestWhatWasHeardOfAStreamThatIsOverCountsOnce(t *testing.T) {
	for name, c := range map[string]struct {
		pays    [][2]Amount // send maxima, a packet each time
		arrives int         // which packet does
		sent    Amount
	}{
		"by the packet that shares it": {[][2]Amount{{0, 40}, {60, 80}}, 2, 100},
		"by the packet of its size":    {[][2]Amount{{0, 60}, {0, 160}, {10, 170}}, 2, 110},
	} {
		t.Run(name, func(t *testing.T) {
			p := newSilentPayer(t, Options{MaxPacketAmount: 100}, 2)
			p.fate = func(n int) (arrives, tells bool) { return n == c.arrives || n > len(c.pays), n > len(c.pays) }
			for _, pays := range c.pays {
				p.after(pays[:]...)
			}
			p.ask()
			p.end(1)
			p.check(c.sent)
		})
	}
}

// Our books are ahead of what was heard of a stream that is over: a fulfill told nothing.
// That says nothing of the other's packet, and no money of that goes out twice.
func TestDeficitOfAStreamThatIsOverIsItsOwn(t *testing.T) {
	p := newSilentPayer(t, Options{MaxPacketAmount: 100}, 2)
	p.fate = func(n int) (arrives, tells bool) { return n != 2, n > 3 }
	answer := p.script
	p.script = func(a *probeAnswer, n int) []byte {
		if a.prepare.Amount() == 0 || p.n > 0 {
			return answer(a, n)
		}
		p.n++
		p.totals[3] += 40
		return a.fulfill()
	}
	p.after(0, 40)
	p.after(0, 80) // lost
	p.after(60, 0) // arrives, unanswered
	p.end(1)
	p.check(100)
	if p.totals[1] != 60 {
		t.Errorf("the receiver has %v", p.totals)
	}
}

// The receiver gives one stream a unit more than we reckon, and the other is over.
func TestUnitOfAStreamThatIsOverIsNoPacket(t *testing.T) {
	p := newSilentPayer(t, Options{MaxPacketAmount: 100}, 2)
	p.odd = true
	p.fate = func(n int) (arrives, tells bool) { return n != 2, n > 2 }
	p.after(60, 40)
	p.after(160, 0) // lost
	p.end(1)
	p.check(200)
}

// At a rate that nobody has told, nothing is known of packets that pay a stream which is
// over alone, when there are several.
func TestNothingUncertainOfAStreamThatIsOverAtAGuessedRate(t *testing.T) {
	p := newSilentPayer(t, Options{RateNum: 1, RateDen: 10}, 2)
	p.fate = func(n int) (arrives, tells bool) { return n == 1, false }
	for k := range Amount(3) {
		p.after(0, 20*(k+1))
	}
	p.after(10, 70) // of both
	p.ask()
	p.fate = func(int) (arrives, tells bool) { return true, true }
	p.end(1)
	if info, _ := p.m.ConnInfo(p.conn); info.Sent > p.has() {
		t.Errorf("sent %d, the receiver has %d", info.Sent, p.has())
	}
}

// rated is a payer over a path with a rate, whose receiver divides by shares, rounded down,
// and gives the remainder to the lowest stream (IL-RFC 0029 §5.3.8).
type rated struct {
	*payer
	num, den uint64
	went     Amount // of ours, in packets that have arrived
}

func newRated(t *testing.T, o Options, streams int, num, den uint64) *rated {
	p := &rated{payer: newSilentPayer(t, o, streams), num: num, den: den}
	p.n = 0
	p.script = p.answer
	return p
}

func (p *rated) answer(a *probeAnswer, _ int) []byte {
	tells := true
	got := Amount(uint64(a.prepare.Amount()) * p.num / p.den)
	if a.prepare.Amount() > 0 && a.fulfillable {
		p.n++
		var arrives bool
		if arrives, tells = p.fate(p.n); got < a.packet.PrepareAmount {
			arrives, tells = false, false
		}
		if arrives {
			p.take(a, got)
		}
	}
	if !tells {
		return []byte{}
	}
	var tell []appender
	for _, s := range p.streams {
		if info, ok := p.m.StreamInfo(s); ok && !info.Closed {
			tell = append(tell, frame.StreamMaxMoney{StreamID: info.ID, ReceiveMax: maxAmount, TotalReceived: p.totals[info.ID]})
		}
	}
	if !a.fulfillable {
		return a.f99(tell...)
	}
	return a.fulfillWith(a.fulfillment, a.r.peer.seal(streamText(ilp.TypeFulfill, a.packet.Sequence, got, tell...)))
}

func (p *rated) take(a *probeAnswer, got Amount) {
	p.went += a.prepare.Amount()
	var all, lowest uint64
	shares := map[uint64]uint64{}
	for it := a.packet.Frames(); it.Next(); {
		if it.Type() == frame.TypeStreamMoney {
			f, _ := frame.ParseStreamMoney(it.Body())
			shares[f.StreamID] += f.Shares
			if all += f.Shares; lowest == 0 || f.StreamID < lowest {
				lowest = f.StreamID
			}
		}
	}
	rest := got
	for id, share := range shares {
		x := Amount(uint64(got) * share / all)
		p.totals[id] += x
		rest -= x
	}
	p.totals[lowest] += rest
}

// What several streams get together is rounded, and one of them is over.
func TestRoundingIsNoMoney(t *testing.T) {
	for _, r := range [][2]uint64{{1, 1}, {3, 2}, {2, 3}, {7, 5}, {1, 3}} {
		for _, parts := range [][3]Amount{{33, 33, 33}, {50, 25, 24}, {31, 37, 29}, {41, 17, 23}} {
			for over := range 3 {
				for arrived := range 4 { // of the packet of all, and of one more
					t.Run(fmt.Sprint(r, parts, over, arrived), func(t *testing.T) {
						p := newRated(t, Options{RateNum: r[0], RateDen: r[1], MaxPacketAmount: 100, SlippagePPM: 100_000}, 3, r[0], r[1])
						p.fate = func(n int) (arrives, tells bool) {
							second := n == 2 && arrived&1 != 0 || n == 3 && arrived&2 != 0
							return n == 1 || n > 3 || second, n == 1 || n > 3
						}
						other, to := (over+1)%3, [3]Amount{}
						to[other] = 60 // tells the rate
						p.after(to[:]...)
						for k := range to {
							to[k] += parts[k]
						}
						p.after(to[:]...)
						to[other] += 100
						p.after(to[:]...)
						if p.n != 3 {
							t.Fatalf("%d packets: not what this test is about", p.n)
						}
						p.end(over)
						if info, _ := p.m.ConnInfo(p.conn); info.Sent != p.went || info.Held != 0 {
							t.Errorf("sent %d, held %d; %d went, the receiver has %v", info.Sent, info.Held, p.went, p.totals)
						}
					})
				}
			}
		}
	}
}

// The path has become worse since its rate was looked for, within the slippage: a packet
// of two streams that has arrived, one of which is over, does not go out again for the other.
func TestPacketAtAWorseRateIsNotPaidAgain(t *testing.T) {
	p := newRated(t, Options{MaxPacketAmount: 100, SlippagePPM: 100_000}, 2, 96, 100)
	p.fate = func(n int) (arrives, tells bool) { return true, n > 1 }
	p.after(50, 50)
	if p.n != 1 {
		t.Fatalf("%d packets: not what this test is about", p.n)
	}
	p.end(1)
	if info, _ := p.m.StreamInfo(p.streams[0]); info.Sent != 50 || p.went > 102 {
		t.Errorf("sent %d, and %d went, of which 50 for the stream that is over", info.Sent, p.went)
	}
}

// The only packet that a total can be ahead by has arrived whole, at whatever rate.
func TestOnlyPacketInDoubtHasArrivedWhole(t *testing.T) {
	for _, num := range []uint64{96, 100, 104} {
		p := newRated(t, Options{RateNum: 1, RateDen: 1, MaxPacketAmount: 100, SlippagePPM: 100_000}, 1, num, 100)
		p.fate = func(n int) (arrives, tells bool) { return true, n > 1 }
		p.after(100)
		p.run(40 * second)
		if info, _ := p.m.ConnInfo(p.conn); info.Sent != 100 || p.went != 100 || info.Delivered != Amount(num) || info.Held != 0 {
			t.Errorf("sent %d, held %d, delivered %d; %d went", info.Sent, info.Held, info.Delivered, p.went)
		}
	}
}

// The total of a stream was told while one of its packets was in doubt, and then money of it
// is fulfilled by a reply that tells another's. By how much the books are ahead of the total
// since does not hide that the packet has arrived.
func TestTotalOfBeforeAFulfillIsNotTheLast(t *testing.T) {
	p := newSilentPayer(t, Options{MaxPacketAmount: 100}, 2)
	p.fate = func(n int) (arrives, tells bool) { return n != 2, n > 2 }
	answer := p.script
	p.script = func(a *probeAnswer, n int) []byte {
		b := answer(a, n)
		if p.n == 3 && a.prepare.Amount() > 0 {
			return a.fulfill(frame.StreamMaxMoney{StreamID: 1, ReceiveMax: maxAmount})
		}
		return b
	}
	p.after(0, 20) // arrives, unanswered
	p.run(4 * second)
	p.after(30, 0) // lost
	p.run(7 * second)
	p.ask() // the first is in doubt, and the other in flight
	p.deaf = true
	p.run(3 * second)
	p.after(0, 40) // fulfilled
	p.deaf = false
	p.run(40 * second)
	p.check(70)
	if p.totals[1] != 30 || p.totals[3] != 40 {
		t.Errorf("the receiver has %v", p.totals)
	}
}

// The money of a connection that is over becomes final once, whatever streams a packet pays.
func TestConnectionIsSettledOnce(t *testing.T) {
	for _, arrived := range []bool{false, true} {
		p := newSilentPayer(t, Options{MaxPacketAmount: 100}, 2)
		p.fate = func(int) (arrives, tells bool) { return arrived, false }
		p.after(60, 40)
		if err := p.m.DestroyConn(p.now, p.conn, frame.ApplicationError, ""); err != nil {
			t.Fatal(err)
		}
		settled := map[StreamHandle]int{}
		for range 60 {
			p.now += second
			p.m.HandleTimeout(p.now, p)
			for e, ok := p.m.PollEvent(); ok; e, ok = p.m.PollEvent() {
				if e.Kind == EventSettled {
					settled[e.Stream]++
				}
			}
		}
		for _, h := range []StreamHandle{0, p.streams[0], p.streams[1]} {
			if settled[h] != 1 {
				t.Errorf("arrived %v: stream %d is settled %d times", arrived, h, settled[h])
			}
		}
	}
}

// A receiver that lies about a total harms nobody else, and holds nothing for ever.
func TestTotalsThatLieEndWithTheConnection(t *testing.T) {
	for _, o := range []Options{{}, {RateNum: 1, RateDen: 1}, {RateNum: 1, RateDen: 7}} {
		for _, lie := range []Amount{1 << 40, 1 << 63, maxAmount - 1, maxAmount} {
			o.MaxPacketAmount = 100
			p := newSilentPayer(t, o, 3)
			p.fate = func(n int) (arrives, tells bool) { return n%2 == 0, n > 4 }
			for k := range Amount(4) {
				p.after(30*(k+1), 33*(k+1), 21*(k+1))
			}
			p.totals[1] = lie
			p.end(1)
			p.m.ReleaseStream(p.streams[1])
			p.pay(0, 1000)
			p.run(30 * second)
			if err := p.m.CloseConn(p.now, p.conn); err != nil {
				t.Fatal(err)
			}
			p.run(60 * second)
			if info, ok := p.m.ConnInfo(p.conn); !ok || !info.Closed || info.Held != 0 {
				t.Errorf("%d: %+v", lie, info)
			}
		}
	}
}

// A stream ends while its packet is in flight, and nothing else is sent: what is in doubt is
// asked for all the same, again when that is lost, and what has not arrived is free.
func TestDoubtOfTheOnlyStreamIsSettledAfterItsEnd(t *testing.T) {
	for _, lost := range []int{0, 1, 3} { // packets that ask
		p := newSilentPayer(t, Options{MaxPacketAmount: 100, IdleTimeout: -1}, 1)
		p.fate = func(int) (arrives, tells bool) { return false, false }
		p.after(100)
		if err := p.m.DestroyStream(p.now, p.streams[0], frame.ApplicationError, ""); err != nil {
			t.Fatal(err)
		}
		p.run(4 * second)
		if info, _ := p.m.ConnInfo(p.conn); info.Held != 100 || p.n != 1 {
			t.Fatalf("held %d, %d packets: not what this test is about", info.Held, p.n)
		}
		answer := p.script
		p.script = func(a *probeAnswer, n int) []byte {
			if lost--; lost >= 0 {
				return []byte{}
			}
			return answer(a, n)
		}
		p.run(60 * second)
		if info, _ := p.m.ConnInfo(p.conn); info.Held != 0 || info.Sent != 0 || info.Closed {
			t.Errorf("held %d, sent %d", info.Held, info.Sent)
		}
	}
}
