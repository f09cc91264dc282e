package stream

import (
	"errors"
	"strconv"

	"github.com/millrace-ilp/millrace/pool/slab"
)

// Limits that no configuration raises.
const (
	// MaxVector is how many packets one vector holds: enough to keep four hash
	// lanes busy many times over, small enough for its scratch to stay in cache.
	MaxVector = 64
	// maxVectorOctets bounds the plaintext of a vector.
	maxVectorOctets = 256 << 10
	// maxReplyText bounds the plaintext of one reply. It holds the frames of
	// maxParts streams and every connection frame.
	maxReplyText = 4 << 10
	// replyOverhead is an ILP reply around its plaintext: envelope, fulfillment
	// or code, prefixes.
	replyOverhead = 28 + 64
	// maxParts is how many StreamMoney frames of one packet we serve.
	maxParts = 64
	// maxSequence is the first sequence that must not be used: neither end may
	// send 2^31 packets under one key (IL-RFC 0029 §5.1.3).
	maxSequence = 1 << 31
	// maxFrames bounds the frames of one packet that we build.
	maxFrames = 200
)

// DefaultMaxConnections is Config.MaxConnections where that is zero.
const DefaultMaxConnections = 1 << 20

// Config is what a Machine is made of. The zero value works but for Seed.
type Config struct {
	// Shard is this machine's number for the Directory.
	Shard int
	// Directory is shared with the other machines; nil when there are none.
	Directory Directory
	// Seed seeds the generator of IVs, client addresses and random conditions:
	// 48 octets from a secure source, never used twice.
	Seed [48]byte
	// HashSeed keys the table of address tokens. Machines that share a
	// Directory share it.
	HashSeed [2]uint64

	// Memory is where what each connection has, asleep or awake, and each request lives
	// instead of the heap: it returns that many zeroed octets that begin
	// at a cache line and live as long as it does, or nil, and the heap serves. Pages of
	// 2 MiB spare a busy machine most of what it waits for the memory. An engine sets it
	// where the system has such pages.
	Memory func(octets int) []byte
	// Awake and Asleep are the same for what a connection has only while it is awake, its
	// records, names, keys and timers, and only while it sleeps. What they lend is returned
	// once no connection has anything of it any more. Who sets Memory alone has all that on
	// the heap. An engine sets all three, or none if one of them is set.
	Awake, Asleep slab.Lender

	// Decide makes every incoming amount wait for Machine.Decide.
	Decide bool
	// Ledger makes every incoming amount wait for Machine.Committed.
	Ledger bool

	// FulfillMargin is how long before a prepare's expiry its fulfill is no
	// longer released, in nanoseconds. Zero means 250 ms, negative none.
	FulfillMargin int64
	// ExpiryMargin is how long past its expiry an unanswered prepare of ours
	// stays held, in nanoseconds. Zero means 5 s.
	ExpiryMargin int64

	// MaxConnections bounds live connections, at most 1<<24 - 1; new ones past it get T03.
	// Zero means DefaultMaxConnections.
	MaxConnections int
	// MaxStreams bounds live streams of the machine. Zero means 1<<21.
	MaxStreams int
	// MaxRequests bounds the prepares in flight of the machine, at most 1<<20,
	// which is the default.
	MaxRequests int
	// MaxHolds bounds held incoming packets; past it peers get T03. Zero means 1<<16.
	MaxHolds int
	// MaxTombstones bounds what is remembered of closed connections, oldest out
	// first. While the oldest moved money less than two minutes ago, new
	// connections get T03 instead. Zero means 1<<17.
	MaxTombstones int
	// TombstoneTTL is how long a closed connection is remembered, in
	// nanoseconds: its packets, and new ones with its credentials, get F02. Zero
	// means 10 minutes.
	TombstoneTTL int64
	// MaxForged bounds the packets of a link in 100 ms that are for no connection and
	// open none, most of them because they do not authenticate. Past it such packets get
	// T05 before any cryptography, and so do those that would open one: connections that
	// are open are served as ever. Strangers behind one connector share its link, and so
	// this bound. Zero means 1024; negative means no bound.
	MaxForged int
	// MaxEvents bounds the events that wait to be polled. Zero means 1<<16.
	MaxEvents int
	// MaxBuffered bounds the octets of memory for stream data that waits in the
	// machine, both ways together: up to twice the data, for a stream's memory is a
	// power of two. Past it peers get T03. What is written takes at most half of it, and a
	// stream of that no more than it leaves to others: past that Write takes no more. A packet may need 128 KiB of it. Zero means 1 GiB.
	MaxBuffered int
}

// ErrConfig is wrapped by every refusal of a configuration.
var ErrConfig = errors.New("stream: bad configuration")

func (c *Config) fill() {
	if c.FulfillMargin == 0 {
		c.FulfillMargin = 250e6
	}
	c.FulfillMargin = max(c.FulfillMargin, 0)
	orDefault(&c.ExpiryMargin, 5e9)
	orDefault(&c.MaxConnections, DefaultMaxConnections)
	c.MaxConnections = min(c.MaxConnections, maxConnections)
	orDefault(&c.MaxStreams, 1<<21)
	orDefault(&c.MaxRequests, 1<<20)
	c.MaxRequests = min(c.MaxRequests, 1<<20)
	orDefault(&c.MaxHolds, 1<<16)
	orDefault(&c.MaxTombstones, 1<<17)
	orDefault(&c.TombstoneTTL, 600e9)
	if c.MaxForged == 0 {
		c.MaxForged = 1024
	}
	orDefault(&c.MaxEvents, 1<<16)
	orDefault(&c.MaxBuffered, 1<<30)
}

// defaultInFlight is 100,000 packets a second over a path of 160 ms, and a quarter of
// what a receiver's replay window can tell apart.
const defaultInFlight = 1 << 14

func orDefault[T int | int64 | uint32 | uint64 | Amount](v *T, d T) {
	if *v <= 0 {
		*v = d
	}
}

// Options are the settings of one connection; servers and clients have the same. The
// zero value is what the reference library does, but for many packets in flight. Amounts
// are in our units, durations in nanoseconds (int64(time.Second) is one second).
// Bad ones are refused with ErrConfig.
type Options struct {
	// SlippagePPM is how far the rate may fall below the probed one, in parts
	// per million, at most 1,000,000 (IL-RFC 0029 §3.4). Zero means 10,000 (1 %);
	// negative means none.
	SlippagePPM int
	// RateNum and RateDen fix the exchange rate (units delivered per unit sent)
	// and skip probing, when both are above zero. One alone is refused.
	RateNum, RateDen uint64
	// MinRatePrecision is how many decimal digits a probe must tell. Zero means 3.
	MinRatePrecision int
	// MaxPacketAmount bounds the source amount of one packet. Zero means none.
	MaxPacketAmount Amount
	// Congestion chooses how many packets are in flight, up to MaxInFlight.
	Congestion Congestion
	// MaxInFlight bounds the packets in flight of the connection: up to 1024 whatever
	// the path, more where it is long (Congestion). Zero means 16,384; 1 is the serial
	// mode.
	MaxInFlight int
	// MaxInFlightAmount bounds the money in flight of the connection, and
	// MaxInFlightOctets the octets of STREAM packets. Zero means no limit.
	MaxInFlightAmount Amount
	MaxInFlightOctets int
	// PacketsPerSecond paces the connection's packets. Zero means no pace.
	PacketsPerSecond int
	// MaxRemoteStreams is how many streams the peer may have open, at most 1<<20
	// (IL-RFC 0029 §3.3). Zero means 10.
	MaxRemoteStreams int
	// ReceiveMax is the receive maximum of every stream, whoever opens it, until it
	// is raised, with the tolerance of Machine.SetReceiveMax. Zero refuses money
	// until then.
	ReceiveMax Amount
	// StreamWindow is how many octets a stream takes before they are read, at
	// least 16,384, at most 16 MiB (IL-RFC 0029 §4.4.4). Zero means 64 KiB.
	StreamWindow int
	// MaxStreamWindow is how far the window of a stream grows while its reader
	// keeps up, at most 16 MiB, which is what zero means. No more than
	// MaxConnectionWindow is of use.
	MaxStreamWindow int
	// ConnectionWindow is how many octets all streams together take before they are
	// read, at least 65,534 (IL-RFC 0029 §4.5). Zero means 1 MiB.
	ConnectionWindow int
	// MaxConnectionWindow is how far that grows with the windows of the streams.
	// Zero means ConnectionWindow if that is given, else 16 MiB.
	MaxConnectionWindow int
	// SendBuffer is how many octets a stream buffers for sending. Zero means 256 KiB.
	SendBuffer int
	// MaxSendBuffer is how far that grows where the path is so long that it takes
	// more to fill it. Zero means SendBuffer if that is given, else 16 MiB.
	MaxSendBuffer int
	// IdleTimeout ends the connection after so many nanoseconds without a
	// packet of the peer's. Zero means 60 s; negative means never.
	IdleTimeout int64
	// SleepAfter has a quiet connection give up its keys and the slack of its buffers after
	// so many nanoseconds, at least a second, and shrink to a quarter of what it took if it
	// has at most 32 streams and nothing of it is under way, or waits to be polled or
	// released (Stats.Folded). All is made again at its next packet, or the next call that
	// acts on it; those that only look let it sleep. Zero means 30 s; negative means never.
	SleepAfter int64
	// Expiry is how far ahead our prepares expire, in nanoseconds. Zero means 30 s;
	// FarFuture suits an end whose clock is wrong.
	Expiry int64
	// RetryFor is how long a connection goes on without any fulfilled packet
	// while money is refused, in nanoseconds. Zero means 60 s.
	RetryFor int64
	// Padding fills fulfillable packets and all replies up to the largest size, so
	// that it tells nobody what they carry (IL-RFC 0029 §5.2).
	Padding bool
	// HideAddress keeps our address from the peer, which then cannot send.
	HideAddress bool
	// NoMoneyEvents leaves out EventMoneyReceived and EventMoneySent, for an owner who
	// reads totals when they are wanted (StreamInfo, ConnInfo, Stats). An event a
	// packet is what a busy machine with many connections would otherwise tell. Calls
	// that wait for money, as package engine has, need the events.
	NoMoneyEvents bool
	// NoTotalEvents leaves out EventTotalSent, for an owner to whom EventMoneySent says
	// enough: where every payment is one packet, each would come with both. The calls of
	// package engine that wait do not need it. With NoMoneyEvents, too, no event tells of
	// money that was sent.
	NoTotalEvents bool
}

func (o *Options) fill() error {
	switch {
	case o.SlippagePPM > 1_000_000:
		return optionError("SlippagePPM", "must be at most 1000000")
	case (o.RateNum == 0) != (o.RateDen == 0):
		return optionError("RateNum and RateDen", "must be given together")
	case o.StreamWindow != 0 && (o.StreamWindow < 16384 || o.StreamWindow > 16<<20):
		return optionError("StreamWindow", "must be 16384 to 16777216")
	case o.MaxStreamWindow < 0 || o.MaxStreamWindow > 16<<20:
		return optionError("MaxStreamWindow", "must be 0 to 16777216")
	case o.ConnectionWindow != 0 && o.ConnectionWindow < 65534:
		return optionError("ConnectionWindow", "must be at least 65534")
	case o.Congestion >= congestions:
		return optionError("Congestion", "is unknown")
	case o.MaxRemoteStreams < 0 || o.MaxRemoteStreams > 1<<20:
		return optionError("MaxRemoteStreams", "must be 0 to "+strconv.Itoa(1<<20))
	}
	if o.SlippagePPM == 0 {
		o.SlippagePPM = 10_000
	}
	o.SlippagePPM = max(o.SlippagePPM, 0)
	orDefault(&o.MinRatePrecision, 3)
	orDefault(&o.MaxPacketAmount, ^Amount(0))
	orDefault(&o.MaxInFlight, defaultInFlight)
	orDefault(&o.MaxInFlightAmount, maxAmount)
	orDefault(&o.MaxInFlightOctets, noOctets)
	orDefault(&o.MaxRemoteStreams, 10)
	orDefault(&o.StreamWindow, 64<<10)
	orDefault(&o.MaxStreamWindow, maxWindow)
	o.MaxStreamWindow = max(o.MaxStreamWindow, o.StreamWindow)
	growing(&o.ConnectionWindow, 1<<20, &o.MaxConnectionWindow)
	growing(&o.SendBuffer, 256<<10, &o.MaxSendBuffer)
	if o.IdleTimeout == 0 {
		o.IdleTimeout = 60e9
	}
	if o.SleepAfter == 0 {
		o.SleepAfter = 30e9
	}
	orDefault(&o.Expiry, 30e9)
	orDefault(&o.RetryFor, 60e9)
	return nil
}

// maxWindow is how far windows and buffers of data grow by themselves: 335 MB/s over a
// path of 50 ms.
const maxWindow = 16 << 20

// growing fills in a bound and how far it grows.
func growing(bound *int, d int, most *int) {
	if *most <= 0 {
		*most = max(*bound, 0)
	}
	orDefault(bound, d)
	orDefault(most, maxWindow)
	*most = max(*most, *bound)
}

// FarFuture is an Options.Expiry of some 74 years. Connectors shorten it to what
// they bear; an answer is waited for a minute.
const FarFuture = 74 * 365 * 24 * 3600 * 1e9

// ExpiryFunc says when a packet to a destination that is written now expires. The
// destination is borrowed until it returns, and must not be written to. What
// lies in the past gives way to Options.Expiry. It must not call the machine.
type ExpiryFunc func(now Instant, destination []byte) Instant

type configError struct{ field, why string }

func optionError(field, why string) error { return &configError{field, why} }

func (e *configError) Error() string { return "stream: " + e.field + " " + e.why }
func (e *configError) Unwrap() error { return ErrConfig }
