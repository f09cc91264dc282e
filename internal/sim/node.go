package sim

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"

	"github.com/millrace-ilp/millrace/codec/ilp"
	"github.com/millrace-ilp/millrace/engine/stream"
)

// clock is a node's view of the time: the virtual time with an offset, a drift
// and jumps.
type clock struct {
	offset int64 // ns
	drift  int64 // parts per million
}

// epoch is where virtual time begins, 2026-01-01, in ns since the Unix epoch.
const epoch = int64(1_767_225_600_000_000_000)

func (c *clock) read(now int64) stream.Instant {
	return stream.Instant(epoch + now + c.offset + now/1_000_000*c.drift)
}

// node is an end point: a production machine with links, a clock, an application
// and perhaps a ledger.
type node struct {
	w       *World
	id      int
	r       *rand.Rand
	client  bool
	ports   []*port
	d       driver
	cfg     stream.Config
	taped   bool
	boots   uint32 // how often its process was started again
	down    bool
	doom    int // its process ends at this many points from here
	doomBy  Fault
	disk    disk
	failing bool // the next sync fails
	server  stream.ServerID
	tokens  *stream.Tokens
	clock   clock
	margin  int64 // Config.FulfillMargin
	grace   int64 // Config.ExpiryMargin
	asks    bool
	ledger  bool

	room     int
	out      []*message
	in       []stream.Entry
	touched  []*flow
	conns    []*appConn
	byConn   map[stream.ConnHandle]*appConn
	byStream map[stream.StreamHandle]*appStream
	options  stream.Options // of its server
	recvMax  uint64         // ReceiveMax of those
	lazy     bool           // reads late
	staged   []stream.Credit
	timerAt  int64
	instant  int64 // when HandleTimeout was last called, and how often then
	calls    int
	buf      []byte
}

// Room implements stream.Output.
func (n *node) Room(stream.LinkHandle) int { return n.room }

// Reply implements stream.Output.
func (n *node) Reply(h stream.LinkHandle, request uint32, size int) []byte {
	m := n.w.newMessage(stream.Fulfill, request, size)
	m.port = n.portOf(h)
	n.out = append(n.out, m)
	return m.buf
}

// Request implements stream.Output.
func (n *node) Request(h stream.LinkHandle, request uint32, size int) []byte {
	m := n.w.newMessage(stream.Prepare, request, size)
	m.port = n.portOf(h)
	n.out = append(n.out, m)
	return m.buf
}

// Forward implements stream.Output; there is one shard.
func (n *node) Forward(int, stream.Entry) { panic("sim: no other shard") }

// is says whether the node's process is still the one that something was for.
func (n *node) is(boot uint32) bool { return !n.down && n.boots == boot }

func (n *node) now() stream.Instant { return n.clock.read(n.w.now) }

// touch marks a flow to be checked at the end of the step.
func (n *node) touch(f *flow) {
	for _, x := range n.touched {
		if x == f {
			return
		}
	}
	n.touched = append(n.touched, f)
}

// begin draws what a call into the machine will find.
func (n *node) begin() {
	n.room = 1 << 20
	if n.w.faults.hits(NoRoom) {
		n.room = n.w.faults.r.IntN(6000)
	}
}

// arrive hands a vector that came over the socket to the machine.
func (n *node) arrive(at *port, batch []*message) {
	w := n.w
	if !at.up {
		for _, m := range batch {
			w.free(m)
		}
		return
	}
	batch = n.withoutPast(batch)
	if len(batch) == 0 {
		return
	}
	n.in = n.in[:0]
	var odd *message // alone in its vector, so that its effect can be seen
	for _, m := range batch {
		w.packets++
		w.hashPacket(n.id, m)
		n.in = append(n.in, stream.Entry{Kind: m.kind, Link: at.link, Request: m.request, Packet: m.buf})
		switch m.kind {
		case stream.Prepare:
			n.prepareArrives(at, m)
			if !m.clean && len(batch) == 1 {
				odd = m
			}
		default:
			if m.kind == stream.Reject {
				if p, err := ilp.ParseReject(m.buf); err == nil {
					w.rejected(p.Code())
				}
			}
			w.oracle.answerArrives(n, m)
		}
	}
	var before snapshot
	if odd != nil {
		before = n.snapshot(odd)
	}
	n.begin()
	n.d.Handle(n.now(), n.in, n)
	if odd != nil {
		if after := n.snapshot(odd); after != before {
			w.violate("C2", "node %d: a packet that does not authenticate changes state: %+v, before %+v", n.id, after, before)
		}
	}
	n.settle()
	for _, m := range batch {
		w.free(m)
	}
}

// withoutPast loses what a connector has sent back to a process that has started anew
// since it wrote it: it cannot know its own.
func (n *node) withoutPast(batch []*message) []*message {
	kept := batch[:0]
	for _, m := range batch {
		if p := m.packet; m.kind == stream.Prepare && p != nil && p.flow.origin == n && p.sentBy != n.boots {
			n.w.free(m)
			continue
		}
		kept = append(kept, m)
	}
	return kept
}

// prepareArrives notes a prepare as the machine gets it.
func (n *node) prepareArrives(at *port, m *message) {
	in := n.w.newInbound()
	at.inbound[m.request] = in
	in.known = true
	p, err := ilp.ParsePrepare(m.buf)
	if err != nil {
		return
	}
	if m.packet != nil && !m.clean { // what was changed twice may be as it was
		text, ok := n.w.oracle.open(m.packet.flow.c, p.Data())
		m.clean = ok && bytes.Equal(text, m.packet.text)
	}
	in.packet, in.amount, in.expiresMs, in.clean = m.packet, uint64(p.Amount()), p.ExpiryUnixMs(), m.clean
	in.condition = [32]byte(p.Condition())
	in.epoch = at.socket.epoch
	if m.packet != nil && m.clean && m.packet.flow.dest == n {
		n.touch(m.packet.flow)
		n.w.oracle.heard(m.packet.flow, m.packet.text)
	}
}

// settle does after a call into the machine what its owner must, until nothing
// more follows, and checks the books.
func (n *node) settle() {
	for turns := 0; ; turns++ {
		if turns > 5000 {
			n.w.violate("T3", "node %d: the machine has something to send without end at one instant", n.id)
		}
		n.point()
		n.flush()
		if n.ledger {
			n.stage()
		}
		busy := false
		for {
			e, ok := n.d.PollEvent()
			if !ok {
				break
			}
			busy = true
			n.event(&e)
		}
		for {
			h, ok := n.d.PollReady()
			if !ok {
				break
			}
			n.begin()
			if n.d.Transmit(n.now(), h, n) > 0 {
				busy = true
			}
		}
		if !busy && len(n.out) == 0 {
			break
		}
	}
	n.check()
	n.arm()
}

// flush writes what the machine has sent to the socket.
func (n *node) flush() {
	w := n.w
	out := n.out
	n.out = n.out[:0]
	for _, m := range out {
		w.packets++
		w.hashPacket(n.id, m)
		if m.kind == stream.Prepare {
			w.oracle.prepareWritten(n, m)
		} else {
			w.oracle.answerWritten(n, m)
		}
		m.port.socket.write(0, m)
		n.point()
	}
}

// stage gives the ledger's records to the disk.
func (n *node) stage() {
	records := n.d.Staged()
	if len(records) == 0 {
		return
	}
	n.point()
	for i := range records {
		c := &records[i]
		if f := n.flowTo(c.Conn); f != nil {
			n.w.oracle.credit(f, c)
		}
		n.disk.write(c)
	}
	n.point()
	last := records[len(records)-1].Seq
	n.staged = append(n.staged, records...)
	delay := between(n.r, 1e5, 5e6)
	if n.w.faults.hits(SlowCommit) {
		delay = between(n.w.faults.r, 1e8, 40e9)
	}
	n.schedule(n.w.now+delay, evCommit, uint64(last))
}

// commit makes all records up to a number durable. When the disk fails to, the
// process ends: nobody knows what a second try would find.
func (n *node) commit(upTo stream.CommitSeq) {
	failed := n.failing
	if n.failing = false; failed && n.w.cfg.mistake != goesOn {
		n.crash(SyncFails)
		return
	}
	n.point()
	i := 0
	for i < len(n.staged) && n.staged[i].Seq <= upTo {
		c := &n.staged[i]
		if f := n.flowTo(c.Conn); f != nil {
			n.w.oracle.committed(f, c)
		}
		i++
	}
	if !failed && n.w.cfg.mistake != neverSyncs {
		n.disk.sync(i)
	}
	n.staged = n.staged[:copy(n.staged, n.staged[i:])]
	n.point()
	n.begin()
	n.d.Committed(n.now(), upTo, n)
	n.settle()
}

// flowTo is the flow whose receiver is a connection of this node.
func (n *node) flowTo(h stream.ConnHandle) *flow {
	if c := n.byConn[h]; c != nil && c.oc != nil {
		return c.in()
	}
	if info, ok := n.d.m.ConnInfo(h); ok { // before EventAccepted was polled
		if at := n.w.oracle.address[string(info.Local)]; at != nil {
			return at.flow
		}
	}
	return nil
}

// arm schedules the machine's next timeout.
func (n *node) arm() {
	if n.down {
		return
	}
	t, ok := n.d.m.NextTimeout()
	if !ok {
		n.timerAt = 0
		return
	}
	at := n.w.now + max(int64(t-n.now()), 0)
	if n.timerAt != 0 && n.timerAt <= at && n.timerAt > n.w.now {
		return
	}
	if at == n.w.now && n.instant == n.w.now && n.calls == 0 {
		at++
	}
	n.timerAt = at
	n.w.schedule(at, evTimer, int32(n.id), uint64(at), nil)
}

func (n *node) timeout(at int64) {
	if n.down || at != n.timerAt {
		return
	}
	n.timerAt = 0
	if n.instant != n.w.now {
		n.instant, n.calls = n.w.now, 0
	}
	if n.calls++; n.calls > 64 {
		n.w.violate("T3", "node %d: HandleTimeout is wanted more than 64 times at one instant", n.id)
		return
	}
	n.begin()
	n.d.HandleTimeout(n.now(), n)
	if t, ok := n.d.m.NextTimeout(); ok && t < n.now() {
		n.w.violate("T3", "node %d: after HandleTimeout the next timeout is %d ns in the past", n.id, n.now()-t)
	}
	n.settle()
}

// snapshot is what a packet that does not authenticate must leave alone.
type snapshot struct {
	received, sent, delivered, held, unknown stream.Amount
	closed, canSend, connected               bool
	connections, streams, holds, inFlight    int
	streamSum                                uint64
}

func (n *node) snapshot(m *message) snapshot {
	s := n.d.m.Stats()
	x := snapshot{connections: s.Connections, streams: s.Streams, holds: s.Holds, inFlight: s.InFlight}
	if m.packet == nil || m.packet.flow.dest != n || m.packet.flow.to == 0 {
		return x
	}
	h := m.packet.flow.to
	if i, ok := n.d.m.ConnInfo(h); ok {
		x.received, x.sent, x.delivered, x.held, x.unknown = i.Received, i.Sent, i.Delivered, i.Held, i.Unknown
		x.closed, x.canSend, x.connected = i.Closed, i.CanSend, i.Connected
		for _, sh := range n.d.m.Streams(h, nil) {
			i, _ := n.d.m.StreamInfo(sh)
			x.streamSum = x.streamSum*31 + i.ID + uint64(i.Received)*3 + uint64(i.RemoteMax)*5 + uint64(i.RemoteReceived)*7 + uint64(i.Readable)*11 + uint64(i.ReceiveMax)*13
		}
	}
	return x
}

// hashPacket adds a packet that crosses the node's border to the fingerprint.
func (w *World) hashPacket(node int, m *message) {
	h := w.hash ^ uint64(node)<<32 ^ uint64(m.kind)<<40 ^ uint64(m.request)
	b := m.buf
	for len(b) >= 8 {
		h = (h ^ binary.LittleEndian.Uint64(b)) * 0x9e3779b97f4a7c15
		h ^= h >> 29
		b = b[8:]
	}
	for _, x := range b {
		h = (h ^ uint64(x)) * 0x100000001b3
	}
	w.hash = h
	w.log(0x10|uint64(m.kind), uint64(node), uint64(m.request))
}
