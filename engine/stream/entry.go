package stream

import (
	"github.com/millrace-ilp/millrace/codec/frame"
	"github.com/millrace-ilp/millrace/codec/ilp"
	"github.com/millrace-ilp/millrace/pool/slab"
)

// Amount is an amount of money in the units of the local side's asset and scale.
type Amount = ilp.Amount

// Instant is a point in time, in nanoseconds since the Unix epoch.
type Instant int64

// unixMs is the instant in whole milliseconds since the Unix epoch, as ILP
// expiries count.
func (t Instant) unixMs() int64 { return int64(t) / 1e6 }

// Sequence numbers the packets that one end of a connection sends (IL-RFC 0029
// §5.2); each end counts its own.
type Sequence = uint64

// LinkHandle names a link of one machine. Like every handle it is refused once
// its record is gone, and never reaches another record.
type LinkHandle slab.Handle

// ConnHandle names a connection of one machine.
type ConnHandle slab.Handle

// StreamHandle names a stream of one machine.
type StreamHandle slab.Handle

// HoldHandle names an incoming packet that waits for Machine.Decide or Machine.Committed.
type HoldHandle slab.Handle

// Kind says what an Entry is.
type Kind uint8

const (
	// Prepare is an ILP Prepare that a peer asks us to answer.
	Prepare Kind = iota + 1
	// Fulfill is an ILP Fulfill that answers a request of ours.
	Fulfill
	// Reject is an ILP Reject that answers a request of ours.
	Reject
	// Failure tells that a request of ours failed at the link without an ILP
	// answer, or was never handed to the socket; Packet is nil.
	Failure
)

// Entry is one packet of a vector.
type Entry struct {
	Kind    Kind
	Link    LinkHandle // whom it came from and whom the answer goes to
	Request uint32     // the request id to answer, or that this answers
	Packet  []byte     // the ILP packet; borrowed until the call returns
}

// Output takes the packets that a machine sends. The slices it hands out have
// exactly the length asked for, do not move before the machine's call returns,
// and are filled by then.
type Output interface {
	// Room is how many octets of packets the link can take now.
	Room(link LinkHandle) int
	// Reply reserves the answer to a request of the peer's; nil when the link is gone.
	Reply(link LinkHandle, request uint32, n int) []byte
	// Request reserves a Prepare of ours under a request id; nil when the link is gone.
	Request(link LinkHandle, request uint32, n int) []byte
	// Forward hands an entry to the machine that is the home of its connection.
	Forward(shard int, e Entry)
}

// Directory is shared by the machines of an engine, so that a connection whose
// packets arrive at several of them lives on exactly one. A machine without one
// is alone.
type Directory interface {
	// Home is the shard that has claimed the token, if any.
	Home(token uint64) (shard int, ok bool)
	// Claim makes the calling machine's shard the token's home unless there is
	// one already, and says which it is.
	Claim(token uint64, shard int) (home int)
	// Release forgets the token.
	Release(token uint64)
}

// EventKind says what happened.
type EventKind uint8

// Events, in the words of the reference library where it has one. Link is set for the
// first two alone, and nothing else with it; all others have Conn and User. Those from
// EventStreamOpened to EventStreamClosed have Stream. What is said below comes on top.
const (
	// EventLinkConfigured: the parent answered peer.config on Link; LinkInfo has the
	// address.
	EventLinkConfigured EventKind = iota + 1
	// EventLinkRefused: the parent of Link refused peer.config, or did not answer.
	EventLinkRefused
	// EventAccepted: a peer opened a connection to one of our servers.
	EventAccepted
	// EventConnected: the rate of a connection of ours is known, so that it is ready
	// to send money. At a server it comes once there is money to send.
	EventConnected
	// EventPeerAddress: the peer told its address, so this end can send; or it has
	// moved, and answers at its new one.
	EventPeerAddress
	// EventHalfExhausted: 2^30 packets are sent. A connection ends after 2^31:
	// open another one.
	EventHalfExhausted
	// EventStreamOpened: the peer opened a stream.
	EventStreamOpened
	// EventMoneyReceived: Amount in all, in our units, was released on Stream in
	// Packets packets since the last such event. It may come after EventStreamClosed,
	// and Stream then name nothing any more.
	EventMoneyReceived
	// EventMoneySent: Amount in all, in our units, was fulfilled on Stream in Packets
	// packets since the last such event. It may come late, as EventMoneyReceived.
	EventMoneySent
	// EventTotalSent: Stream has sent all of its send maximum (but for NoTotalEvents).
	EventTotalSent
	// EventUndeliverable: what Stream has left to send, or may send in one packet,
	// is so little that nothing would arrive; Amount, in our units, is the least of
	// which something would.
	EventUndeliverable
	// EventUnsettled: StreamInfo.Unsettled of Stream may have arrived, and the receiver
	// does not tell, or no packet has told at what rate. It is not sent again before.
	EventUnsettled
	// EventReceiveLimit: the peer's receive maximum for Stream rose
	// (StreamInfo.RemoteMax).
	EventReceiveLimit
	// EventReadable: Stream has octets to read. The end is told by EventStreamClosed.
	EventReadable
	// EventWritable: Stream takes octets again, after a Write that it did not take whole.
	EventWritable
	// EventHold: Hold waits for Decide. Amount is the packet's, in our units, Stream the
	// first that it pays, Packets is 1.
	EventHold
	// EventStreamClosed: Stream is over, with Code, and Remote if the peer closed it;
	// buffered octets can still be read, and StreamInfo has the words.
	EventStreamClosed
	// EventClosed: the connection is over, with Code, and Remote if the peer closed it;
	// ConnInfo has the words. Stream is zero. If some of its money is in flight still,
	// EventSettled follows.
	EventClosed
	// EventSettled: what was in flight of a closed Stream, or of a closed
	// connection (then Stream is zero), is sent or free; the totals are final.
	EventSettled
)

// Event is one thing that happened. Its kind says which fields mean something. Money
// events that are not polled in time are added up, never dropped.
type Event struct {
	Kind    EventKind
	Code    frame.ErrorCode // how it ended: EventStreamClosed, EventClosed (IL-RFC 0029 §5.4)
	Remote  bool            // the peer closed it: EventStreamClosed, EventClosed
	Link    LinkHandle      // EventLinkConfigured, EventLinkRefused
	Conn    ConnHandle      // of all others
	Stream  StreamHandle
	Hold    HoldHandle // EventHold
	Amount  Amount     // EventMoneyReceived, EventMoneySent, EventHold, EventUndeliverable
	Packets uint32     // EventMoneyReceived, EventMoneySent, EventHold
	User    uint64     // the stream's tag if it has one, else the connection's
}
