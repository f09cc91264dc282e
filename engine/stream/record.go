package stream

import (
	"encoding/binary"

	"github.com/millrace-ilp/millrace/aesni"
	"github.com/millrace-ilp/millrace/codec/frame"
	"github.com/millrace-ilp/millrace/pool/slab"
)

// connFlags are the yes-or-no facts of a connection.
type connFlags uint32

const (
	flagClient        connFlags = 1 << iota // we opened it
	flagReady                               // it may send money: the rate is known
	flagProbing                             // a probe volley is out or due
	flagHeard                               // an authentic packet of the peer's has arrived
	flagPeerAddress                         // we know where to send
	flagTellAddress                         // ConnectionNewAddress goes into every packet until heard
	flagTellLimit                           // ConnectionMaxStreamId is due
	flagTellAsset                           // ConnectionAssetDetails is due
	flagTellMaxData                         // ConnectionMaxData is due
	flagEnding                              // no new work; ConnectionClose follows the last packet
	flagCloseDue                            // ConnectionClose is to be sent
	flagCloseSent                           // ConnectionClose is in flight
	flagRemoteClosed                        // the peer closed it
	flagClosed                              // it is over: a tombstone from here on
	flagAsleep                              // keys are wiped
	flagQueued                              // it waits in its link's ring
	flagDirtyStreams                        // some stream has frames to tell
	flagMovedMoney                          // some unit was sent or received
	flagStreamsEnding                       // some stream waits to send StreamClose
	flagUrgent                              // a connection frame is worth a packet of its own
	flagTellBlocked                         // ConnectionDataBlocked is due
	flagToldBlocked                         // the peer knows of that since its window last rose
	flagTellIDBlocked                       // ConnectionStreamIdBlocked is due
	flagToldIDBlocked                       // the peer knows of that since its limit last rose
	flagTestAddress                         // a new address of the peer's is to be tried
	flagDecide                              // incoming money waits for Machine.Decide
	flagReceipts                            // fulfills carry receipts
	flagReleased                            // the application has let go of it
	flagUntold                              // the receiver does not tell totals: what is in doubt stays so
	flagRetrying                            // packets were refused since money last arrived
	flagExpiry                              // an ExpiryFunc says when its packets expire
)

// flagTell are the flags of what is due to be told.
const flagTell = flagDirtyStreams | flagTellLimit | flagTellAsset | flagTellMaxData | flagTellBlocked | flagTellIDBlocked

func (f connFlags) has(x connFlags) bool { return f&x != 0 }

// conn is one connection. It holds no Go pointers, so that a million of them
// cost the collector nothing; what few need is in a coldConn. The order of
// the fields is that of the cache lines: a packet in touches the first, one out
// and its answer the first four.
type conn struct {
	flags                 connFlags
	link                  uint32 // index of the link it is bound to
	options               uint32 // index into Machine.options
	refs                  uint32 // slots and holds that name it
	self                  uint32 // number of its handle, which leads here by Machine.connPlaces
	firstStream           uint32 // in order of creation
	replay                replayWindow
	lastActive            Instant
	totalReceived, heldIn Amount // in our units

	generation   uint32 // of its handle
	firstDoubt   uint32 // expired packets without an answer, oldest first
	names        uint32 // of its ends, in Machine.names
	cold         uint32 // index of its coldConn, or 0
	nextSequence Sequence
	// Sent, in our units; delivered is in the peer's.
	totalSent, heldOut, delivered Amount
	rate                          rate

	window   window
	flight   load
	size     packetSize
	lastRate rate // arrived and sent of the last money packet that the receiver has told of
	user     uint64

	// What is seldom looked at.
	secret        [32]byte
	maxDataRemote uint64 // how far the peer lets us send on all streams together
	nextStreamID  uint32
	openStreams   uint32
	probe         uint32 // index of its probe while the rate is looked for, or 0
	server        uint32 // its server, or 0
	asset         uint32 // the peer's, in Machine.assets, or 0
	lastStream    uint32
}

// leastSource is the least amount of which anything arrives, 0 while the rate is not known.
func (c *conn) leastSource() Amount {
	switch {
	case !c.rate.known():
		return 0
	case c.rate.num >= c.rate.den:
		return 1 // without a division
	}
	return c.rate.source(1)
}

// coldConn holds what most connections never need. One that has none counts as
// beginning (coldOf).
type coldConn struct {
	retry                          retry  // zero unless flagRetrying
	dataIn, dataRead, maxDataLocal uint64 // of all streams together, absolute offsets
	dataOut                        uint64
	dataWindow                     uint64 // how much the peer may send ahead of the readers
	maxStreamIDLocal               uint64 // what we allow the peer
	maxStreamIDRemote              uint64 // what the peer allows us

	localClosed  idSet     // closed streams that we opened
	remoteClosed idSet     // closed streams that the peer opened
	farLocal     []idRange // of localClosed
	farRemote    []idRange // of remoteClosed

	turn         uint32 // stream that is served next, of several
	lastDoubt    uint32
	freshAnswers uint8 // since doubtSince
	asks         uint8 // repetitions of blocked frames
	closeCode    frame.ErrorCode
	doubtSince   Instant
	unknown      Amount  // part of heldOut whose answer is lost
	unread       Amount  // see Machine.unread
	largeRate    rate    // see Machine.hearRate
	askAt        Instant // repeat blocked frames then, or 0
	paceNext     Instant // no packet before
	closeAfter   Instant // give up waiting for the answer to ConnectionClose
	closeMessage []byte

	expiry    ExpiryFunc   // with flagExpiry
	replay    farReplay    // of a replay window that outgrew its 64 bits
	receipts  *receiptKeys // with flagReceipts
	id        [16]byte     // for the ledger, once it was needed
	candidate []byte       // a new address of the peer's, on trial
	trial     Sequence     // of the packet that tries it
	moved     Instant      // when the peer's address was last replaced
}

// coldOf is what a connection seldom needs, to be read. It is good until the next call.
func (m *Machine) coldOf(c *conn) *coldConn {
	if c.cold != 0 {
		return m.colds.At(c.cold)
	}
	m.quiet.begin(m.optionsOf(c))
	return &m.quiet
}

// ownCold is the same to be written: from here on the connection has it.
func (m *Machine) ownCold(c *conn) *coldConn {
	if c.cold == 0 {
		i, cold, ok := m.colds.Alloc()
		invariant(ok, "more cold parts than connections")
		cold.begin(m.optionsOf(c))
		c.cold = i
	}
	return m.colds.At(c.cold)
}

// begin sets the figures that every connection has at first.
func (cold *coldConn) begin(o *connOptions) {
	cold.maxStreamIDLocal, cold.maxStreamIDRemote = 2*uint64(o.MaxRemoteStreams), assumedStreamIDs
	cold.maxDataLocal, cold.dataWindow = uint64(o.ConnectionWindow), uint64(o.ConnectionWindow)
}

// freeCold gives back what a connection has.
func (m *Machine) freeCold(c *conn) {
	if c.cold != 0 {
		*m.colds.At(c.cold) = coldConn{}
		m.colds.Free(c.cold)
		c.cold = 0
	}
}

// streamFlags are the yes-or-no facts of a stream.
type streamFlags uint32

const (
	streamTellMaxMoney    streamFlags = 1 << iota // StreamMaxMoney is due
	streamTellMaxData                             // StreamMaxData is due
	streamTellBlocked                             // StreamMoneyBlocked is due
	streamToldBlocked                             // it knows of that since its limit last rose
	streamTellDataBlocked                         // StreamDataBlocked is due
	streamToldDataBlocked                         // it knows of that since its window last rose
	streamEnding                                  // no new work; StreamClose follows the last octet
	streamCloseDue                                // StreamClose is to be sent
	streamCloseSent                               // StreamClose is in flight
	streamRemoteClosed                            // the peer closed it
	streamClosed                                  // over; the record stays until the application has let go
	streamRemoteLimit                             // StreamMaxMoney was heard
	streamReleased                                // the application has let go of it
	streamReadEvent                               // a readable event waits
	streamLimitEvent                              // an event of the peer's limit waits
	streamWriteWait                               // the application waits for room to write
	streamStuck                                   // what is left to send is too little for anything to arrive
	streamTotalTold                               // EventTotalSent was raised for this send maximum
	streamTotalHeard                              // the peer's total was told since something is in doubt
	streamCounted                                 // its total is counted in a comparison that is under way
	streamPays                                    // a send maximum was set
	streamTagged                                  // user is set
	streamUsualWindow                             // the peer lets us send usualStreamWindow
	streamDeliverMax                              // deliverMax is set
)

// streamTell are the flags of what is due to be told of an open stream.
const streamTell = streamTellMaxMoney | streamTellMaxData | streamTellBlocked | streamTellDataBlocked

func (f streamFlags) has(x streamFlags) bool { return f&x != 0 }

// streamRec is one stream, without Go pointers. The first cache line is what a
// packet in touches, with the second one out and its answer.
type streamRec struct {
	conn  uint32
	next  uint32 // of the same connection
	flags streamFlags
	cold  uint32 // index of its coldStream, or 0
	id    uint32 // IL-RFC 0029 §4.4.1
	self  uint32 // number of its handle, in Machine.streamPlaces
	// Receiving, in our units.
	receiveMax, received Amount
	moneyIn              Amount // of events that wait to be polled, in so many packets
	packetsIn            uint32
	packetsOut           uint32 // the same of moneyOut
	refs                 uint32 // slots, pieces and holds that name it
	data                 uint32 // index of its dataState, or 0

	// Sending, in our units; delivered and the remote figures are the peer's.
	sendMax, sent, heldOut    Amount
	delivered, heldDest       Amount
	remoteMax, remoteReceived Amount
	moneyOut                  Amount
}

// coldStream holds what most streams never need, without Go pointers.
type coldStream struct {
	heldIn        Amount // received, and still to be decided about
	unknown       Amount // part of heldOut whose answer is lost
	deliverMax    Amount // with streamDeliverMax: never more than so much is delivered
	user          uint64 // with streamTagged
	maxDataRemote uint64 // how far the peer lets us send, or 0: windowRemote says
	receipt       uint32 // index of the last receipt of the peer's, or 0
	closeSlot     uint32 // the packet that carries its StreamClose
	code          frame.ErrorCode
}

// coldStreamOf is what a stream seldom needs, to be read.
func (m *Machine) coldStreamOf(s *streamRec) *coldStream {
	if s.cold != 0 {
		return m.coldStreams.At(s.cold)
	}
	return &m.quietStream
}

// ownColdStream is the same to be written: from here on the stream has it.
func (m *Machine) ownColdStream(s *streamRec) *coldStream {
	if s.cold == 0 {
		i, _, ok := m.coldStreams.Alloc()
		invariant(ok, "more cold parts than streams")
		s.cold = i
	}
	return m.coldStreams.At(s.cold)
}

// receivable is what the stream can still take beside what is pending, the tolerance
// included.
func (m *Machine) receivable(s *streamRec, pending Amount) Amount {
	if s.flags.has(streamClosed | streamRemoteClosed | streamEnding) {
		return 0
	}
	taken := satAdd(satAdd(s.received, m.coldStreamOf(s).heldIn), pending)
	return tolerated(floorSub(s.receiveMax, taken))
}

// slot is one prepare of ours in flight. Its request id is its index and a
// piece of its generation.
type slot struct {
	expect     [32]byte // the fulfillment that proves it
	conn       uint32
	link       uint32
	prev, next uint32 // in flight of the same link, or in doubt of the same connection
	flags      slotFlags
	told       told   // which state frames it carries
	answered   bool   // no answer can come any more
	octets     uint32 // of the STREAM packet
	sequence   Sequence

	amount    Amount // what leaves us
	minDest   Amount // the least that may arrive
	sentAt    Instant
	expiresMs int64
	stream    uint32 // the first stream's part of the money
	more      uint32 // further parts, in Machine.parts
	part      Amount
	partDest  Amount
	data      uint32 // data frames, in Machine.pieces
}

type slotFlags uint16

const (
	slotMoney     slotFlags = 1 << iota // carries money: fulfillable
	slotProbe                           // of a probe volley
	slotClose                           // carries ConnectionClose
	slotUnknown                         // its answer is lost
	slotPeer                            // a peer protocol request without a connection
	slotData                            // carries data frames
	slotControl                         // carries control frames worth repeating
	slotCanFulfil                       // a fulfillment proves it
	slotTest                            // tries a new address of the peer's
	slotSpent                           // nobody answered it: its id is set aside
	slotDoubt                           // expired without an answer
	slotEcho                            // with slotPeer: an echo request that went on to its source
)

func (f slotFlags) has(x slotFlags) bool { return f&x != 0 }

// told says which connection frames a packet carries, so that they go out
// again when it does not arrive.
type told uint8

const (
	toldLimit told = 1 << iota
	toldAsset
	toldMaxData
	toldStreams
	toldBlocked
	toldAddress
)

// morePart is a further stream's portion of an outgoing packet.
type morePart struct {
	stream       uint32
	next         uint32
	amount, dest Amount
}

// requestIndexBits is how much of a request id is the slot's index.
const requestIndexBits = 20

// requestID is the id that a slot's request has. Each machine has a mask of its
// own: a peer may give the answer to a request of the process before over a link
// of this one, and it must not pass for that of a new request.
func (m *Machine) requestID(h slab.Handle) uint32 {
	return m.requestMask ^ (h.Index() | h.Generation()>>1<<requestIndexBits)
}

// requestMask draws a machine's mask, from a generator of its own: no IV that the
// machine draws tells of it.
func requestMask(seed [48]byte) uint32 {
	for i := range seed {
		seed[i] ^= 0x5a
	}
	var mask [4]byte
	aesni.NewIVSource(&seed).Fill(mask[:])
	return binary.BigEndian.Uint32(mask[:])
}

// slotOf is the live slot of a request id, or nil.
func (m *Machine) slotOf(id uint32) (uint32, *slot) {
	id ^= m.requestMask
	i := id & (1<<requestIndexBits - 1)
	g := m.slots.Generation(i)
	if g&1 == 0 || g>>1<<requestIndexBits != id&^(1<<requestIndexBits-1) {
		return 0, nil
	}
	return i, m.slots.At(i)
}
