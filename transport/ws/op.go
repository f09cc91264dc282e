package ws

// Op is what Next found: an opcode of RFC 6455 §5.2, or None.
type Op uint8

// The opcodes. A fragmented message is reported as Binary once it is whole, so
// that Next never answers Continuation, nor Text, which is refused.
const (
	Continuation Op = 0
	Text         Op = 1
	Binary       Op = 2
	Close        Op = 8
	Ping         Op = 9
	Pong         Op = 10
	// None is not an opcode: no whole message is left in what was fed.
	None Op = 0xff
)

// Role says which end of the link this is.
type Role uint8

// The roles. A server reads masked frames and writes bare ones, a client the
// other way round (RFC 6455 §5.1).
const (
	Server Role = iota
	Client
)

const (
	finBit  = 0x80
	rsvBits = 0x70
	opBits  = 0x0f
	maskBit = 0x80
	lenBits = 0x7f

	// len16 and len64 in the 7-bit length say that 2 or 8 octets follow.
	len16 = 126
	len64 = 127

	// MaxHeader is the longest frame header: 2 octets, 8 of length, 4 of key.
	MaxHeader = 14
	// MaxControl is the longest payload of a control frame (RFC 6455 §5.5).
	MaxControl = 125
	// MaxReason is the longest reason of a close frame: MaxControl less its code.
	MaxReason = MaxControl - 2
	// MaxFragments bounds the frames of one message.
	MaxFragments = 64
	// DefaultMaxMessage bounds the octets of a message: the longest BTP packet
	// with an ILP packet is under 34 KiB.
	DefaultMaxMessage = 64 << 10
)
