package transport

import "github.com/millrace-ilp/millrace/transport/session"

// Kind says what a Packet is.
type Kind = session.Kind

// The kinds of Packet.
const (
	// Request is a BTP Message with an ILP packet; answer it with Link.Reply
	// under its ID.
	Request = session.Request
	// Response is the answer to a request of ours.
	Response = session.Response
	// Failure says that a request of ours failed at the link: the peer sent a
	// BTP Error, or a Response without an ILP packet. ILP is nil.
	Failure = session.Failure
)

// Packet is an ILP packet that came in on a link, or the failure of one that
// went out. Its octets are borrowed until the handler returns.
type Packet = session.Packet

// Handler is one shard's side of its loop. Every method runs on the loop's own
// goroutine, never two at once and never one inside another: what a handler
// causes (a link going down because it was closed, say) is told after it has
// returned.
//
// A handler that panics loses the links it was writing to: their output of that
// call is discarded, since nobody knows which packets in it are whole, and they
// are closed. The loop goes on.
type Handler interface {
	// LinkUp reports a link that is authenticated and enrolled on this loop. It
	// may be written to at once.
	LinkUp(l *Link)

	// Packets delivers ILP packets of one read, in order of arrival: at most 64
	// packets and 256 KiB at a time, so that it may be called several times a
	// read. The slice and the octets are borrowed until it returns.
	Packets(l *Link, in []Packet)

	// LinkDown reports the end of a link that LinkUp reported. unsent holds the
	// ids of Requests of ours whose octets were never handed to the socket, in
	// order; whether any other unanswered request reached the peer is unknown.
	// unsent is borrowed until LinkDown returns. The link is dead: writing to
	// it does nothing.
	LinkDown(l *Link, unsent []uint32, reason error)

	// Wake is called after Loop.Wake, and when the time of Loop.WakeAt has come.
	Wake()
}
