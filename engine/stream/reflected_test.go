package stream

import (
	"bytes"
	"testing"

	"github.com/millrace-ilp/millrace/codec/ilp"
)

// reflected is past the ids of requests in these worlds.
const reflected uint32 = 1 << 31

// reflecting is a world whose two ends have talked to each other, with a stream of
// each; the connector between them is about to send things back.
type reflecting struct {
	*world
	x, y         ConnHandle // one connection, at a and at b
	fromA, fromB StreamHandle
}

func newReflecting(t *testing.T) *reflecting {
	w := &reflecting{world: newWorld(t, Options{ReceiveMax: maxAmount}, Config{})}
	w.x = w.connect(Options{IdleTimeout: -1})
	w.run(second)
	w.y = w.b.expect(EventAccepted).Conn
	w.fromA, _ = w.a.m.OpenStream(w.now, w.x)
	w.fromB, _ = w.b.m.OpenStream(w.now, w.y)
	w.write(w.a, w.fromA, "one")
	w.write(w.b, w.fromB, "two")
	w.run(second)
	w.a.m.conns.At(uint32(w.x)).nextSequence = 1000
	w.b.m.conns.At(uint32(w.y)).nextSequence = 1000
	return w
}

func (w *reflecting) write(n *node, s StreamHandle, octets string) {
	w.t.Helper()
	if k, err := n.m.Write(w.now, s, []byte(octets)); k != len(octets) || err != nil {
		w.t.Fatalf("wrote %d of %d octets: %v", k, len(octets), err)
	}
}

// read is all that the other end's stream has for its reader.
func (w *reflecting) read(n *node, opened EventKind) string {
	w.t.Helper()
	b := make([]byte, 100)
	k, _ := n.m.Read(w.now, n.expect(opened).Stream, b)
	return string(b[:k])
}

// TestOurOwnReplyIsNotTheAnswer: a connector keeps a packet of ours, and answers it with
// our own reject of the peer's packet of the same sequence. Found as seed 9558289.
func TestOurOwnReplyIsNotTheAnswer(t *testing.T) {
	w := newReflecting(t)
	var ours []byte
	w.hook = func(from *node, e *Entry) bool {
		if from == w.a && e.Kind != Prepare {
			r, err := ilp.ParseReject(e.Packet)
			if err != nil {
				t.Fatal(err)
			}
			ours = bytes.Clone(r.Data())
		}
		return true
	}
	w.refuse = func(from *node, p *ilp.Prepare) []byte {
		if from == w.b {
			p.Condition()[0] ^= 1 // what a cannot fulfill it rejects, having read it
		}
		return nil
	}
	w.write(w.b, w.fromB, "three")
	w.run(second / 10)
	if len(ours) == 0 {
		t.Fatal("a has rejected nothing")
	}
	answered := 0
	w.hook = nil
	w.refuse = func(from *node, p *ilp.Prepare) []byte {
		if from != w.a || answered > 0 {
			return nil
		}
		answered++
		return must(ilp.AppendReject(nil, ilp.F99, []byte("test.hub.bob"), nil, ours))
	}
	w.write(w.a, w.fromA, "four")
	w.run(30 * second)
	if got := w.read(w.b, EventStreamOpened); answered != 1 || got != "onefour" {
		t.Errorf("of %d answered packets the peer has read %q", answered, got)
	}
	if n := w.a.m.Stats().Reflected; n != 1 {
		t.Errorf("%d replies of a's own", n)
	}
}

// keepFulfilled is a hook that keeps the reply of a's last fulfill.
func (w *reflecting) keepFulfilled(reply *[]byte) func(*node, *Entry) bool {
	return func(from *node, e *Entry) bool {
		if from == w.a && e.Kind != Prepare {
			if f, err := ilp.ParseFulfill(e.Packet); err == nil {
				*reply = bytes.Clone(f.Data())
			}
		}
		return true
	}
}

// swapFulfilled is one that puts a reply into b's first fulfill.
func (w *reflecting) swapFulfilled(swapped *int, reply []byte) func(*node, *Entry) bool {
	return func(from *node, e *Entry) bool {
		if from == w.b && e.Kind != Prepare && *swapped == 0 {
			if f, err := ilp.ParseFulfill(e.Packet); err == nil {
				*swapped++
				e.Packet = must(ilp.AppendFulfill(nil, (*[32]byte)(f.Fulfillment()), reply))
			}
		}
		return true
	}
}

// TestOurOwnReplyTellsNoAmount: a connector puts our own reply in the place of the one in the
// peer's fulfill.
func TestOurOwnReplyTellsNoAmount(t *testing.T) {
	for _, unplain := range []bool{false, true} {
		w := newReflecting(t)
		w.a.m.unplain = unplain
		_ = w.a.m.SetReceiveMax(w.now, w.a.expect(EventStreamOpened).Stream, maxAmount)
		w.run(second)
		var ours []byte // the last of a's replies
		w.hook = w.keepFulfilled(&ours)
		_ = w.b.m.SetSendMax(w.now, w.fromB, 1_000_000)
		w.run(5 * second)
		before, _ := w.a.m.StreamInfo(w.fromA)
		swapped := 0
		w.a.m.conns.At(uint32(w.x)).nextSequence = w.b.m.conns.At(uint32(w.y)).nextSequence - 1
		w.hook = w.swapFulfilled(&swapped, ours)
		_ = w.a.m.SetSendMax(w.now, w.fromA, before.Sent+10)
		w.run(5 * second)
		after, _ := w.a.m.StreamInfo(w.fromA)
		if ours == nil || swapped != 1 || after.Sent != before.Sent+10 || after.Delivered-before.Delivered > 10 {
			t.Errorf("unplain %v: %d replies swapped; sent %d, of which %d were delivered",
				unplain, swapped, after.Sent-before.Sent, after.Delivered-before.Delivered)
		}
		if n := w.a.m.Stats().Reflected; n != 1 {
			t.Errorf("unplain %v: %d replies of a's own", unplain, n)
		}
	}
}

// TestOurOwnPacketIsNotThePeers: a connector sends packets back to where they came from.
func TestOurOwnPacketIsNotThePeers(t *testing.T) {
	for _, unplain := range []bool{false, true} {
		for _, server := range []bool{false, true} {
			w := newReflecting(t)
			from, conn, s, to := w.a, w.x, w.fromA, w.b
			if server {
				from, conn, s, to = w.b, w.y, w.fromB, w.a
			}
			from.m.unplain = unplain
			_ = to.m.SetReceiveMax(w.now, to.expect(EventStreamOpened).Stream, maxAmount)
			_ = from.m.SetReceiveMax(w.now, s, maxAmount)
			w.run(second)
			info, _ := from.m.ConnInfo(conn)
			returned, rejected := 0, 0
			w.hook = func(n *node, e *Entry) bool {
				if n == from && e.Kind == Prepare {
					p, err := ilp.ParsePrepare(e.Packet)
					if err != nil {
						t.Fatal(err)
					}
					returned++
					back := ilp.PrepareFields{Amount: p.Amount(), Expiry: ilp.MakeTimestamp(p.ExpiryUnixMs()), Condition: [32]byte(p.Condition()), Destination: info.Local, Data: p.Data()}
					in := []Entry{{Kind: Prepare, Link: from.link, Request: reflected + uint32(returned), Packet: must(ilp.AppendPrepare(nil, &back))}}
					from.deliver(in)
					return false
				}
				if n == from && e.Request > reflected {
					r, err := ilp.ParseReject(e.Packet)
					if err != nil || r.Code() != ilp.F06 || len(r.Data()) > 0 {
						t.Errorf("a packet of our own is answered with %x (%v)", e.Packet, err)
					}
					rejected++
					return false
				}
				return true
			}
			_ = from.m.SetSendMax(w.now, s, 1000)
			w.write(from, s, "to the peer")
			w.run(5 * second)
			after, _ := from.m.ConnInfo(conn)
			if returned == 0 || rejected != returned || after.Received != info.Received || from.m.Stats().Reflected != uint64(returned) {
				t.Errorf("unplain %v, server %v: of %d packets sent back %d are rejected, %d counted, %d units taken", unplain, server,
					returned, rejected, from.m.Stats().Reflected, after.Received-info.Received)
			}
		}
	}
}

// newPlainReflecting is a world in which one stream has paid both ways: packets are plain.
func newPlainReflecting(t *testing.T) *reflecting {
	w := &reflecting{world: newWorld(t, Options{ReceiveMax: maxAmount, IdleTimeout: -1}, Config{})}
	w.x = w.connect(Options{IdleTimeout: -1, ReceiveMax: maxAmount})
	w.run(second)
	w.y = w.b.expect(EventAccepted).Conn
	w.fromA, _ = w.a.m.OpenStream(w.now, w.x)
	_ = w.a.m.SetSendMax(w.now, w.fromA, 100)
	_ = w.a.m.SetReceiveMax(w.now, w.fromA, maxAmount)
	w.run(second)
	w.fromB = w.b.expect(EventStreamOpened).Stream
	_ = w.b.m.SetReceiveMax(w.now, w.fromB, maxAmount)
	_ = w.b.m.SetSendMax(w.now, w.fromB, 100)
	w.run(5 * second)
	return w
}

// sendBack delivers a prepare of a node to itself, below the address that it has.
func (w *reflecting) sendBack(n *node, packet []byte, local []byte, request uint32) {
	p, err := ilp.ParsePrepare(packet)
	if err != nil {
		w.t.Fatal(err)
	}
	back := ilp.PrepareFields{Amount: p.Amount(), Expiry: ilp.MakeTimestamp(w.now.unixMs() + 20_000), Condition: [32]byte(p.Condition()), Destination: local, Data: p.Data()}
	n.deliver([]Entry{{Kind: Prepare, Link: n.link, Request: reflected + request, Packet: must(ilp.AppendPrepare(nil, &back))}})
}

// TestOurOwnPlainPacketIsNotThePeers: as above, on the short way, which is taken here. And
// what is refused has changed nothing.
func TestOurOwnPlainPacketIsNotThePeers(t *testing.T) {
	for _, server := range []bool{false, true} {
		w := newPlainReflecting(t)
		from, conn, s := w.a, w.x, w.fromA
		if server {
			from, conn, s = w.b, w.y, w.fromB
		}
		c := from.m.conns.At(uint32(conn))
		c.nextSequence = 1000 // far from the peer's
		info, _ := from.m.ConnInfo(conn)
		local, plain, active, replay, n := bytes.Clone(info.Local), from.m.plainPackets, c.lastActive, c.replay, uint32(0)
		w.hook = func(f *node, e *Entry) bool {
			if f == from && e.Kind == Prepare {
				w.now += 1e6
				n++
				w.sendBack(from, e.Packet, local, n)
				return false
			}
			return !(f == from && e.Request > reflected)
		}
		_ = from.m.SetSendMax(w.now, s, 1100)
		w.run(second / 10)
		after, _ := from.m.ConnInfo(conn)
		if n == 0 || from.m.plainPackets != plain+uint64(n) || after.Received != info.Received || from.m.Stats().Reflected != uint64(n) {
			t.Errorf("server %v: %d packets sent back, of %d plain ones; %d known, %d units taken",
				server, n, from.m.plainPackets-plain, from.m.Stats().Reflected, after.Received-info.Received)
		}
		if c.lastActive != active || c.replay != replay {
			t.Errorf("server %v: a refused packet leaves a trace: %v and %v, before %v and %v", server, c.lastActive, c.replay, active, replay)
		}
	}
}

// TestOurOwnPlainReplyTellsNoAmount: as above, where the fulfill of a plain packet has it.
func TestOurOwnPlainReplyTellsNoAmount(t *testing.T) {
	w := newPlainReflecting(t)
	var ours []byte
	w.hook = w.keepFulfilled(&ours)
	_ = w.b.m.SetSendMax(w.now, w.fromB, 1_000_100)
	w.run(5 * second)
	w.a.m.conns.At(uint32(w.x)).nextSequence = w.b.m.conns.At(uint32(w.y)).nextSequence - 1
	before, _ := w.a.m.StreamInfo(w.fromA)
	plain, swapped := w.a.m.plainPackets, 0
	w.hook = w.swapFulfilled(&swapped, ours)
	_ = w.a.m.SetSendMax(w.now, w.fromA, before.Sent+10)
	w.run(5 * second)
	after, _ := w.a.m.StreamInfo(w.fromA)
	if swapped != 1 || w.a.m.plainPackets != plain+1 || after.Sent != before.Sent+10 || after.Delivered-before.Delivered > 10 || w.a.m.Stats().Reflected != 1 {
		t.Errorf("%d replies swapped of %d plain packets: sent %d, delivered %d; %d known", swapped, w.a.m.plainPackets-plain,
			after.Sent-before.Sent, after.Delivered-before.Delivered, w.a.m.Stats().Reflected)
	}
}

// TestOurOwnPacketOfABygoneConnection: a connection is forgotten, and its credentials may
// open it anew. What its end sealed before neither does so, nor counts then.
func TestOurOwnPacketOfABygoneConnection(t *testing.T) {
	w := &reflecting{world: newWorld(t, Options{ReceiveMax: maxAmount}, Config{TombstoneTTL: 10e9})}
	w.x = w.connect(Options{IdleTimeout: -1, ReceiveMax: maxAmount})
	var ours, theirs [][]byte
	w.hook = func(from *node, e *Entry) bool {
		if e.Kind == Prepare && from == w.b {
			ours = append(ours, bytes.Clone(e.Packet))
		} else if e.Kind == Prepare {
			theirs = append(theirs, bytes.Clone(e.Packet))
		}
		return true
	}
	w.run(second)
	w.y = w.b.expect(EventAccepted).Conn
	w.fromB, _ = w.b.m.OpenStream(w.now, w.y)
	_ = w.b.m.SetSendMax(w.now, w.fromB, 77)
	w.run(5 * second)
	info, _ := w.b.m.ConnInfo(w.y)
	local := bytes.Clone(info.Local)
	_ = w.a.m.CloseConn(w.now, w.x)
	w.run(5 * second)
	w.b.m.ReleaseConn(w.y)
	w.run(60 * second)

	w.b.events = nil
	w.hook = func(n *node, e *Entry) bool { return n != w.b }
	for i, p := range ours {
		w.sendBack(w.b, p, local, uint32(i))
	}
	if e, ok := w.b.find(EventAccepted); ok {
		t.Fatalf("a packet of our own has opened a connection: %v", e)
	}
	w.sendBack(w.b, theirs[0], local, 100)
	again := w.b.expect(EventAccepted).Conn
	s, err := w.b.m.OpenStream(w.now, again)
	if err != nil {
		t.Fatal(err)
	}
	_ = w.b.m.SetReceiveMax(w.now, s, maxAmount)
	for i, p := range ours {
		w.sendBack(w.b, p, local, uint32(200+i))
	}
	info, _ = w.b.m.ConnInfo(again)
	if known := w.b.m.Stats().Reflected; len(ours) == 0 || info.Received != 0 || info.Closed || known != uint64(2*len(ours)) {
		t.Errorf("%d packets of our own, %d of %d known: %d units taken, closed %v", len(ours), known, 2*len(ours), info.Received, info.Closed)
	}
}

// mirror is a machine that pays itself: both ends of a connection are its own, one on
// each of two links, and what leaves by one comes in by the other.
type mirror struct {
	t     *testing.T
	m     *Machine
	links [2]LinkHandle
	queue []Entry
}

func (w *mirror) Room(LinkHandle) int { return 1 << 20 }
func (w *mirror) Forward(int, Entry)  { w.t.Fatal("no other shard") }

func (w *mirror) Request(l LinkHandle, request uint32, size int) []byte {
	return w.write(l, Prepare, request, size)
}

func (w *mirror) Reply(l LinkHandle, request uint32, size int) []byte {
	return w.write(l, Fulfill, request, size)
}

func (w *mirror) write(l LinkHandle, k Kind, request uint32, size int) []byte {
	b := make([]byte, size)
	to := w.links[0]
	if l == to {
		to = w.links[1]
	}
	w.queue = append(w.queue, Entry{Kind: k, Link: to, Request: request, Packet: b})
	return b
}

// TestMachinePaysItself: what the other end of a connection has sealed is not taken for
// our own because the same machine has.
func TestMachinePaysItself(t *testing.T) {
	w := &mirror{t: t, m: New(Config{Seed: seeded(1)})}
	tokens, _ := NewTokens(testSecret[:])
	id, err := w.m.AddServer(ServerConfig{Tokens: tokens, Options: Options{ReceiveMax: maxAmount}})
	if err != nil {
		t.Fatal(err)
	}
	for i, name := range []string{"test.alice", "test.bob"} {
		c := LinkConfig{Address: []byte(name), Account: uint32(1 + i)}
		if i == 1 {
			c.Server = id
		}
		if w.links[i], err = w.m.AddLink(c); err != nil {
			t.Fatal(err)
		}
	}
	segment, secret, err := tokens.Issue(new([30]byte), CredentialOptions{})
	if err != nil {
		t.Fatal(err)
	}
	now := Instant(1_700_000_000_000_000_000)
	x, err := w.m.Connect(now, ConnectConfig{Link: w.links[0], Destination: []byte("test.bob." + segment), SharedSecret: secret, Options: Options{ReceiveMax: maxAmount}})
	if err != nil {
		t.Fatal(err)
	}
	out, err := w.m.OpenStream(now, x)
	if err != nil {
		t.Fatal(err)
	}
	_ = w.m.SetSendMax(now, out, 1000)
	var events []Event
	for range 200 {
		for {
			e, ok := w.m.PollEvent()
			if !ok {
				break
			}
			if events = append(events, e); e.Kind == EventStreamOpened {
				_ = w.m.SetReceiveMax(now, e.Stream, maxAmount)
				_ = w.m.SetSendMax(now, e.Stream, 300) // and back
				_ = w.m.SetReceiveMax(now, out, maxAmount)
			}
		}
		for {
			h, ok := w.m.PollReady()
			if !ok {
				break
			}
			w.m.Transmit(now, h, w)
		}
		in := w.queue
		w.queue = nil
		for i := range in {
			if in[i].Kind != Prepare && ilp.PeekType(in[i].Packet) == ilp.TypeReject {
				in[i].Kind = Reject
			}
			w.m.Handle(now, in[i:i+1], w)
		}
		now += 1e7
		w.m.HandleTimeout(now, w)
	}
	info, _ := w.m.ConnInfo(x)
	if s := w.m.Stats(); info.Sent != 1000 || info.Received != 300 || s.Reflected != 0 {
		t.Errorf("paid itself %d of 1000 and %d of 300 back; %d packets were taken for reflected: %v", info.Sent, info.Received, s.Reflected, events)
	}
}
