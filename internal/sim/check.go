package sim

import "github.com/millrace-ilp/millrace/engine/stream"

// check holds the machine's figures to the books, for every flow that the step
// has touched.
func (n *node) check() {
	touched := n.touched
	n.touched = n.touched[:0]
	for _, f := range touched {
		if f.origin == n && f.from != 0 {
			n.checkSender(f)
		}
		if f.dest == n && f.to != 0 {
			n.checkReceiver(f)
		}
	}
}

func (n *node) checkSender(f *flow) {
	o := n.w.oracle
	o.age(f, int64(n.now()), n.grace)
	info, ok := n.d.m.ConnInfo(f.from)
	if !ok {
		return
	}
	sent, held := uint64(info.Sent), uint64(info.Held)
	if !f.must.atMost(sent) {
		o.violate("M1", "%d is sent, but more was fulfilled: %s", sent, f.describe())
	}
	if most := f.must.plus(f.may).plus(f.open); !most.atLeast(sent) {
		o.violate("M1", "%d is sent, but less can have been fulfilled: %s", sent, f.describe())
	}
	if !f.fresh.atMost(held) {
		o.violate("M1", "%d is held, but more is in flight: %s", held, f.describe())
	}
	if !f.open.atLeast(held) {
		o.violate("M1", "%d is held, but less is unanswered: %s", held, f.describe())
	}
	all := sum{lo: sent}
	all.add(held)
	if f.sendMax.less(all) {
		o.violate("M1", "%d sent and %d held pass the send maximum %d: %s", sent, held, f.sendMax.lo, f.describe())
	}
	if c := n.byConn[f.from]; c != nil && o.honest && !f.c.forgotten && n.w.constant() && n.w.even() {
		for _, s := range c.streams {
			n.checkSent(f, s)
		}
	}
	// A connection that is over has no keys any more to read a reply with.
	delivered := uint64(info.Delivered)
	exact := f.must.is(sent) && f.claimed.hi == 0 && f.may == (sum{})
	if exact && !f.claimed.is(delivered) && !(info.Closed && f.claimed.atLeast(delivered) && f.least.atMost(delivered)) {
		o.violate("M8", "%d is delivered, but the replies say %d: %s", info.Delivered, f.claimed.lo, f.describe())
	}
}

// checkSent holds what a stream counts as sent to what its receiver has released: a packet of
// which nobody heard counts by the receiver's totals, which tell the truth where every rate
// is one to one.
func (n *node) checkSent(f *flow, s *appStream) {
	i, ok := n.d.m.StreamInfo(s.h)
	if !ok || s.released {
		return
	}
	os := f.stream(s.id)
	if !os.source.atLeast(uint64(i.Sent)) {
		n.w.violate("M12", "stream %d has sent %d, what was released of it cost %d: %s", s.id, i.Sent, os.source.lo, f.describe())
	}
}

func (n *node) checkReceiver(f *flow) {
	o := n.w.oracle
	if f.released.less(f.paid) {
		o.violate("M3", "more was paid than credited: %s", f.describe())
	}
	info, ok := n.d.m.ConnInfo(f.to)
	if !ok {
		return
	}
	if !f.here().is(uint64(info.Received)) {
		o.violate("M3", "%d is received, but fulfills say otherwise: %s", info.Received, f.describe())
	}
	if n.ledger && f.durable.less(f.released) {
		o.violate("M11", "more is received than durable: %s", f.describe())
	}
	if f.released.less(f.moneyReceived) {
		o.violate("M11", "events tell of more than was received: %s", f.describe())
	}
	c := n.byConn[f.to]
	if c == nil {
		return
	}
	for _, s := range c.streams {
		if s.released {
			continue
		}
		i, ok := n.d.m.StreamInfo(s.h)
		if !ok {
			continue
		}
		n.checkStream(f, s, &i)
	}
}

func (n *node) checkStream(f *flow, s *appStream, i *stream.StreamInfo) {
	o := n.w.oracle
	os := f.stream(i.ID)
	if !os.least.atMost(uint64(i.Received)) {
		o.violate("M7", "stream %d has received %d, its parts are at least %d: %s", i.ID, i.Received, os.least.lo, f.describe())
	}
	limit := uint64(i.ReceiveMax)
	if most, carry := limit+limit/100+1, limit > ^uint64(0)-limit/100-1; !carry && uint64(i.Received) > most {
		o.violate("M7", "stream %d has received %d, its maximum is %d: %s", i.ID, i.Received, limit, f.describe())
	}
	if os.advertised > limit {
		o.violate("M7", "stream %d advertises %d, its maximum is %d", i.ID, os.advertised, limit)
	}
	if end := s.read + uint64(i.Readable); end > os.windowTold {
		o.violate("D2", "stream %d has taken %d octets, %d of them unread; the window it told ends at %d", i.ID, end, i.Readable, os.windowTold)
	}
	if most := widest(&s.c.options); i.Readable > most {
		o.violate("D2", "stream %d holds %d octets unread; its window is %d at most", i.ID, i.Readable, most)
	}
}

// widest is how far a stream's window grows.
func widest(o *stream.Options) int {
	if o.MaxStreamWindow == 0 {
		return 1 << 20
	}
	return max(o.MaxStreamWindow, o.StreamWindow)
}
