package sim

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/millrace-ilp/millrace/engine/stream"
)

// appConn is a connection as a node's application sees it.
type appConn struct {
	n       *node
	h       stream.ConnHandle
	oc      *oconn
	client  bool
	proof   bool // opened after the faults were healed: it must succeed
	options stream.Options
	streams []*appStream
	plan    []plan // streams to open once connected
	ready   bool
	proven  bool // it was seen to have done all it was to do
	closed  bool
	gone    bool // released
	closing bool
	sentEv  sum

	progress uint64 // see moved
	movedAt  int64  // when it last changed
}

// plan is what a stream is opened for.
type plan struct{ money, data uint64 }

// appStream is a stream as an application sees it.
type appStream struct {
	c         *appConn
	h         stream.StreamHandle
	id        uint64
	sendMax   uint64
	toWrite   uint64
	wrote     uint64
	read      uint64
	ended     bool // read to the end
	graceful  bool // we close it once all is written
	closed    bool
	released  bool
	destroyed bool
}

// in and out are the flows that a connection receives and sends.
func (c *appConn) in() *flow  { return c.oc.flows[dirOf(!c.client)] }
func (c *appConn) out() *flow { return c.oc.flows[dirOf(c.client)] }

func dirOf(fromClient bool) int {
	if fromClient {
		return 0
	}
	return 1
}

// connect opens a connection to a random server.
func (n *node) connect(proof bool) {
	w := n.w
	to := w.servers[n.r.IntN(len(w.servers))]
	var random [30]byte
	for i := range random {
		random[i] = byte(n.r.Uint32())
	}
	var nonce [16]byte
	var receiptSecret [32]byte
	credentials := stream.CredentialOptions{Tag: "sim"}
	if n.r.IntN(2) == 0 {
		for i := range receiptSecret {
			receiptSecret[i] = byte(n.r.Uint32())
		}
		copy(nonce[:], receiptSecret[7:])
		credentials.ReceiptNonce, credentials.ReceiptSecret = nonce[:], receiptSecret[:]
	}
	segment, secret, err := to.tokens.Issue(&random, credentials)
	if err != nil {
		panic(err)
	}
	from, at := n.ports[n.r.IntN(len(n.ports))], to.ports[n.r.IntN(len(to.ports))]
	if proof && !from.knows() { // first it must
		w.schedule(w.now+1e9, evConnect, int32(n.id), 1, nil)
		return
	}
	destination := fmt.Appendf(nil, "%s.%s", at.address, segment)
	c := &appConn{n: n, client: true, proof: proof, options: w.options(n, proof)}
	if proof {
		c.options.IdleTimeout = -1
	}
	h, err := n.d.Connect(n.now(), stream.ConnectConfig{Link: from.link, Destination: destination, SharedSecret: secret, Options: c.options})
	if err != nil {
		w.violate("L1", "node %d can not connect: %v", n.id, err)
		return
	}
	if proof {
		w.awaited--
	}
	info, _ := n.d.m.ConnInfo(h)
	c.h = h
	c.oc = w.oracle.connect(from, at, secret, destination, info.Local, h)
	c.oc.proof = proof
	c.oc.nonce, c.oc.secret, c.oc.receipts = nonce, receiptSecret, credentials.ReceiptNonce != nil
	for range 1 + n.r.IntN(4) {
		p := n.newPlan()
		if proof {
			p.money = max(min(p.money, 1e9), w.least) // what arrives must fit 64 bits at any rate, and be something
		}
		c.plan = append(c.plan, p)
	}
	if proof {
		c.plan = c.plan[:min(2, len(c.plan))] // as many as any server allows
	}
	n.add(c)
	n.settle()
}

// newPlan draws how much a stream sends.
func (n *node) newPlan() plan {
	var p plan
	if n.r.IntN(8) > 0 {
		p.money = n.w.amount(n.r)
	}
	if n.r.IntN(3) == 0 || p.money == 0 {
		p.data = logUniform(n.r, 1, 150_000)
	}
	return p
}

func (n *node) add(c *appConn) {
	n.conns = append(n.conns, c)
	n.byConn[c.h] = c
}

// event takes one event of the machine's.
func (n *node) event(e *stream.Event) {
	w := n.w
	w.log(0x20|uint64(e.Kind)<<8, uint64(n.id), uint64(e.Amount))
	w.mix(uint64(e.Kind)<<56 ^ uint64(e.Amount) ^ uint64(e.Packets)<<32)
	switch e.Kind {
	case stream.EventLinkConfigured:
		n.configured(e.Link)
	case stream.EventAccepted:
		n.accepted(e.Conn)
	case stream.EventConnected:
		if c := n.byConn[e.Conn]; c != nil {
			c.ready = true
			n.openPlanned(c)
		}
	case stream.EventStreamOpened:
		n.streamOpened(e)
	case stream.EventMoneyReceived:
		if c := n.byConn[e.Conn]; c != nil {
			c.in().moneyReceived.add(uint64(e.Amount))
			n.touch(c.in())
		}
	case stream.EventMoneySent:
		if c := n.byConn[e.Conn]; c != nil {
			c.sentEv.add(uint64(e.Amount))
			n.touch(c.out())
		}
	case stream.EventReadable:
		if s := n.byStream[e.Stream]; s != nil && !n.lazy {
			n.read(s)
		}
	case stream.EventWritable:
		if s := n.byStream[e.Stream]; s != nil {
			n.write(s)
		}
	case stream.EventHold:
		delay := between(n.r, 0, 5e6)
		if w.faults.hits(SlowDecide) {
			delay = between(w.faults.r, 1e8, 40e9)
		}
		n.schedule(w.now+delay, evDecide, uint64(e.Hold))
	case stream.EventStreamClosed:
		if s := n.byStream[e.Stream]; s != nil {
			n.streamClosed(s)
		}
	case stream.EventClosed:
		if c := n.byConn[e.Conn]; c != nil {
			c.closed = true
			n.touch(c.in())
			n.touch(c.out())
		}
	}
}

func (n *node) accepted(h stream.ConnHandle) {
	info, ok := n.d.m.ConnInfo(h)
	if !ok {
		return
	}
	at := n.w.oracle.address[string(info.Local)]
	if at == nil {
		n.w.violate("C2", "node %d accepts a connection that nobody opened", n.id)
		return
	}
	f := at.flow
	if f.to != 0 {
		if _, ok := n.d.m.ConnInfo(f.to); ok || f.here() != (sum{}) {
			n.w.violate("M5", "node %d accepts connection %d twice", n.id, f.c.id)
		}
	}
	f.to, f.other().from = h, h
	c := &appConn{n: n, h: h, oc: f.c, options: n.options}
	n.add(c)
	n.touch(f)
	switch {
	case !f.c.proof && n.r.IntN(3) == 0:
		c.plan = append(c.plan, n.newPlan())
	case f.c.proof && n.w.even() && n.options.RateDen == 0 && n.r.IntN(2) == 0: // money back, to wherever the client is by then
		p := n.newPlan()
		p.money = max(min(p.money, 1e9), 1)
		c.plan = append(c.plan, p)
	}
}

// openPlanned opens the streams that a connection is for.
func (n *node) openPlanned(c *appConn) {
	for len(c.plan) > 0 && !c.closed && !c.closing {
		h, err := n.d.OpenStream(n.now(), c.h)
		if err != nil {
			return // later: evApp tries again
		}
		s := n.addStream(c, h)
		p := c.plan[0]
		c.plan = c.plan[1:]
		n.start(s, p)
	}
}

func (n *node) addStream(c *appConn, h stream.StreamHandle) *appStream {
	info, _ := n.d.m.StreamInfo(h)
	s := &appStream{c: c, h: h, id: info.ID}
	c.streams = append(c.streams, s)
	n.byStream[h] = s
	return s
}

// start gives a stream something to send.
func (n *node) start(s *appStream, p plan) {
	if p.money > 0 {
		n.raise(s, p.money)
	}
	if p.data > 0 {
		s.toWrite += p.data
		n.write(s)
	}
}

// raise lets a stream send an amount in all, if that is more than it may.
func (n *node) raise(s *appStream, to uint64) {
	if to <= s.sendMax {
		return
	}
	if n.d.SetSendMax(n.now(), s.h, stream.Amount(to)) == nil {
		f := s.c.out()
		f.sendMax.add(to - s.sendMax)
		f.stream(s.id).sendMax = to
		s.sendMax = to
	}
}

func (n *node) streamOpened(e *stream.Event) {
	c := n.byConn[e.Conn]
	if c == nil {
		return
	}
	s := n.addStream(c, e.Stream)
	if n.recvMax < ^uint64(0) || c.client {
		n.open(s)
	}
	if n.r.IntN(3) == 0 && !c.oc.proof {
		p := n.newPlan()
		n.start(s, p)
	}
}

// open raises a stream's receive maximum.
func (n *node) open(s *appStream) {
	limit := ^uint64(0)
	if !n.w.faults.healed && n.r.IntN(2) == 0 {
		info, ok := n.d.m.StreamInfo(s.h)
		if !ok {
			return
		}
		room := n.w.amount(n.r)
		limit = uint64(info.ReceiveMax) + min(room, ^uint64(info.ReceiveMax))
	}
	_ = n.d.SetReceiveMax(n.now(), s.h, stream.Amount(limit))
}

// write writes what the stream still has to.
func (n *node) write(s *appStream) {
	f := s.c.out()
	for s.wrote < s.toWrite && !s.closed {
		k := min(int(s.toWrite-s.wrote), 1+n.r.IntN(40_000))
		if cap(n.buf) < k {
			n.buf = make([]byte, 64<<10)
		}
		b := n.buf[:k]
		for i := range b {
			b[i] = octetAt(f, s.id, s.wrote+uint64(i))
		}
		got, err := n.d.Write(n.now(), s.h, b)
		s.wrote += uint64(got)
		if err != nil || got < k {
			return
		}
	}
}

// read reads what there is and checks it.
func (n *node) read(s *appStream) {
	f := s.c.in()
	if cap(n.buf) < 64<<10 {
		n.buf = make([]byte, 64<<10)
	}
	for !s.released {
		b := n.buf[:1+n.r.IntN(32<<10)]
		k, err := n.d.Read(n.now(), s.h, b)
		for i := range k {
			if b[i] != octetAt(f, s.id, s.read+uint64(i)) {
				n.w.violate("D1", "connection %d stream %d: octet %d is not what was written", s.c.oc.id, s.id, s.read+uint64(i))
				return
			}
		}
		s.read += uint64(k)
		if errors.Is(err, stream.ErrEnd) {
			n.ended(s)
		}
		if k == 0 || err != nil {
			return
		}
	}
}

// ended checks that a stream that its peer closed cleanly is whole.
func (n *node) ended(s *appStream) {
	if s.ended {
		return
	}
	s.ended = true
	peer := n.w.peerOf(s)
	if peer == nil || !peer.graceful || peer.destroyed || s.graceful || s.destroyed || s.c.oc.forgotten {
		return
	}
	info, _ := n.d.m.StreamInfo(s.h)
	if info.RemoteClosed && s.read != peer.wrote {
		n.w.violate("D1", "connection %d stream %d ends after %d octets of %d", s.c.oc.id, s.id, s.read, peer.wrote)
	}
}

func (n *node) streamClosed(s *appStream) {
	s.closed = true
	n.touch(s.c.in())
	n.read(s)
}

// decide answers a hold.
func (n *node) decide(h stream.HoldHandle) {
	d := stream.Accept
	if n.w.faults.hits(Decline) {
		d = stream.Decline
	}
	n.begin()
	if d == stream.Decline && n.r.IntN(3) == 0 {
		_ = n.d.Refuse(n.now(), h, n) // for good
	} else {
		_ = n.d.Decide(n.now(), h, d, n)
	}
	n.settle()
}

// act does something at random, as applications do.
func (n *node) act() {
	w := n.w
	n.askAgain()
	if n.server == 0 && len(n.conns) < 80 && n.r.IntN(8) == 0 {
		live := 0
		for _, c := range n.conns {
			if !c.closed {
				live++
			}
		}
		if live < 3 {
			n.connect(false)
		}
	}
	if len(n.conns) == 0 {
		return
	}
	c := n.conns[n.r.IntN(len(n.conns))]
	if c.closed {
		n.letGo(c)
		return
	}
	if c.ready {
		n.openPlanned(c)
	}
	if len(c.streams) > 0 {
		s := c.streams[n.r.IntN(len(c.streams))]
		switch k := n.r.IntN(40); {
		case k < 12:
			n.read(s)
		case k < 18:
			n.open(s)
		case k < 22:
			n.raise(s, s.sendMax+min(w.amount(n.r), ^s.sendMax))
		case k < 26:
			s.toWrite += logUniform(n.r, 1, 50_000)
			n.write(s)
		case k == 26 && !c.proof:
			s.graceful = s.wrote == s.toWrite
			_ = n.d.CloseStream(n.now(), s.h)
		case k == 27 && !c.proof && n.r.IntN(4) == 0:
			s.destroyed = true
			_ = n.d.DestroyStream(n.now(), s.h)
		case k == 28 && s.closed && !s.released:
			n.read(s)
			s.released = true
			n.d.ReleaseStream(s.h)
		case k == 29 && n.r.IntN(8) == 0 && !c.proof:
			c.closing = true
			_ = n.d.CloseConn(n.now(), c.h)
		case k == 30 && n.r.IntN(16) == 0 && !c.proof:
			c.closing = true
			_ = n.d.DestroyConn(n.now(), c.h)
		case k == 32 && !c.proof:
			_ = n.d.SetDeliverMax(n.now(), s.h, stream.Amount(w.amount(n.r)))
		case k == 31 && len(c.plan) == 0 && len(c.streams) < 12 && !w.faults.healed:
			c.plan = append(c.plan, n.newPlan())
		}
	}
	n.settle()
}

// letGo releases a connection that is over.
func (n *node) letGo(c *appConn) {
	if c.gone {
		return
	}
	for _, s := range c.streams {
		n.read(s)
	}
	n.checkClosed(c)
	n.checkGuesses(c)
	c.gone = true
	for _, s := range c.streams {
		s.released = true
		delete(n.byStream, s.h)
	}
	n.d.ReleaseConn(c.h)
	n.settle()
}

// checkClosed looks a last time at a connection that is over.
func (n *node) checkClosed(c *appConn) {
	n.touch(c.in())
	n.touch(c.out())
	n.settle()
}

var serverSecret = bytes.Repeat([]byte{7}, 32)
