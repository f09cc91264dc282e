package sim

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"fmt"

	"github.com/millrace-ilp/millrace/codec/frame"
	"github.com/millrace-ilp/millrace/codec/ildcp"
	"github.com/millrace-ilp/millrace/codec/ilp"
	"github.com/millrace-ilp/millrace/engine/stream"
)

// oracle keeps books of its own, from the octets that cross the links. It knows
// the shared secrets because the world issues the credentials, and decrypts
// with the standard library.
type oracle struct {
	w       *World
	conns   []*oconn
	address map[string]*place // by destination
	gcmText []byte
	gcmIn   []byte
	frames  [32]uint64 // STREAM frames seen, by type
	honest  bool       // no connector has a hostile fault
}

// oconn is a connection as the oracle sees it.
type oconn struct {
	id        int
	proof     bool     // see appConn
	nonce     [16]byte // of its receipts, when receipts
	secret    [32]byte
	receipts  bool
	forgotten bool     // the server has started anew since it knew of it
	orphaned  bool     // the client's process has ended
	name      [16]byte // Credit.ConnID
	aead      cipher.AEAD
	ivs       map[[12]byte]sealer
	ports     [2]*port // the client's, the server's
	flows     [2]*flow // from the client, from the server
}

// place is an address that packets of a flow are sent to.
type place struct {
	flow   *flow
	proven bool // somebody there has answered who knows the secret
}

// at notes that a flow's packets go to an address.
func (o *oracle) at(address []byte, f *flow) {
	if o.address[string(address)] == nil {
		o.address[string(address)] = &place{flow: f}
	}
}

// flow is one direction of a connection.
type flow struct {
	c        *oconn
	dir      int
	origin   *node // who sends; nil while unknown
	dest     *node
	from, to stream.ConnHandle // at origin and dest; zero while unknown

	first        *place // that was used, without a trial
	lastSequence uint64
	sequences    map[uint64]uint8 // what was credited, by sequence: 1 staged, 2 durable, 4 released

	// At the sender.
	sendMax  sum // sum of its streams' send maxima, the highest ever
	must     sum // fulfilled, and told in time: counts as sent
	may      sum // fulfilled, and told late: may count as sent
	open     sum // no answer yet
	fresh    sum // of that, before expiry and margin: must be held
	inFlight []*packet
	oldest   int
	claimed  sum // what arrived, by the replies
	least    sum // what arrived at least, by the minima

	// At the receiver.
	released      sum
	source        sum              // what the packets that were released cost their sender
	paid          sum              // fulfills that reached the last connector in time
	durable       sum              // of the model disk: credits less voids
	moneyReceived sum              // by events
	before        sum              // released by processes that have ended
	durableBefore sum              // on the disk when the present one started
	lost          map[uint64]uint8 // sequences of the one before

	streams []*ostream // what is sent in this direction
	window  uint64     // octets that the peer's ConnectionMaxData lets go
	sent    uint64     // octets sent, over all streams
}

// ostream is one stream's traffic in one direction.
type ostream struct {
	id         uint64
	window     uint64 // octets that the peer's StreamMaxData lets go
	windowTold uint64 // the highest window that the receiver told, wherever that got to
	high       uint64 // octets sent
	pieces     map[uint64]uint32
	sendMax    uint64 // the highest send maximum that its sender's application set
	source     sum    // what released packets bring it, in its sender's units
	cost       sum    // what packets that were paid for cost its sender, rounded down
	paid       uint64 // so many packets
	least      sum    // parts of released packets, rounded down
	advertised uint64 // highest receive maximum that the receiver told
	told       uint64 // highest total that the receiver told
	receipt    uint64 // highest total of a receipt
}

// packet is a prepare that an end point wrote, wherever it is.
type packet struct {
	flow      *flow
	sequence  uint64
	minimum   uint64
	amount    uint64
	expiresMs int64
	condition [32]byte
	parts     []frame.StreamMoney
	text      []byte // its plaintext
	answered  bool
	aged      bool // past expiry and margin
	released  bool
	place     *place
	sentBy    uint32    // which of its sender's processes
	boot      uint32    // which of its receiver's processes released it
	arrived   uint64    // amount of the copy that was released
	booked    [4]uint64 // by link, from 1: amount of the valid fulfill, plus one
}

// linkOf is the number of the link by which a packet reaches a connector.
func (p *packet) linkOf(k *connector) int {
	from := p.flow.c.ports[p.flow.dir].k
	return max(k.id-from.id, from.id-k.id) + 1
}

// links is how many links there are on a flow's path.
func (f *flow) links() int {
	a, b := f.c.ports[0].k, f.c.ports[1].k
	return max(a.id-b.id, b.id-a.id) + 2
}

func deriveKey(secret []byte, label string) []byte {
	h := hmac.New(sha256.New, secret)
	h.Write([]byte(label))
	return h.Sum(nil)
}

// connect tells the oracle of a connection that will be.
func (o *oracle) connect(from, to *port, secret [32]byte, destination, local []byte, h stream.ConnHandle) *oconn {
	block, err := aes.NewCipher(deriveKey(secret[:], "ilp_stream_encryption"))
	if err != nil {
		panic(err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		panic(err)
	}
	client, server := from.n, to.n
	c := &oconn{id: len(o.conns), ports: [2]*port{from, to}, aead: aead, name: [16]byte(deriveKey(secret[:], "millrace_connection_id")), ivs: map[[12]byte]sealer{}}
	for dir := range c.flows {
		c.flows[dir] = &flow{c: c, dir: dir, sequences: map[uint64]uint8{}, window: assumedConnWindow}
	}
	c.flows[0].origin, c.flows[0].dest, c.flows[0].from = client, server, h
	c.flows[1].origin, c.flows[1].dest, c.flows[1].to = server, client, h
	o.at(destination, c.flows[0])
	o.at(local, c.flows[1])
	o.conns = append(o.conns, c)
	return c
}

const (
	assumedStreamWindow = 16384
	assumedConnWindow   = 65534
)

// open decrypts the data of a packet; false when they do not authenticate. The
// text is good until the next call.
func (o *oracle) open(c *oconn, data []byte) ([]byte, bool) {
	if len(data) < frame.Overhead {
		return nil, false
	}
	o.gcmIn = append(append(o.gcmIn[:0], data[28:]...), data[12:28]...)
	text, err := c.aead.Open(o.gcmText[:0], data[:12], o.gcmIn, nil)
	if err != nil {
		return nil, false
	}
	o.gcmText = text
	return text, true
}

// sealer is who sealed something: the end where a direction begins, in one life of its process.
type sealer struct {
	dir   int
	boots uint32
}

// freshIV checks that no IV serves twice under one key.
func (o *oracle) freshIV(c *oconn, data []byte, by sealer) {
	iv := [12]byte(data[:12])
	if _, seen := c.ivs[iv]; seen {
		o.w.violate("C1", "connection %d: an IV is used twice", c.id)
	}
	c.ivs[iv] = by
}

func (f *flow) stream(id uint64) *ostream {
	for _, s := range f.streams {
		if s.id == id {
			return s
		}
	}
	s := &ostream{id: id, window: assumedStreamWindow, windowTold: assumedStreamWindow, pieces: map[uint64]uint32{}}
	f.streams = append(f.streams, s)
	return s
}

// other is the opposite direction.
func (f *flow) other() *flow { return f.c.flows[1-f.dir] }

// prepareWritten takes a prepare that an end point writes.
func (o *oracle) prepareWritten(n *node, m *message) {
	p, err := ilp.ParsePrepare(m.buf)
	if err != nil {
		o.w.violate("C3", "node %d writes a prepare that does not parse: %v", n.id, err)
		return
	}
	if ildcp.IsRequest(p) {
		return
	}
	place := o.address[string(p.Destination())]
	if place == nil || place.flow.origin != n {
		o.w.violate("C3", "node %d sends to %q, which no connection of it has", n.id, p.Destination())
		return
	}
	f := place.flow
	text, ok := o.open(f.c, p.Data())
	if !ok {
		o.w.violate("C3", "connection %d: a prepare does not decrypt", f.c.id)
		return
	}
	o.freshIV(f.c, p.Data(), sealer{f.dir, n.boots})
	v, err := frame.Parse(text)
	if err != nil || v.PacketType != ilp.TypePrepare {
		o.w.violate("C3", "connection %d: a prepare's STREAM packet is not one: %v", f.c.id, err)
		return
	}
	r := o.w.newPacket()
	r.flow, r.sequence, r.minimum, r.amount = f, v.Sequence, uint64(v.PrepareAmount), uint64(p.Amount())
	r.expiresMs, r.condition = p.ExpiryUnixMs(), [32]byte(p.Condition())
	r.text = append(r.text[:0], text...)
	r.place, r.sentBy = place, n.boots
	if f.first == nil && v.Count() > 0 { // a packet that only tries an address has none
		f.first = place
	}
	m.packet, m.clean = r, true
	if r.sequence <= f.lastSequence {
		o.w.violate("C1", "connection %d: sequence %d after %d", f.c.id, r.sequence, f.lastSequence)
	}
	if r.sequence >= 1<<31 {
		o.w.violate("C4", "connection %d: sequence %d", f.c.id, r.sequence)
	}
	f.lastSequence = r.sequence
	o.writtenFrames(f, r, &v)
	if r.amount > 0 && len(r.parts) > 0 {
		f.open.add(r.amount)
		f.fresh.add(r.amount)
		f.inFlight = append(f.inFlight, r)
		o.checkMinimum(f, r)
		if place != f.first && !place.proven {
			o.w.violate("C5", "connection %d: money goes to %q, where nobody has shown that he knows the secret", f.c.id, p.Destination())
		}
	}
	n.touch(f)
}

// writtenFrames takes the frames of a prepare at the moment of writing.
func (o *oracle) writtenFrames(f *flow, r *packet, v *frame.Packet) {
	for it := v.Frames(); it.Next(); {
		o.frames[it.Type()&31]++
		switch it.Type() {
		case frame.TypeStreamMoney:
			b, _ := frame.ParseStreamMoney(it.Body())
			r.parts = append(r.parts, b)
		case frame.TypeStreamData:
			b, _ := frame.ParseStreamData(it.Body())
			o.dataWritten(f, b)
		default:
			o.told(f, it.Type(), it.Body())
		}
	}
}

// told takes a limit that an end point tells, in a packet it writes: f is the
// direction in which the packet goes.
func (o *oracle) told(f *flow, t frame.Type, body []byte) {
	if t == frame.TypeStreamMaxData {
		b, _ := frame.ParseStreamMaxData(body)
		s := f.other().stream(b.StreamID)
		s.windowTold = max(s.windowTold, b.MaxOffset)
	}
	if t != frame.TypeStreamMaxMoney {
		return
	}
	b, _ := frame.ParseStreamMaxMoney(body)
	s := f.other().stream(b.StreamID) // the money that it limits comes the other way
	if uint64(b.ReceiveMax) < s.advertised {
		o.w.violate("M7", "connection %d stream %d: the receive maximum falls from %d to %d", f.c.id, s.id, s.advertised, b.ReceiveMax)
	}
	if uint64(b.TotalReceived) < s.told {
		o.w.violate("M7", "connection %d stream %d: the total received falls from %d to %d", f.c.id, s.id, s.told, b.TotalReceived)
	}
	s.advertised, s.told = uint64(b.ReceiveMax), uint64(b.TotalReceived)
	if !f.other().here().atLeast(s.told) {
		o.w.violate("M7", "connection %d stream %d: tells %d received of a connection that released less", f.c.id, s.id, s.told)
	}
}

// heard takes the limits in a packet that an end point is handed, which goes in
// direction f: they are about what goes the other way.
func (o *oracle) heard(f *flow, text []byte) {
	v, err := frame.Parse(text)
	if err != nil {
		return
	}
	back := f.other()
	for it := v.Frames(); it.Next(); {
		switch it.Type() {
		case frame.TypeStreamMaxData:
			b, _ := frame.ParseStreamMaxData(it.Body())
			s := back.stream(b.StreamID)
			s.window = max(s.window, b.MaxOffset)
		case frame.TypeConnectionMaxData:
			b, _ := frame.ParseConnectionMaxData(it.Body())
			back.window = max(back.window, b.MaxOffset)
		}
	}
}

// dataWritten checks a StreamData frame as it is sent.
func (o *oracle) dataWritten(f *flow, b frame.StreamData) {
	s := f.stream(b.StreamID)
	end := b.Offset + uint64(len(b.Data))
	if n, again := s.pieces[b.Offset]; b.Offset < s.high || again {
		if !again || int(n) != len(b.Data) {
			o.w.violate("D3", "connection %d stream %d: octets %d..%d are resent with other framing", f.c.id, s.id, b.Offset, end)
		}
	} else {
		if b.Offset > s.high {
			o.w.violate("D3", "connection %d stream %d: octets %d..%d are left out", f.c.id, s.id, s.high, b.Offset)
		}
		s.pieces[b.Offset] = uint32(len(b.Data))
		s.high = end
		f.sent += uint64(len(b.Data))
	}
	if end > s.window || f.sent > f.window {
		o.w.violate("D3", "connection %d stream %d: sends up to %d past a window of %d (connection: %d of %d)", f.c.id, s.id, end, s.window, f.sent, f.window)
	}
	for i, x := range b.Data {
		if x != octetAt(f, s.id, b.Offset+uint64(i)) {
			o.w.violate("D1", "connection %d stream %d: octet %d is not what was written", f.c.id, s.id, b.Offset+uint64(i))
			return
		}
	}
}

// octetAt is the octet that the applications write at an offset.
func octetAt(f *flow, id, offset uint64) byte {
	x := (offset>>3)*0x9e3779b97f4a7c15 ^ uint64(f.c.id)<<40 ^ id<<8 ^ uint64(f.dir)
	x ^= x >> 29
	x *= 0xbf58476d1ce4e5b9
	return byte(x >> (8 * (offset & 7)))
}

// checkMinimum holds a prepare's minimum to the rate that its sender has found
// and its slippage.
func (o *oracle) checkMinimum(f *flow, r *packet) {
	info, ok := f.origin.d.m.ConnInfo(f.from)
	if f.from == 0 || !ok || info.RateDen == 0 {
		return
	}
	dest, ok := mulDiv(r.amount, info.RateNum, info.RateDen)
	if !ok {
		return
	}
	least, _ := mulDiv(dest, 1_000_000-uint64(info.SlippagePPM), 1_000_000)
	if r.minimum < least {
		o.w.violate("M9", "connection %d: the minimum of sequence %d is %d, but the rate asks for %d", f.c.id, r.sequence, r.minimum, least)
	}
}

func (o *oracle) violate(name, format string, args ...any) { o.w.violate(name, format, args...) }

// describe is what a report says of a flow.
func (f *flow) describe() string {
	return fmt.Sprintf("connection %d direction %d: must %d may %d open %d fresh %d, released %d paid %d durable %d",
		f.c.id, f.dir, f.must.lo, f.may.lo, f.open.lo, f.fresh.lo, f.released.lo, f.paid.lo, f.durable.lo)
}
