package session

// Kind says what a Packet is.
type Kind uint8

// The kinds of Packet.
const (
	// Request is a BTP Message with an ILP packet: the peer wants a Response
	// under the same id.
	Request Kind = iota + 1
	// Response answers a request of ours with an ILP packet.
	Response
	// Failure answers a request of ours without one: a BTP Error, or a
	// Response that carries no ILP packet. ILP is nil.
	Failure
)

// Packet is one thing that came in on a link for the layer above.
type Packet struct {
	Kind Kind
	// ID is the request id: the peer's for a Request, ours otherwise. Nobody
	// below has matched it; a Response to an id that was never used is passed
	// up like any other.
	ID uint32
	// ILP is the ILP packet, borrowed: it is good until the call that carried
	// it returns. The callee may change its octets.
	ILP []byte
}
