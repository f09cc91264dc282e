package stream

import (
	"crypto/sha256"
	"encoding/binary"
	"math/rand/v2"
	"testing"

	"github.com/millrace-ilp/millrace/codec/ilp"
)

// world is two machines and a connector between them, on a virtual clock.
type world struct {
	t       testing.TB
	now     Instant
	a, b    *node // a opens connections, b serves them
	rate    rate
	max     Amount // the path's maximum packet, in a's units
	f08Data bool
	down    bool
	// hook sees every packet before it is passed on; false swallows it.
	hook func(from *node, e *Entry) bool
	// answer may replace the answer to a prepare.
	refuse  func(from *node, p *ilp.Prepare) []byte
	vector  int // packets handed over in one vector; 0 means all
	taken   Amount
	given   Amount
	waiting map[uint64]crossing
}

type crossing struct {
	condition [32]byte
	in, out   Amount
}

type node struct {
	w      *world
	m      *Machine
	link   LinkHandle
	peer   *node
	queue  []Entry // written by this node, on the way
	events []Event
}

func (n *node) Room(LinkHandle) int { return 1 << 20 }
func (n *node) Reply(_ LinkHandle, request uint32, size int) []byte {
	b := make([]byte, size)
	n.queue = append(n.queue, Entry{Kind: Fulfill, Request: request, Packet: b})
	return b
}

func (n *node) Request(_ LinkHandle, request uint32, size int) []byte {
	b := make([]byte, size)
	n.queue = append(n.queue, Entry{Kind: Prepare, Request: request, Packet: b})
	return b
}
func (n *node) Forward(int, Entry) { panic("no other shard") }

func seeded(x byte) (s [48]byte) {
	for i := range s {
		s[i] = x + byte(i)
	}
	return s
}

var testSecret = sha256.Sum256([]byte("server secret"))

func newWorld(t testing.TB, server Options, cfg Config) *world {
	w := &world{t: t, now: 1_700_000_000_000_000_000, rate: rate{1, 1}, max: maxAmount, f08Data: true, waiting: map[uint64]crossing{}}
	cfg.Seed = seeded(1)
	w.a = &node{w: w, m: New(cfg)}
	cfg.Seed = seeded(2)
	w.b = &node{w: w, m: New(cfg)}
	w.a.peer, w.b.peer = w.b, w.a
	tokens, err := NewTokens(testSecret[:])
	if err != nil {
		t.Fatal(err)
	}
	id, err := w.b.m.AddServer(ServerConfig{Tokens: tokens, Options: server})
	if err != nil {
		t.Fatal(err)
	}
	w.a.link, err = w.a.m.AddLink(LinkConfig{Address: []byte("test.hub.alice"), AssetCode: []byte("USD"), AssetScale: 9, Account: 1})
	if err != nil {
		t.Fatal(err)
	}
	w.b.link, err = w.b.m.AddLink(LinkConfig{Address: []byte("test.hub.bob"), AssetCode: []byte("EUR"), AssetScale: 2, Account: 1, Server: id})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *world) connect(o Options) ConnHandle {
	w.t.Helper()
	tokens, _ := NewTokens(testSecret[:])
	var random [30]byte
	binary.LittleEndian.PutUint64(random[:], rand.Uint64())
	segment, secret, err := tokens.Issue(&random, CredentialOptions{Tag: "invoice"})
	if err != nil {
		w.t.Fatal(err)
	}
	h, err := w.a.m.Connect(w.now, ConnectConfig{Link: w.a.link, Destination: []byte("test.hub.bob." + segment), SharedSecret: secret, Options: o})
	if err != nil {
		w.t.Fatal(err)
	}
	return h
}

// key names a request on its way: who sent it, and its id.
func (w *world) key(n *node, request uint32) uint64 {
	k := uint64(request)
	if n == w.b {
		k |= 1 << 40
	}
	return k
}

// pass is the connector: it takes what a node has written and hands it to the other.
func (w *world) pass(from *node) bool {
	if len(from.queue) == 0 {
		return false
	}
	batch := from.queue
	from.queue = nil
	to := from.peer
	var in []Entry
	for _, e := range batch {
		if w.hook != nil && !w.hook(from, &e) {
			continue
		}
		if e.Kind == Prepare {
			if back := w.forward(from, &e); back != nil {
				kind := Reject
				if ilp.PeekType(back) == ilp.TypeFulfill {
					kind = Fulfill
				}
				from.deliver([]Entry{{Kind: kind, Link: from.link, Request: e.Request, Packet: back}})
				continue
			}
		} else {
			w.settle(to, &e)
		}
		e.Link = to.link
		in = append(in, e)
	}
	to.deliver(in)
	return true
}

// forward passes a prepare on, or returns the connector's own answer.
func (w *world) forward(from *node, e *Entry) []byte {
	p, err := ilp.ParsePrepare(e.Packet)
	if err != nil {
		w.t.Fatalf("a prepare of ours does not parse: %v", err)
	}
	if w.refuse != nil {
		if back := w.refuse(from, &p); back != nil {
			return back
		}
	}
	in := p.Amount()
	if in > w.max && from == w.a {
		var data []byte
		if w.f08Data {
			data = ilp.AppendTooLarge(nil, in, w.max)
		}
		return must(ilp.AppendReject(nil, ilp.F08, []byte("test.hub"), nil, data))
	}
	out := in
	if from == w.a {
		out = w.rate.dest(in)
		p.SetAmount(out)
	}
	x := crossing{in: in, out: out}
	copy(x.condition[:], p.Condition())
	w.waiting[w.key(from, e.Request)] = x
	return nil
}

// settle keeps the connector's books: it owes for every fulfillment that matches.
func (w *world) settle(to *node, e *Entry) {
	k := w.key(to, e.Request)
	x, ok := w.waiting[k]
	if !ok {
		w.t.Fatalf("an answer to no request: %d", e.Request)
	}
	delete(w.waiting, k)
	e.Kind = Reject
	if ilp.PeekType(e.Packet) == ilp.TypeFulfill {
		e.Kind = Fulfill
		f, err := ilp.ParseFulfill(e.Packet)
		if err != nil {
			w.t.Fatal(err)
		}
		if sha256.Sum256(f.Fulfillment()) != x.condition {
			w.t.Fatal("a fulfillment does not match its condition")
		}
		if to == w.a {
			w.taken += x.in
			w.given += x.out
		}
	}
}

func must(b []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return b
}

func (n *node) deliver(in []Entry) {
	step := n.w.vector
	if step == 0 {
		step = max(len(in), 1)
	}
	for len(in) > 0 {
		k := min(step, len(in))
		n.m.Handle(n.w.now, in[:k], n)
		in = in[k:]
	}
	n.drain()
}

func (n *node) drain() {
	for {
		e, ok := n.m.PollEvent()
		if !ok {
			break
		}
		n.events = append(n.events, e)
	}
	for {
		h, ok := n.m.PollReady()
		if !ok {
			break
		}
		n.m.Transmit(n.w.now, h, n)
	}
}

// run lets everything happen for a while of virtual time.
func (w *world) run(d Instant) {
	w.t.Helper()
	end := w.now + d
	for steps := 0; ; steps++ {
		if steps > 2_000_000 {
			w.t.Fatal("no end in sight")
		}
		w.a.drain()
		w.b.drain()
		moved := false
		if !w.down {
			moved = w.pass(w.a)
			moved = w.pass(w.b) || moved
		}
		if moved {
			continue
		}
		next := end
		for _, n := range [...]*node{w.a, w.b} {
			if t, ok := n.m.NextTimeout(); ok {
				next = min(next, max(t, w.now+1))
			}
		}
		if next >= end {
			w.now = end
			return
		}
		w.now = next
		w.a.m.HandleTimeout(w.now, w.a)
		w.b.m.HandleTimeout(w.now, w.b)
	}
}

func (n *node) find(kind EventKind) (Event, bool) {
	for _, e := range n.events {
		if e.Kind == kind {
			return e, true
		}
	}
	return Event{}, false
}

func (n *node) expect(kind EventKind) Event {
	n.w.t.Helper()
	e, ok := n.find(kind)
	if !ok {
		n.w.t.Fatalf("no event %d among %v", kind, n.events)
	}
	return e
}

const second = Instant(1e9)
