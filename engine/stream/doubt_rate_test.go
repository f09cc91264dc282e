package stream

import (
	"maps"
	"testing"

	"github.com/millrace-ilp/millrace/codec/frame"
	"github.com/millrace-ilp/millrace/codec/ilp"
)

// changer is a client that pays over several streams, along a path whose rate is another
// than the one it has.
type changer struct {
	*probeReceiver
	streams []StreamHandle
	at      rate              // of the path
	totals  map[uint64]Amount // what the receiver has of each stream
	cost    map[uint64]Amount // and what that has cost
	n       int               // packets with money
	// fate is what becomes of the nth: what less of it arrives than by the rate, and whether
	// it is answered.
	fate func(n int) (less Amount, tells bool)
}

func newChanger(t *testing.T, o Options, streams int) *changer {
	t.Helper()
	o.Expiry, o.SlippagePPM = 5e9, 500_000
	p := &changer{probeReceiver: newProbeClient(t, Config{}, o), at: rate{1, 1}, totals: map[uint64]Amount{}, cost: map[uint64]Amount{}}
	p.streams = []StreamHandle{p.stream}
	for len(p.streams) < streams {
		s, err := p.m.OpenStream(p.now, p.conn)
		if err != nil {
			t.Fatal(err)
		}
		p.streams = append(p.streams, s)
	}
	p.run(second)
	p.fate = func(int) (Amount, bool) { return 0, true }
	p.script = func(a *probeAnswer, _ int) []byte {
		amount, tells := p.at.dest(a.prepare.Amount()), true
		if amount > 0 {
			p.n++
			var less Amount
			less, tells = p.fate(p.n)
			amount -= less
		}
		for it := a.packet.Frames(); it.Next(); {
			if it.Type() == frame.TypeStreamMoney {
				f, _ := frame.ParseStreamMoney(it.Body())
				p.totals[f.StreamID] += amount // the packet pays one stream
				if amount > 0 {
					p.cost[f.StreamID] += a.prepare.Amount()
				}
			}
		}
		if !tells {
			return []byte{}
		}
		var tell []appender
		for k := range p.streams {
			id := uint64(2*k + 1)
			tell = append(tell, frame.StreamMaxMoney{StreamID: id, ReceiveMax: maxAmount, TotalReceived: p.totals[id]})
		}
		if !a.fulfillable {
			return a.rejectWith(ilp.F99, p.peer.seal(streamText(ilp.TypeReject, a.packet.Sequence, amount, tell...)))
		}
		return a.fulfillWith(a.fulfillment, p.peer.seal(streamText(ilp.TypeFulfill, a.packet.Sequence, amount, tell...)))
	}
	return p
}

// pay raises the send maximum of a stream, and lets time pass.
func (p *changer) pay(k int, sendMax Amount, d Instant) {
	p.t.Helper()
	if err := p.m.SetSendMax(p.now, p.streams[k], sendMax); err != nil {
		p.t.Fatal(err)
	}
	p.run(d)
}

// check compares what was sent, and in how many packets, and what the receiver has.
func (p *changer) check(sent Amount, packets int, has map[uint64]Amount) {
	p.t.Helper()
	info, _ := p.m.ConnInfo(p.conn)
	if info.Sent != sent || info.Held != 0 || p.n != packets || !maps.Equal(p.totals, has) {
		p.t.Fatalf("sent %d in %d packets, want %d in %d; held %d; the receiver has %v, want %v", info.Sent, p.n, sent, packets, info.Held, p.totals, has)
	}
}

// arrivesUnanswered has some packets arrive of which nobody hears.
func arrivesUnanswered(from, to int) func(int) (Amount, bool) {
	return func(n int) (Amount, bool) { return 0, n < from || n > to }
}

// The rate that was looked for is 1; it has fallen to 99/100 since, which the last
// packet told.
func TestDoubtIsReckonedAtTheRateOfTheLastPacket(t *testing.T) {
	p := newChanger(t, Options{MaxPacketAmount: 100}, 1)
	p.at, p.fate = rate{99, 100}, arrivesUnanswered(4, 5)
	p.pay(0, 1000, 30*second)
	p.check(1000, 10, map[uint64]Amount{1: 990})
}

// The rate has fallen from 9/10 to 8/10; of the last packet, 4 units, 3 arrive by either.
func TestDoubtIsNotReckonedAtTheRateOfAFewUnits(t *testing.T) {
	p := newChanger(t, Options{RateNum: 9, RateDen: 10, MaxPacketAmount: 1000}, 2)
	p.at, p.fate = rate{8, 10}, arrivesUnanswered(4, 5)
	p.pay(0, 5000, second)
	p.pay(1, 4, 30*second)
	p.check(5004, 6, map[uint64]Amount{1: 4000, 3: 3})
}

// The rate rises from 1 to 14/10 after the packets in doubt have arrived: what is just their
// sum by the rate before is not one of them and a part of another by the one of now.
func TestDoubtIsReckonedAtTheRateBeforeIfThatIsWhatHasCome(t *testing.T) {
	p := newChanger(t, Options{MaxPacketAmount: 100}, 2)
	p.fate = func(n int) (less Amount, tells bool) {
		if n == 4 {
			less = 100 // it is lost
		}
		return less, n < 2 || n > 4
	}
	p.pay(0, 400, second)
	p.at = rate{14, 10}
	p.pay(1, 100, 30*second)
	p.check(500, 6, map[uint64]Amount{1: 440, 3: 140})
}

// The same, where the receiver has given the stream a unit of another's. Nobody knows that it
// is none of ours: it counts, so that no stream sends more than it may.
func TestDoubtIsReckonedAtTheRateBeforeIfThatIsNearlyWhatHasCome(t *testing.T) {
	p := newChanger(t, Options{MaxPacketAmount: 100}, 2)
	p.fate = func(n int) (less Amount, tells bool) {
		if n == 4 {
			less = 100 // it is lost
		}
		return less, n < 2 || n > 4
	}
	p.pay(0, 400, second)
	p.at = rate{14, 10}
	p.totals[1]++
	p.totals[3]--
	p.pay(1, 100, 30*second)
	p.check(500, 6, map[uint64]Amount{1: 439, 3: 139})
}

// The rate is a half all the while, and was looked for when it was 1; what was told of it is
// 500 of 1001. Six packets of 1000 are in doubt, and those that have arrived are no fewer
// that came at 1.
func TestDoubtIsNotReckonedAtAnotherRateBecauseOfRounding(t *testing.T) {
	for lost := range 6 {
		p := newChanger(t, Options{MaxPacketAmount: 1001}, 2)
		p.at = rate{1, 2}
		p.pay(0, 1001, second)
		first := p.n + 1
		p.fate = func(n int) (less Amount, tells bool) {
			if n >= first && n < first+lost {
				less = 500
			}
			return less, n < first || n >= first+6
		}
		for k := range 6 {
			p.pay(0, 1001+1000*Amount(k+1), 10*ms)
		}
		p.run(40 * second)
		if info, _ := p.m.ConnInfo(p.conn); info.Sent != 7001 || info.Held != 0 || p.cost[1] != 7001 {
			t.Errorf("%d are lost: sent %d, held %d, it cost %d", lost, info.Sent, info.Held, p.cost[1])
		}
	}
}

// Of a packet of 4 units 1 arrives, by the rate that was looked for and by that of the path;
// a larger one before has told the latter.
func TestDoubtIsReckonedAtTheRateOfTheLargestPacketToldOf(t *testing.T) {
	p := newChanger(t, Options{RateNum: 311, RateDen: 1000, MaxPacketAmount: 1000}, 2)
	p.at = rate{289, 1000}
	p.pay(0, 1000, second)
	p.pay(1, 4, second)
	p.fate = func(n int) (less Amount, tells bool) {
		if n > 12 && n <= 18 {
			less = 289 // they are lost, and the ten before them only not answered
		}
		return less, n > 18
	}
	p.pay(0, 17_000, 40*second)
	if info, _ := p.m.ConnInfo(p.conn); info.Sent != 17_004 || info.Held != 0 || p.cost[1] != 17_000 {
		t.Errorf("sent %d, held %d, it cost %v", info.Sent, info.Held, p.cost)
	}
}

// Of a packet that is refused nothing has arrived: it says nothing of the rate of others.
func TestPacketOfWhichNothingArrivesTellsNoRate(t *testing.T) {
	p := newChanger(t, Options{RateNum: 9, RateDen: 10, MaxPacketAmount: 1000}, 2)
	p.at = rate{8, 10}
	p.pay(0, 1000, second)
	answer := p.script
	p.script = func(a *probeAnswer, n int) []byte {
		if a.prepare.Amount() != 2 {
			return answer(a, n)
		}
		p.script = answer
		return a.rejectWith(ilp.F99, p.peer.seal(streamText(ilp.TypeReject, a.packet.Sequence, 0)))
	}
	p.pay(1, 2, 10*ms)
	if info, _ := p.m.ConnInfo(p.conn); info.LastDen != 2 || info.LastNum != 0 {
		t.Fatalf("%d of %d have arrived: not what this test is about", info.LastNum, info.LastDen)
	}
	p.pay(1, 0, 10*ms) // it is not sent again
	p.fate = arrivesUnanswered(2, 4)
	p.pay(0, 4000, 40*second)
	if p.cost[1] != 4000 {
		t.Errorf("it cost %v", p.cost)
	}
}

// The rate falls to 996/1000 while only a packet of 200 is told of, of which 199 arrive: a
// packet of a million in doubt has arrived whole.
func TestDoubtIsReckonedAsPreciselyAsWasTold(t *testing.T) {
	p := newChanger(t, Options{MaxPacketAmount: 1_000_000}, 1)
	p.pay(0, 1_000_000, second)
	p.at = rate{996, 1000}
	p.pay(0, 1_000_200, second)
	p.fate = arrivesUnanswered(p.n+1, p.n+1)
	p.pay(0, 2_000_200, 40*second)
	p.check(2_000_200, 3, map[uint64]Amount{1: 1_996_199})
}

// While stream 1 has money in doubt, that of stream 2, which was sent before, is in flight
// still: what is told meanwhile says nothing, and is asked for again.
func TestDoubtIsAskedForAgainOnceOtherMoneyIsAnswered(t *testing.T) {
	for _, over := range []bool{false, true} {
		p := newChanger(t, Options{MaxPacketAmount: 100, IdleTimeout: -1}, 2)
		answer, request := p.script, uint32(0)
		var late []byte
		p.fate = func(n int) (less Amount, tells bool) {
			if n == 1 {
				return 100, false // it is lost
			}
			return 0, true
		}
		p.script = func(a *probeAnswer, n int) []byte {
			b := answer(a, n)
			if p.n == 2 && late == nil {
				late, request = b, a.request
				return []byte{}
			}
			return b
		}
		p.pay(0, 100, 9500*ms)
		if over {
			if err := p.m.DestroyStream(p.now, p.streams[0], frame.ApplicationError, ""); err != nil {
				t.Fatal(err)
			}
		}
		p.pay(1, 50, 3500*ms)
		if info, _ := p.m.ConnInfo(p.conn); info.Held != 150 || late == nil {
			t.Fatalf("held %d: not what this test is about", info.Held)
		}
		p.m.Handle(p.now, []Entry{{Kind: Fulfill, Link: p.link, Request: request, Packet: late}}, p)
		p.run(30 * second)
		want := map[bool]Amount{false: 150, true: 50}[over]
		if info, _ := p.m.ConnInfo(p.conn); info.Held != 0 || info.Sent != want {
			t.Errorf("over %v: held %d, sent %d, want %d", over, info.Held, info.Sent, want)
		}
	}
}

// At 125 for 2, a unit less has come of a packet in doubt than was foretold: it was both units
// of ours that brought it, and not one of them.
func TestDoubtOfMoreThanAUnitIsNotSentAgain(t *testing.T) {
	p := newChanger(t, Options{RateNum: 125, RateDen: 2, MaxPacketAmount: 2}, 1)
	p.at = rate{125, 2}
	p.fate = func(n int) (less Amount, tells bool) {
		if n == 2 {
			return 1, false
		}
		return 0, true
	}
	p.pay(0, 6, 30*second)
	p.check(6, 3, map[uint64]Amount{1: 374})
}
