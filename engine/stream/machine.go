package stream

import (
	"unsafe"

	"github.com/millrace-ilp/millrace/aesni"
	"github.com/millrace-ilp/millrace/codec/ilp"
	"github.com/millrace-ilp/millrace/codec/receipt"
	"github.com/millrace-ilp/millrace/pool/slab"
)

// Machine is the STREAM protocol for one shard. It is not safe for concurrent
// use: its owner calls it from one goroutine. New makes one.
type Machine struct {
	cfg  Config
	keys *aesni.Keys
	ivs  *aesni.IVSource

	links        slab.Slab[link]
	conns        slab.Records[conn]
	streams      slab.Records[streamRec]
	connPlaces   *slab.Places // handles of connections and streams, and where those are
	streamPlaces *slab.Places
	slots        slab.Slab[slot]
	parts        *slab.Slab[morePart]
	pieces       *slab.Slab[piece]
	holds        *slab.Slab[hold]
	graves       *slab.Slab[tombstone]
	probes       *slab.Slab[probe]
	data         *slab.Slab[dataState]
	receipts     *slab.Slab[[receipt.Len]byte]
	tokens       *slab.Table // token hash -> connection, or tombstone with graveBit
	byID         *slab.Table // connection<<32 | stream id -> stream; not of one that was alone when it came
	colds        *slab.Slab[coldConn]
	coldStreams  *slab.Slab[coldStream]
	names        *slab.Octets // see names.go
	folds        *slab.Dense  // see fold.go
	prefixes     prefixTable
	assets       assetTable
	options      optionTable
	servers      []server          // by server number; 0 is unused
	words        map[uint32]string // by stream index: what it was closed with, if anything

	connTimers *slab.Wheel // next deadline of a connection
	slotTimers *slab.Wheel // expiry of a request
	holdTimers *slab.Wheel // deadline of a decision
	idleTimers *slab.Wheel // idle deadline of a folded connection, by the number of its handle

	secrets *[remembered]knownSecret // of tokens that came lately, or nil

	oldestGrave, newestGrave uint32 // tombstones in order of age
	requestMask              uint32 // see requestID
	asking                   int    // peer.config that wait for their answer

	readyLinks []LinkHandle // links to transmit on
	starved    []uint32     // links without room
	starvedAt  Instant      // since when the first of them
	behind     Instant      // when the timers are served that were left, or 0

	aside   []spentSlot // ids of requests that nobody answered, oldest first
	spent   int         // so many of them are free again
	events  eventQueue
	staged  []Credit
	credits commitQueue
	writers []StreamHandle // streams that wait for room among all
	rings   ringMemory     // of stream data, both ways

	now         Instant
	fresh       bool // the answer at hand was asked for after everything in doubt
	late        bool // it is to money that was sent before that
	expiry      expiryCache
	scratch     scratch
	quiet       coldConn       // see coldOf
	quietStream coldStream     // see coldStreamOf; nobody writes to it
	dead        []uint32       // connections to bury when the vector is done
	gone        []uint32       // connections to free then
	loose       []StreamHandle // streams that may be free to go then
	composing   uint32         // the slot of the packet that is being written
	stats       Stats
	trips       *Histogram
	unplain     bool // every packet takes the general path

	plainPackets uint64 // that did not
	folded       int    // connections that are
	plant        plant
}

// Stats counts what a machine has done since New; the last five are what there is now.
// Amounts are in the local units of the connections, added up whatever their assets.
type Stats struct {
	PacketsIn, Vectors uint64              // packets handled, and vectors they came in
	PreparesIn         uint64              // of PacketsIn
	FulfillsOut        uint64              // answers to them
	RejectsOut         uint64              // likewise
	PreparesOut        uint64              // prepares that Transmit wrote
	TransmitVectors    uint64              // vectors that those went in
	FulfillsIn         uint64              // answers to them with the right fulfillment
	RejectsIn          map[ilp.Code]uint64 // by code; probes of the rate are always rejected
	FailuresIn         uint64              // requests that the link failed, without an ILP answer
	TimedOut           uint64              // requests that nobody answered until their expiry and Config.ExpiryMargin
	Unknown            uint64              // requests whose link was lost before their answer
	Released, Sent     Amount              // money released to us; money of ours fulfilled
	ReleasedPackets    uint64              // packets that brought Released
	SentPackets        uint64              // packets that carried Sent
	Forged             uint64              // prepares that did not authenticate, or whose token did not
	Reflected          uint64              // prepares and replies of our own that came back as the peer's
	Throttled          uint64              // prepares for no connection, unseen: Config.MaxForged
	Replayed           uint64              // prepares whose sequence was seen, or is too old to tell
	Expired            uint64              // prepares too late when they arrived, or for their fulfill to leave
	Connections        int                 // closed ones that are not released among them
	Folded             int                 // of Connections, those that have gone to sleep and shrunk (Options.SleepAfter)
	Streams            int                 // like Connections
	InFlight           int                 // our requests without an answer
	Holds              int                 // incoming packets whose fulfill waits
}

// Footprint is how many octets of Config.Memory, and of Config.Awake, n connections that are
// awake take at most that have one stream each, addresses of usual length, and ten thousand
// packets in flight together.
func Footprint(n int) (memory, awake int) {
	if n <= 0 {
		return 0, 0
	}
	const (
		usualNames  = 192
		place       = 32 // in the table of tokens, whose leaves are half full when they are split
		shared      = 4 << 20
		sharedAwake = 1 << 20
	)
	each := int(unsafe.Sizeof(conn{})+unsafe.Sizeof(streamRec{})) + slab.TimerLen + aesni.SlotLen + usualNames
	return n*(2*slab.PlaceLen+place) + shared, n*each + sharedAwake
}

// New makes a machine for one shard.
func New(cfg Config) *Machine {
	cfg.fill()
	awake := slab.LoansOf(cfg.Awake)
	m := &Machine{
		cfg:          cfg,
		keys:         aesni.NewKeysOn(awake),
		ivs:          aesni.NewIVSource(&cfg.Seed),
		links:        *slab.New[link](1 << 16),
		streams:      *slab.NewRecords[streamRec](cfg.MaxStreams, awake, nil),
		connPlaces:   slab.NewPlacesIn(cfg.MaxConnections, cfg.Memory),
		streamPlaces: slab.NewPlacesIn(cfg.MaxStreams, cfg.Memory),
		slots:        *slab.NewIn[slot](cfg.MaxRequests-1, cfg.Memory),
		parts:        slab.New[morePart](cfg.MaxRequests),
		pieces:       slab.New[piece](4 * cfg.MaxRequests),
		holds:        slab.New[hold](cfg.MaxHolds),
		graves:       slab.New[tombstone](cfg.MaxTombstones + cfg.MaxConnections),
		probes:       slab.New[probe](cfg.MaxConnections),
		data:         slab.New[dataState](cfg.MaxStreams),
		receipts:     slab.New[[receipt.Len]byte](cfg.MaxStreams),
		colds:        slab.New[coldConn](cfg.MaxConnections),
		coldStreams:  slab.NewIn[coldStream](cfg.MaxStreams, cfg.Memory),
		names:        slab.NewOctets(awake),
		folds:        slab.NewDense(slab.LoansOf(cfg.Asleep)),
		tokens:       slab.NewTableIn(2*cfg.MaxConnections+cfg.MaxTombstones, cfg.Memory),
		byID:         slab.NewTable(cfg.MaxStreams),
		servers:      make([]server, 1),
		words:        make(map[uint32]string),

		connTimers: slab.NewWheelOn(8e6, 8192, awake), // 8 ms: 65 s a turn
		slotTimers: slab.NewWheelIn(8e6, 8192, cfg.Memory),
		holdTimers: slab.NewWheel(8e6, 8192),
		idleTimers: slab.NewWheelIn(8e6, 8192, cfg.Memory),
		trips:      new(Histogram),
	}
	m.requestMask = requestMask(cfg.Seed)
	m.cfg.Seed = [48]byte{}
	m.stats.RejectsIn = make(map[ilp.Code]uint64, 32)
	m.events.limit = cfg.MaxEvents
	m.scratch.init()
	m.conns = *slab.NewRecords[conn](cfg.MaxConnections, awake, func(from, n uint32) {
		m.connTimers.Drop(from, n)
		m.keys.Drop(keySlot(from), n)
	})
	return m
}

// Reseed replaces the seed of the generator of IVs, with 48 octets from a secure source.
// Its owner calls it about once a second while the machine is used, and before anything
// else after a pause: a machine that is resumed twice from one snapshot repeats IVs until
// then. What was sealed before is still known when a connector sends it back, for
// the last 2^20 seeds (12 days of them; 8 octets each).
func (m *Machine) Reseed(seed *[48]byte) { m.ivs.Reseed(seed) }

// Stats returns the counters. The map is the machine's own: read it before the
// next call.
func (m *Machine) Stats() Stats {
	s := m.stats
	s.Connections, s.Streams = m.connPlaces.Len(), m.streamPlaces.Len()
	s.Folded = m.folded
	s.InFlight, s.Holds = m.slots.Len()-m.setAsides(), m.holds.Len()
	return s
}

// RoundTrips is the histogram of the time from a money packet's writing to its
// fulfillment. It is the machine's own.
func (m *Machine) RoundTrips() *Histogram { return m.trips }

// scratchKey is where the keys of a vector's nth newcomer are.
func scratchKey(n int) uint32 { return uint32(n) }

// expiryCache keeps the digits of an expiry: all packets of one millisecond
// that live equally long share them.
type expiryCache struct {
	ms    int64
	stamp ilp.Timestamp
}

func (e *expiryCache) at(ms int64) *ilp.Timestamp {
	if e.ms != ms {
		e.ms, e.stamp = ms, ilp.MakeTimestamp(ms)
	}
	return &e.stamp
}
