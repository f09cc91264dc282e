package stream

import (
	"crypto/sha256"
	"maps"
	"testing"

	"github.com/millrace-ilp/millrace/codec/echo"
	"github.com/millrace-ilp/millrace/codec/frame"
	"github.com/millrace-ilp/millrace/codec/ilp"
)

// duel is one machine against a peer that may do anything, with books of its own.
// The machine serves connections, one at a time, and opens others.
type duel struct {
	t        testing.TB
	m        *Machine
	tokens   *Tokens
	now      Instant
	link     LinkHandle
	ends     [2]*end // the connection that is served, and the one that was opened
	all      []*end
	made     map[string]authentic // by envelope
	prepares [][]byte
	queue    []Entry
	wrote    []Entry // by the machine
	asked    uint32
	waiting  map[uint32]incoming  // prepares that the machine has yet to answer
	stale    map[uint32]incoming  // the same, from before the link was lost: it may, or not
	requests map[uint32]*outgoing // of the machine's that the peer has yet to answer
	order    []uint32
	ivs      map[string]bool
	holds    []HoldHandle
	ledger   bool
	room     int
}

// end is the machine's side of one connection.
type end struct {
	address  string // where its peer sends to
	peer     *peer
	conn     ConnHandle
	next     Sequence // of its peer's
	last     Sequence // of the machine's
	seen     map[Sequence]bool
	paid     Amount // proved to the peer
	proven   Amount // of ours, fulfilled in time
	perhaps  Amount // of ours, unanswered, or answered late
	budget   Amount // the sum of all send maxima
	accepted bool
}

// authentic is a prepare that a peer has made, and incoming one that has come in.
type authentic struct {
	end      *end
	sequence Sequence
	required Amount
}

type incoming struct {
	condition [32]byte
	amount    Amount
	expires   int64 // ns
	envelope  string
}

// outgoing is a prepare of the machine's.
type outgoing struct {
	end       *end
	sequence  Sequence
	amount    Amount
	expires   int64
	condition [32]byte
	data      []byte
}

func newDuel(t testing.TB, how byte) *duel {
	d := &duel{
		t: t, now: 1_700_000_000_000_000_000, made: map[string]authentic{}, waiting: map[uint32]incoming{}, stale: map[uint32]incoming{},
		requests: map[uint32]*outgoing{}, ivs: map[string]bool{}, ledger: how&1 != 0, room: 1 << 20,
	}
	d.m = New(Config{
		Seed: seeded(how), Ledger: d.ledger, Decide: how&2 != 0, MaxConnections: 4, MaxStreams: 24, MaxRequests: 64, MaxHolds: 8, MaxTombstones: 16,
		MaxEvents: 64, MaxBuffered: 1 << 18,
	})
	var err error
	if d.tokens, err = NewTokens(testSecret[:]); err != nil {
		t.Fatal(err)
	}
	id, err := d.m.AddServer(ServerConfig{Tokens: d.tokens, Options: Options{ReceiveMax: Amount(how) << 20, Padding: how&4 != 0}})
	if err != nil {
		t.Fatal(err)
	}
	d.link, err = d.m.AddLink(LinkConfig{Address: []byte("test.hub.node"), AssetCode: []byte("USD"), AssetScale: 9, Account: 1, Server: id, Echo: true})
	if err != nil {
		t.Fatal(err)
	}
	d.serve()
	d.reconnect(&script{how})
	return d
}

func (d *duel) addEnd(which int, address string, secret [32]byte, conn ConnHandle) {
	d.ends[which] = &end{address: address, peer: newPeer(d.t, secret[:]), conn: conn, next: 1, seen: map[Sequence]bool{}}
	d.all = append(d.all, d.ends[which])
}

// serve has the peer open a connection with its next packet, if the last is over.
func (d *duel) serve() {
	if x := d.ends[0]; x != nil {
		if i, ok := d.m.ConnInfo(x.conn); !x.accepted || ok && !i.Closed {
			return
		}
	}
	segment, secret, err := d.tokens.Issue(&[30]byte{byte(len(d.all)), byte(len(d.all) >> 8)}, CredentialOptions{
		Tag: "duel", ReceiptNonce: testSecret[:16], ReceiptSecret: testSecret[:],
	})
	if err != nil {
		d.t.Fatal(err)
	}
	d.addEnd(0, "test.hub.node."+segment, secret, 0)
}

// reconnect opens a connection of the machine's, if the last is over.
func (d *duel) reconnect(t *script) {
	if x := d.ends[1]; x != nil {
		if i, ok := d.m.ConnInfo(x.conn); ok && !i.Closed {
			return
		}
	}
	secret := sha256.Sum256([]byte{byte(len(d.all)), byte(len(d.all) >> 8)})
	o := Options{ReceiveMax: maxAmount, SlippagePPM: 500_000, IdleTimeout: -1, Congestion: Congestion(t.octet()) % congestions}
	if t.octet()%2 == 0 {
		o.RateNum, o.RateDen = t.number()|1, t.number()|1
	}
	h, err := d.m.Connect(d.now, ConnectConfig{Link: d.link, Destination: []byte("test.peer.token"), SharedSecret: secret, Options: o})
	if err != nil {
		return // too many
	}
	i, _ := d.m.ConnInfo(h)
	d.addEnd(1, string(i.Local), secret, h)
	d.turn()
}

// take puts a prepare into the next vector, and takeEntry any packet.
func (d *duel) take(b []byte) {
	d.asked++
	in := incoming{}
	if p, err := ilp.ParsePrepare(b); err == nil {
		in = incoming{[32]byte(p.Condition()), p.Amount(), expiryNs(p), string(p.Data())}
	}
	d.waiting[d.asked] = in
	d.takeEntry(Entry{Kind: Prepare, Request: d.asked, Packet: b})
}

func (d *duel) takeEntry(e Entry) {
	e.Link = d.link
	d.queue = append(d.queue, e)
}

// flush hands the vector in.
func (d *duel) flush() {
	if len(d.queue) == 0 {
		return
	}
	vector := d.queue
	d.queue = nil
	for _, e := range vector {
		if e.Kind != Prepare {
			d.answered(e)
		}
	}
	d.m.Handle(d.now, vector, d)
	d.turn()
	d.serve()
	if len(d.waiting) > d.m.Stats().Holds+int(d.m.links.At(uint32(d.link)).echoes.packets) {
		d.t.Errorf("%d prepares have no answer, %d are held", len(d.waiting), d.m.Stats().Holds)
	}
}

// answered books an answer of the peer's.
func (d *duel) answered(e Entry) {
	q := d.requests[e.Request]
	if q == nil {
		return // the second answer
	}
	delete(d.requests, e.Request)
	if q.end == nil {
		return
	}
	if int64(d.now) >= q.expires {
		q.end.perhaps = satAdd(q.end.perhaps, q.amount) // the machine may have settled it
		return
	}
	f, err := ilp.ParseFulfill(e.Packet)
	if e.Kind == Fulfill && err == nil && sha256.Sum256(f.Fulfillment()) == q.condition {
		q.end.proven = satAdd(q.end.proven, q.amount)
	}
}

// oldestRequest is one of those that the peer has yet to answer.
func (d *duel) oldestRequest(n byte) (uint32, *outgoing, bool) {
	live := d.order[:0]
	for _, id := range d.order {
		if d.requests[id] != nil {
			live = append(live, id)
		}
	}
	d.order = live
	if len(live) == 0 {
		return 0, nil, false
	}
	id := live[int(n)%len(live)]
	return id, d.requests[id], true
}

// turn does what an embedder does after every call, and checks the books.
func (d *duel) turn() {
	for range 1000 {
		d.look()
		busy := false
		for {
			e, ok := d.m.PollEvent()
			if !ok {
				break
			}
			busy = true
			d.event(e)
		}
		if staged := d.m.Staged(); len(staged) > 0 {
			busy = true
			d.m.Committed(d.now, staged[len(staged)-1].Seq, d)
		}
		for {
			h, ok := d.m.PollReady()
			if !ok {
				break
			}
			busy = d.m.Transmit(d.now, h, d) > 0 || busy
		}
		if !busy {
			d.look()
			d.check()
			return
		}
	}
	d.t.Error("there is no end of it at one instant")
}

func (d *duel) event(e Event) {
	switch e.Kind {
	case EventAccepted:
		i, _ := d.m.ConnInfo(e.Conn)
		for _, x := range d.all {
			if x.address == string(i.Local) {
				if x.accepted { // again, its tombstone is gone
					d.release(x)
					x.paid, x.proven, x.perhaps, x.budget, x.last = i.Received, 0, 0, 0, 0
				}
				x.conn, x.accepted = e.Conn, true
			}
		}
	case EventHold:
		d.holds = append(d.holds, e.Hold)
	}
	for len(d.holds) > 3 {
		d.decide()
	}
}

// look looks at what the machine has written.
func (d *duel) look() {
	wrote := d.wrote
	d.wrote = nil
	for _, e := range wrote {
		if e.Kind == Prepare {
			d.lookAtRequest(e)
		} else {
			d.lookAtReply(e)
		}
	}
}

func (d *duel) lookAtReply(e Entry) {
	in, ok := d.waiting[e.Request]
	if !ok {
		in, ok = d.stale[e.Request]
	}
	if !ok {
		d.t.Errorf("request %d has a second answer, or never was", e.Request)
		return
	}
	delete(d.waiting, e.Request)
	delete(d.stale, e.Request)
	f, err := ilp.ParseFulfill(e.Packet)
	if err != nil {
		r, err := ilp.ParseReject(e.Packet)
		if err != nil {
			d.t.Errorf("an answer is no ILP packet: %x", e.Packet)
		}
		d.lookAtIV(r.Data())
		return
	}
	d.lookAtIV(f.Data())
	a, ok := d.made[in.envelope]
	switch {
	case sha256.Sum256(f.Fulfillment()) != in.condition:
		d.t.Error("a fulfillment does not match its condition")
	case echo.IsRequest([]byte(in.envelope)):
		return
	case !ok:
		d.t.Error("fulfilled what the peer never made")
	case in.amount < a.required:
		d.t.Errorf("fulfilled %d, %d were required", in.amount, a.required)
	case int64(d.now) >= in.expires:
		d.t.Error("fulfilled after the expiry")
	case a.end.seen[a.sequence] && d.now < 1_700_000_000_000_000_000+600*second:
		d.t.Errorf("sequence %d is fulfilled twice", a.sequence)
	}
	if ok {
		a.end.seen[a.sequence] = true
		a.end.paid += in.amount
	}
}

func (d *duel) lookAtRequest(e Entry) {
	p, err := ilp.ParsePrepare(e.Packet)
	if err != nil {
		d.t.Errorf("a prepare of the machine's: %v", err)
		return
	}
	if d.requests[e.Request] != nil {
		d.t.Errorf("request id %d is used while it is open", e.Request)
	}
	q := &outgoing{amount: p.Amount(), expires: expiryNs(p), condition: [32]byte(p.Condition()), data: p.Data()}
	d.requests[e.Request] = q
	d.order = append(d.order, e.Request)
	if echo.IsResponse(q.data) {
		return
	}
	d.lookAtIV(q.data)
	for _, x := range d.all {
		packet, ok := x.peer.open(q.data)
		if !ok {
			continue
		}
		q.end, q.sequence = x, packet.Sequence
		if packet.Sequence <= x.last {
			d.t.Errorf("sequence %d after %d", packet.Sequence, x.last)
		}
		x.last = packet.Sequence
		if _, condition := x.peer.prove(q.data); condition != q.condition {
			q.amount = 0 // no fulfillment can take it
		}
		return
	}
	d.t.Error("a prepare of the machine's does not open")
}

// lookAtIV sees that no key and IV are used twice.
func (d *duel) lookAtIV(envelope []byte) {
	if len(envelope) < frame.Overhead {
		return
	}
	if iv := string(envelope[:12]); d.ivs[iv] {
		d.t.Errorf("the IV %x is used twice", iv)
	} else {
		d.ivs[iv] = true
	}
}

func (d *duel) decide() {
	h := d.holds[0]
	d.holds = d.holds[1:]
	switch n := d.asked + uint32(len(d.order)); n % 4 {
	case 0:
		_ = d.m.Decide(d.now, h, Decline, d)
	case 1:
		if i, ok := d.m.HoldInfo(h); ok && n%8 == 1 {
			_ = d.m.Refuse(max(d.now, min(d.now+second, i.Deadline)), h, "no, thank you", d)
			break
		}
		fallthrough
	default:
		_ = d.m.Decide(d.now, h, Accept, d)
	}
}

// wait lets time pass, timer by timer.
func (d *duel) wait(span Instant) {
	end := d.now + span
	if span >= second {
		d.room = 1 << 20 // what finds no room is tried every 2 ms
	}
	for n := 0; ; n++ {
		at, ok := d.m.NextTimeout()
		if !ok || at > end {
			break
		}
		if n > 100_000 {
			d.t.Error("timers without end")
			return
		}
		d.now = max(at, d.now)
		d.m.HandleTimeout(d.now, d)
		if at, ok = d.m.NextTimeout(); ok && at < d.now {
			d.t.Errorf("the next timer is %d ns in the past", d.now-at)
		}
		d.turn()
	}
	d.now = max(end, d.now)
}

// linkLost books what nobody will answer any more.
func (d *duel) linkLost() {
	for id, q := range d.requests {
		if q.end != nil {
			q.end.perhaps = satAdd(q.end.perhaps, q.amount)
		}
		delete(d.requests, id)
	}
	maps.Copy(d.stale, d.waiting)
	clear(d.waiting)
	d.turn()
}

// check compares the machine's books with ours.
func (d *duel) check() {
	for _, x := range d.all {
		i, ok := d.m.ConnInfo(x.conn)
		if !ok {
			continue
		}
		if i.Received != x.paid {
			d.t.Errorf("received %d, but proved to the peer %d", i.Received, x.paid)
		}
		open := x.perhaps
		for _, q := range d.requests {
			if q.end == x {
				open = satAdd(open, q.amount)
			}
		}
		if i.Sent < x.proven || i.Sent > satAdd(x.proven, open) {
			d.t.Errorf("sent %d, proven %d, perhaps %d more", i.Sent, x.proven, open)
		}
		if i.Held > open {
			d.t.Errorf("held %d of %d in flight", i.Held, open)
		}
		if satAdd(i.Sent, i.Held) > x.budget {
			d.t.Errorf("sent %d and held %d of %d", i.Sent, i.Held, x.budget)
		}
		var received, sent, held Amount
		for _, h := range d.m.Streams(x.conn, nil) {
			s, _ := d.m.StreamInfo(h)
			received, sent, held = received+s.Received, sent+s.Sent, held+s.Held
		}
		if received > i.Received || sent > i.Sent || held > i.Held {
			d.t.Errorf("streams: received %d, sent %d, held %d; connection %d, %d, %d", received, sent, held, i.Received, i.Sent, i.Held)
		}
	}
}

// finish lets everything come to rest, and nothing must be left.
func (d *duel) finish() {
	d.flush()
	for len(d.holds) > 0 {
		d.decide()
	}
	for _, x := range d.all {
		_ = d.m.DestroyConn(d.now, x.conn, frame.NoError, "")
	}
	d.turn()
	for range 4 {
		d.wait(300 * second)
		for _, x := range d.all {
			d.release(x)
		}
		d.turn()
	}
	s := d.m.Stats()
	if s.Connections != 0 || s.Streams != 0 || s.InFlight != 0 || s.Holds != 0 || d.m.rings != (ringMemory{}) || d.m.pieces.Len() != 0 || d.m.parts.Len() != 0 {
		d.t.Errorf("left: %d connections, %d streams, %d in flight, %d holds, %d octets, %d pieces, %d parts",
			s.Connections, s.Streams, s.InFlight, s.Holds, d.m.rings.taken, d.m.pieces.Len(), d.m.parts.Len())
	}
}

// release lets go of a connection.
func (d *duel) release(x *end) {
	for _, h := range d.m.Streams(x.conn, nil) {
		d.m.ReleaseStream(h)
	}
	d.m.ReleaseConn(x.conn)
}

// Room implements Output; what is handed out is looked at when the call is over.
func (d *duel) Room(LinkHandle) int { return d.room }

// Reply implements Output.
func (d *duel) Reply(_ LinkHandle, request uint32, n int) []byte {
	return d.write(Entry{Kind: Fulfill, Request: request, Packet: make([]byte, n)})
}

// Request implements Output.
func (d *duel) Request(_ LinkHandle, request uint32, n int) []byte {
	return d.write(Entry{Kind: Prepare, Request: request, Packet: make([]byte, n)})
}

func (d *duel) write(e Entry) []byte {
	d.wrote = append(d.wrote, e)
	return e.Packet
}

// Forward implements Output.
func (d *duel) Forward(int, Entry) { panic("no other shard") }
