package stream

import (
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/millrace-ilp/millrace/codec/echo"
	"github.com/millrace-ilp/millrace/codec/ilp"
)

// mill is two machines with two links between them and a path that does anything: it
// loses, refuses, spoils and reorders packets. All its dice are one generator's, so
// that two mills of one seed do the same as long as their machines do.
type mill struct {
	t       *testing.T
	rng     *rand.Rand
	now     Instant
	ends    [2]*millEnd // the first opens connections, the second serves them
	tokens  *Tokens
	rate    rate // from the first to the second
	max     Amount
	bad     int // of a hundred packets
	vector  int
	down    [2]bool
	conns   []ConnHandle
	log     []string // packets, events and states
	echoes  uint32
	calm    int             // how seldom anything happens but payments on one stream
	huge    bool            // amounts near 2^64
	strange map[uint32]bool // requests of a stranger's, whose echoes come back
	back    [2][]Entry      // answers of his
}

type crossingID struct {
	from, link int
	request    uint32
}

// millEnd is one machine. It gives out no more room than it has said.
type millEnd struct {
	w       *mill
	n       int
	m       *Machine
	links   [2]LinkHandle
	room    int
	used    [2]int
	queue   [2][]millEntry
	streams []StreamHandle
	open    map[crossingID]bool
}

type millEntry struct {
	Entry
	over bool // written beyond the room
}

func (x *millEnd) which(h LinkHandle) int {
	if h == x.links[0] {
		return 0
	}
	return 1
}

func (x *millEnd) Room(h LinkHandle) int { return x.room - x.used[x.which(h)] }

func (x *millEnd) write(kind Kind, h LinkHandle, request uint32, n int) []byte {
	l := x.which(h)
	x.used[l] += n + 30
	e := millEntry{Entry: Entry{Kind: kind, Request: request, Packet: make([]byte, n)}, over: x.used[l] > x.room}
	x.queue[l] = append(x.queue[l], e)
	return e.Packet
}

func (x *millEnd) Reply(h LinkHandle, request uint32, n int) []byte {
	return x.write(Fulfill, h, request, n)
}

func (x *millEnd) Request(h LinkHandle, request uint32, n int) []byte {
	return x.write(Prepare, h, request, n)
}
func (x *millEnd) Forward(int, Entry) { panic("no other shard") }

func (w *mill) one(n int) bool { return w.rng.IntN(n) == 0 }

func (w *mill) amount() Amount {
	if w.huge && w.one(3) {
		return maxAmount >> w.rng.Uint64N(3)
	}
	return Amount(w.rng.Uint64N(uint64(w.max) << w.rng.Uint64N(9)))
}

// options are some, rarely all of them at once.
func (w *mill) options() Options {
	o := Options{SlippagePPM: w.rng.IntN(3) * 400_000, Congestion: Congestion(w.rng.IntN(3))}
	some := func(f func()) {
		if w.one(5 * w.calm) {
			f()
		}
	}
	some(func() { o.MaxPacketAmount = 1 + w.amount()>>w.rng.Uint64N(6) })
	some(func() { o.MaxInFlightAmount = 1 + w.amount() })
	some(func() { o.MaxInFlightOctets = 200 + w.rng.IntN(5000) })
	some(func() { o.MaxInFlight = 1 + w.rng.IntN(20) })
	some(func() { o.PacketsPerSecond = 1 + w.rng.IntN(200) })
	some(func() { o.RateNum, o.RateDen = w.rate.num, w.rate.den })
	some(func() { o.SleepAfter = 1e9 })
	some(func() { o.IdleTimeout = 4e9 })
	some(func() { o.Expiry = 3e9 })
	some(func() { o.RetryFor = 2e9 })
	if w.one(12 * w.calm) {
		o.Padding = true
	}
	o.HideAddress = w.one(6)
	switch w.rng.IntN(4) {
	case 0:
		o.ReceiveMax = maxAmount
	case 1, 2:
		o.ReceiveMax = w.amount() // soon reached, and passed where the rate moves
	default:
		o.ReceiveMax = Amount(1) << (8 + w.rng.Uint64N(50))
	}
	return o
}

func newMill(t *testing.T, seed uint64, unplain bool) *mill {
	w := &mill{t: t, rng: rand.New(rand.NewPCG(seed, 5)), now: 1_700_000_000_000_000_000, strange: map[uint32]bool{}}
	w.rate = rate{1 + w.rng.Uint64N(30), 1 + w.rng.Uint64N(30)}
	w.max = Amount(1) << (6 + w.rng.Uint64N(20))
	w.huge = w.one(6)
	w.calm = 1 + 5*min(w.rng.IntN(4), 1)
	if w.huge {
		w.rate.num = w.rate.den
		w.max = maxAmount
	}
	w.bad = w.rng.IntN(4) * w.rng.IntN(5)
	w.vector = 1 + w.rng.IntN(100)
	w.tokens, _ = NewTokens(testSecret[:])
	cfg := Config{Ledger: w.one(8 * w.calm), Decide: w.one(8 * w.calm), MaxHolds: 40, MaxConnections: 50, MaxStreams: 100, MaxRequests: 1 << (6 + w.rng.Uint64N(8))}
	if w.one(8) {
		cfg.MaxBuffered = 20_000
	}
	room := 1 << 20
	if w.one(3) {
		room = maxPrepareRoom + w.rng.IntN(30_000)
	}
	for n := range w.ends {
		cfg.Seed = seeded(byte(n))
		x := &millEnd{w: w, n: n, m: New(cfg), room: room, open: map[crossingID]bool{}}
		x.m.unplain = unplain
		w.ends[n] = x
		var server ServerID
		if n == 1 {
			sc := ServerConfig{Tokens: w.tokens, Options: w.options(), Decide: w.one(15)}
			if w.one(8) {
				sc.Expiry = func(now Instant, _ []byte) Instant { return now + 2*second }
			}
			var err error
			if server, err = x.m.AddServer(sc); err != nil {
				t.Fatal(err)
			}
		}
		for l := range x.links {
			lc := LinkConfig{Address: []byte("test.hub.alice"), AssetCode: []byte("USD"), AssetScale: 9, Account: 1, Server: server, Echo: true}
			if n == 1 {
				lc.Address = []byte("test.hub.bob")
			}
			if w.one(4) {
				lc.Window = 1 + w.rng.IntN(40)
			}
			if w.one(6) {
				lc.WindowAmount = 1 + w.amount()*2
			}
			if w.one(6) {
				lc.WindowOctets = 300 + w.rng.IntN(5000)
			}
			var err error
			if x.links[l], err = x.m.AddLink(lc); err != nil {
				t.Fatal(err)
			}
		}
	}
	return w
}

func (w *mill) note(format string, a ...any) { w.log = append(w.log, fmt.Sprintf(format, a...)) }

// drain polls everything, and lets go of what is over.
func (x *millEnd) drain() {
	for range 1000 {
		e, ok := x.m.PollEvent()
		if !ok {
			h, ready := x.m.PollReady()
			if !ready {
				return
			}
			x.m.Transmit(x.w.now, h, x)
			continue
		}
		x.w.note("end %d: event %+v", x.n, e)
		switch e.Kind {
		case EventStreamOpened:
			x.streams = append(x.streams, e.Stream)
		case EventHold:
			switch d := x.w.rng.IntN(8); d {
			case 0:
				_ = x.m.Decide(x.w.now, e.Hold, Decline, x)
			case 1:
				_ = x.m.Refuse(x.w.now, e.Hold, "no", x)
			case 2: // it is forgotten
			default:
				_ = x.m.Decide(x.w.now, e.Hold, Accept, x)
			}
		case EventStreamClosed:
			if i, ok := x.m.StreamInfo(e.Stream); ok && i.Held == 0 {
				x.m.ReleaseStream(e.Stream)
			}
		case EventClosed:
			if i, ok := x.m.ConnInfo(e.Conn); ok && i.Held == 0 {
				x.m.ReleaseConn(e.Conn)
			}
		case EventSettled:
			if e.Stream != 0 {
				x.m.ReleaseStream(e.Stream)
			} else {
				x.m.ReleaseConn(e.Conn)
			}
		}
	}
	x.w.t.Fatal("events without end")
}

// pass hands what one end has written on a link to the other.
func (w *mill) pass(n, l int) bool {
	from, to := w.ends[n], w.ends[1-n]
	batch := from.queue[l]
	from.queue[l], from.used[l] = nil, 0
	var in, back []Entry
	for _, e := range batch {
		id := crossingID{n, l, e.Request}
		if e.Kind != Prepare {
			id.from = 1 - n
			if ilp.PeekType(e.Packet) == ilp.TypeReject {
				e.Kind = Reject
			}
		}
		w.log = append(w.log, fmt.Sprintf("end %d link %d: %d ", n, l, e.Kind)+string(e.Packet))
		if e.Kind != Prepare && w.strange[e.Request] && !to.open[id] {
			continue
		}
		if e.over && e.Kind == Fulfill {
			w.t.Fatal("a credit was released whose fulfill found no room")
		}
		spoilt := w.rng.IntN(100) < w.bad
		if w.down[l] || spoilt && w.one(3) {
			continue // lost
		}
		e.Link = to.links[l]
		if e.Kind == Prepare {
			p, err := ilp.ParsePrepare(e.Packet)
			if err != nil {
				w.t.Fatal(err)
			}
			if string(p.Destination()) == "test.hub.stranger" {
				f, _ := ilp.AppendFulfill(nil, &testSecret, make([]byte, 20_000))
				w.back[l] = append(w.back[l], Entry{Kind: Fulfill, Link: from.links[l], Request: e.Request, Packet: f})
				continue
			}
			if spoilt || n == 0 && p.Amount() > w.max {
				r := ilp.T04
				var data []byte
				switch w.rng.IntN(4) {
				case 0:
					r = ilp.T00
				case 1:
					r = ilp.R00
				}
				if p.Amount() > w.max {
					if r = ilp.F08; w.one(2) {
						data = ilp.AppendTooLarge(nil, p.Amount(), w.max)
					}
				}
				back = append(back, Entry{Kind: Reject, Link: from.links[l], Request: e.Request, Packet: must(ilp.AppendReject(nil, r, []byte("test.hub"), nil, data))})
				continue
			}
			if n == 0 {
				p.SetAmount(w.rate.dest(p.Amount()))
			}
			switch w.rng.IntN(80) { // the rate has moved
			case 0, 1:
				p.SetAmount(satAdd(p.Amount(), p.Amount()>>w.rng.Uint64N(8)))
			case 2:
				p.SetAmount(p.Amount() / 2)
			}
			if from.open[id] {
				w.t.Fatal("a request id is used while it is open")
			}
			from.open[id] = true
		} else {
			delete(to.open, id)
			if spoilt && e.Kind == Fulfill { // proven, and not to be read
				e.Packet[len(e.Packet)-1] ^= 1
			}
		}
		in = append(in, e.Entry)
		if spoilt && len(in) > 1 || w.one(40) && len(in) > 1 {
			k := w.rng.IntN(len(in))
			in[k], in[len(in)-1] = in[len(in)-1], in[k]
		}
	}
	if n == 0 {
		in = w.stranger(l, in)
	}
	for _, half := range []struct {
		x  *millEnd
		in []Entry
	}{{to, in}, {from, back}} {
		for in := half.in; len(in) > 0; {
			k := min(w.vector, len(in))
			half.x.m.Handle(w.now, in[:k], half.x)
			in = in[k:]
		}
		half.x.drain()
	}
	return len(batch) > 0
}

// stranger adds to what the second end is given on a link.
func (w *mill) stranger(l int, in []Entry) []Entry {
	for range w.rng.IntN(4) * w.rng.IntN(3) / 2 {
		w.echoes++
		w.strange[w.echoes] = true
		data, _ := echo.AppendRequestData(nil, []byte("test.hub.stranger"))
		condition := sha256.Sum256(testSecret[:])
		p := must(ilp.AppendPrepare(nil, &ilp.PrepareFields{
			Amount: 5, Expiry: ilp.MakeTimestamp(w.now.unixMs() + 5000), Condition: condition, Destination: []byte("test.hub.bob"), Data: data,
		}))
		in = append(in, Entry{Kind: Prepare, Link: w.ends[1].links[l], Request: w.echoes, Packet: p})
	}
	for _, e := range w.back[l] {
		k := w.rng.IntN(len(in) + 1)
		in = append(in, Entry{})
		copy(in[k+1:], in[k:])
		in[k] = e
	}
	w.back[l] = nil
	return in
}

// run lets things happen for a while.
func (w *mill) run(d Instant) {
	end := w.now + d
	for range 3000 {
		moved := false
		for n, x := range w.ends {
			x.drain()
			for l := range x.links {
				moved = w.pass(n, l) || moved
			}
			for _, c := range x.m.Staged() {
				w.note("end %d: credit %+v", n, c)
				if !w.one(30) {
					x.m.Committed(w.now, c.Seq, x)
				}
			}
		}
		if moved {
			w.now += Instant(w.rng.IntN(3)) * 1e6
			continue
		}
		next := end
		for _, x := range w.ends {
			if t, ok := x.m.NextTimeout(); ok {
				next = min(next, max(t, w.now+1))
			}
		}
		if next >= end {
			break
		}
		w.now = next
		for _, x := range w.ends {
			x.m.HandleTimeout(w.now, x)
		}
	}
	w.now = max(w.now, end)
	w.state()
}

// state notes all that the machines know.
func (w *mill) state() {
	var b strings.Builder
	for n, x := range w.ends {
		m := x.m
		for i := m.conns.Next(0); i != 0; i = m.conns.Next(i) {
			at, _ := m.connTimers.Deadline(i)
			c := *m.conns.At(i)
			cold, names := *m.coldOf(&c), [][]byte{m.peerOf(&c), m.localOf(&c), m.tagOf(&c)}
			cold.expiry, cold.receipts = nil, nil
			c.cold, c.names = 0, 0 // what they name is told, not where it is
			fmt.Fprintf(&b, "end %d: conn %d, timer %d: %+v %+v %q\n", n, i, at, c, cold, names)
		}
		for self := m.connPlaces.Next(0); self != 0; self = m.connPlaces.Next(self) {
			if at := m.connPlaces.At(self); at&foldedBit != 0 {
				var c conn
				streams, _ := m.readFold(&c, m.folds.At(at&^foldedBit))
				fmt.Fprintf(&b, "end %d: conn %d, folded with %d streams: %+v\n", n, self, streams, c)
			}
		}
		for i := m.streams.Next(0); i != 0; i = m.streams.Next(i) {
			s := *m.streams.At(i)
			cold := *m.coldStreamOf(&s)
			s.cold = 0
			fmt.Fprintf(&b, "end %d: stream %d: %+v %+v\n", n, i, s, cold)
		}
		for i := m.slots.Next(0); i != 0; i = m.slots.Next(i) {
			s := *m.slots.At(i)
			if at, ok := m.slotTimers.Deadline(i); ok && at > int64(m.deadlineOf(&s)) {
				fmt.Fprintf(&b, "end %d: slot %d, timer %d after its deadline\n", n, i, at)
			}
			fmt.Fprintf(&b, "end %d: slot %d, due %d: %+v\n", n, i, m.deadlineOf(&s), s)
		}
		for _, h := range x.links {
			l := *m.linkOf(h)
			ready := l.ready.Len()
			l.ready = nil
			fmt.Fprintf(&b, "end %d: link, %d ready: %+v\n", n, ready, l)
		}
		fmt.Fprintf(&b, "end %d: %+v %d\n", n, m.Stats(), m.trips.Count())
	}
	w.note("%s", b.String())
}
