package stream

import (
	"fmt"
	"testing"

	"github.com/millrace-ilp/millrace/codec/ilp"
)

const ms = Instant(1e6)

// hose is a path between the two nodes of a world: so long, and with a place where
// one packet after the other passes, as quick or slow as it is.
type hose struct {
	*world
	oneWay  Instant
	service Instant // of each prepare; 0 is none
	room    int     // prepares that may wait for it, beyond which T03; 0 is no bound
	free    Instant // when the last one that waits has passed
	lines   [2][]timed
	most    int     // in flight, ever
	queued  Instant // the longest wait for service
	dropped int
}

type timed struct {
	at Instant
	e  Entry
}

func newHose(t testing.TB, roundTrip, service Instant) *hose {
	w := newWorld(t, Options{ReceiveMax: maxAmount}, Config{})
	w.max = 1
	return &hose{world: w, oneWay: roundTrip / 2, service: service}
}

// step is one instant: what has arrived is handed over, and what is written sent off.
func (p *hose) step(tick Instant) {
	p.now += tick
	for k, n := range [...]*node{p.a, p.b} {
		line := p.lines[k]
		var in []Entry
		for len(line) > 0 && line[0].at <= p.now {
			in, line = append(in, line[0].e), line[1:]
		}
		p.lines[k] = line
		n.m.HandleTimeout(p.now, n)
		n.deliver(in)
		p.sendOff(n)
	}
	p.most = max(p.most, p.a.m.Stats().InFlight)
	p.a.events, p.b.events = keep(p.a.events), keep(p.b.events)
}

// keep drops the events that a long payment makes without end.
func keep(events []Event) []Event {
	kept := events[:0]
	for _, e := range events {
		if e.Kind != EventMoneySent && e.Kind != EventMoneyReceived {
			kept = append(kept, e)
		}
	}
	return kept
}

func (p *hose) sendOff(from *node) {
	to, line := from.peer, 1
	if from == p.b {
		line = 0
	}
	for _, e := range from.queue {
		at := p.now + p.oneWay
		if e.Kind == Prepare {
			back := p.forward(from, &e)
			if back == nil && from == p.a && p.service > 0 {
				p.free = max(p.free, p.now) + p.service
				if wait := p.free - p.now; p.room > 0 && wait > Instant(p.room)*p.service {
					p.free -= p.service
					p.dropped++
					back = must(ilp.AppendReject(nil, ilp.T03, []byte("test.hub"), nil, nil))
					delete(p.waiting, p.key(from, e.Request))
				} else {
					p.queued = max(p.queued, wait)
					at = p.free + p.oneWay
				}
			}
			if back != nil {
				own := &p.lines[1-line]
				e = Entry{Kind: Reject, Link: from.link, Request: e.Request, Packet: back}
				at = p.now
				if n := len(*own); n > 0 {
					at = max(at, (*own)[n-1].at) // a line keeps its order
				}
				*own = append(*own, timed{at, e})
				continue
			}
		} else {
			p.settle(to, &e)
		}
		e.Link = to.link
		p.lines[line] = append(p.lines[line], timed{at, e})
	}
	from.queue = from.queue[:0]
}

// pays starts a payment in packets of one unit over a connection with its own settings.
func (p *hose) pays(o Options) (ConnHandle, StreamHandle) {
	p.t.Helper()
	o.RateNum, o.RateDen, o.MaxPacketAmount = 1, 1, 1
	c := p.connect(o)
	s, err := p.a.m.OpenStream(p.now, c)
	if err != nil {
		p.t.Fatal(err)
	}
	if err := p.a.m.SetSendMax(p.now, s, 1<<40); err != nil {
		p.t.Fatal(err)
	}
	return c, s
}

// rateOver runs the path for a while and answers how many packets a second arrived.
func (p *hose) rateOver(d, tick Instant) float64 {
	before := p.a.m.Stats().SentPackets
	for end := p.now + d; p.now < end; {
		p.step(tick)
	}
	return float64(p.a.m.Stats().SentPackets-before) * 1e9 / float64(d)
}

// ends stops the payment and checks the books to the unit.
func (p *hose) ends(c ConnHandle, s StreamHandle, tick Instant) {
	p.t.Helper()
	info, _ := p.a.m.StreamInfo(s)
	if err := p.a.m.SetSendMax(p.now, s, info.Sent+info.Held); err != nil {
		p.t.Fatal(err)
	}
	for end := p.now + 2*second; p.now < end && p.a.m.Stats().InFlight > 0; {
		p.step(tick)
	}
	total := p.a.m.Stats().Sent
	info, _ = p.a.m.StreamInfo(s)
	if info.Held != 0 || p.b.m.Stats().Released != total || p.taken != total || p.given != total || total == 0 {
		p.t.Fatalf("sent %d, held %d, received %d, the connector took %d and gave %d", total, info.Held, p.b.m.Stats().Released, p.taken, p.given)
	}
}

func TestLongPathIsFilledByOneConnection(t *testing.T) {
	p := newHose(t, 50*ms, 0)
	c, s := p.pays(Options{})
	p.rateOver(second, ms)
	if rate := p.rateOver(100*ms, ms); rate < 200_000 {
		t.Errorf("%.0f packets a second after the first second", rate)
	}
	if p.most > defaultInFlight || p.most < defaultInFlight/2 {
		t.Errorf("%d packets in flight at most", p.most)
	}
	p.ends(c, s, ms)
}

// The slowest place of a path bounds what is in flight, not the other way round.
func TestWindowFollowsWhatAPathHolds(t *testing.T) {
	for _, x := range []struct {
		roundTrip, service, tick Instant
		longest                  Instant // that a packet may wait after the first second
	}{
		{50 * ms, 10_000, ms, 20 * ms}, // holds 5,000
		{20 * ms, 20_000, ms, 10 * ms},
		{200 * ms, 40_000, 4 * ms, 80 * ms},
	} {
		t.Run(fmt.Sprintf("%dms, %dns a packet", x.roundTrip/ms, x.service), func(t *testing.T) {
			p := newHose(t, x.roundTrip, x.service)
			c, s := p.pays(Options{})
			p.rateOver(max(second, 20*x.roundTrip), x.tick)
			p.queued = 0
			rate, holds := p.rateOver(max(second/2, x.roundTrip), x.tick), 1e9/float64(x.service)
			if rate < 0.9*holds {
				t.Errorf("%.0f packets a second, %.0f would pass", rate, holds)
			}
			if p.queued > x.longest {
				t.Errorf("packets wait for %v ms", float64(p.queued)/1e6)
			}
			p.ends(c, s, x.tick)
		})
	}
}

// On a short path more in flight means nothing but queues.
func TestShortPathGetsNoMoreInFlightThanBefore(t *testing.T) {
	p := newHose(t, 100_000, 1000) // 0.1 ms, a million packets a second
	c, s := p.pays(Options{})
	if rate := p.rateOver(100*ms, 50_000); rate < 900_000 {
		t.Errorf("%.0f packets a second", rate)
	}
	if p.most > 2*shortFlight || p.queued > 1100_000 {
		t.Errorf("%d packets in flight, which waited for up to %d ns", p.most, p.queued)
	}
	p.ends(c, s, 50_000)
}

func TestWindowFindsALongerPath(t *testing.T) {
	p := newHose(t, ms, 15_000)
	c, s := p.pays(Options{})
	p.rateOver(100*ms, 200_000)
	p.oneWay = 25 * ms // the route has changed
	p.rateOver(6*second, 5*ms)
	if rate := p.rateOver(second/2, 5*ms); rate < 50_000 {
		t.Errorf("%.0f packets a second", rate)
	}
	p.ends(c, s, ms)
}

// A pause of the path in the middle of the opening looks like a queue and is none.
func TestHiccupDoesNotKeepTheWindowSmall(t *testing.T) {
	p := newHose(t, 50*ms, 0)
	c, s := p.pays(Options{})
	p.rateOver(320*ms, ms)
	p.oneWay = 75 * ms
	p.rateOver(100*ms, ms)
	p.oneWay = 25 * ms
	p.rateOver(second, ms)
	if rate := p.rateOver(100*ms, ms); rate < 50_000 {
		t.Errorf("%.0f packets a second", rate)
	}
	p.ends(c, s, ms)
}

func TestCongestedLongPathIsBackedOffFrom(t *testing.T) {
	p := newHose(t, 50*ms, 20_000)
	p.room = 100 // 2 ms: no queue warns
	c, s := p.pays(Options{})
	p.rateOver(3*second, ms)
	before := p.dropped
	rate := p.rateOver(5*second, ms)
	if lost := p.dropped - before; float64(lost) > 0.1*5*rate {
		t.Errorf("%d of %.0f packets were refused", lost, 5*rate)
	}
	if rate < 10_000 {
		t.Errorf("%.0f packets a second of 50,000", rate)
	}
	p.ends(c, s, ms)
}

func TestTwoConnectionsShareALongPath(t *testing.T) {
	p := newHose(t, 50*ms, 20_000)
	c, s := p.pays(Options{})
	p.rateOver(second, ms)
	_, other := p.pays(Options{})
	p.rateOver(2*second, ms)
	first, second2 := p.sent(s), p.sent(other)
	p.rateOver(second, ms)
	x, y := float64(p.sent(s)-first), float64(p.sent(other)-second2)
	if x+y < 0.9*50_000 || y < 0.1*x || x < 0.1*y {
		t.Errorf("of 50,000 packets one sent %.0f, the other %.0f", x, y)
	}
	_ = p.a.m.SetSendMax(p.now, other, p.sent(other)+p.held(other))
	p.ends(c, s, ms)
}

func (p *hose) sent(s StreamHandle) Amount { i, _ := p.a.m.StreamInfo(s); return i.Sent }
func (p *hose) held(s StreamHandle) Amount { i, _ := p.a.m.StreamInfo(s); return i.Held }
