package stream

import (
	"errors"

	"github.com/millrace-ilp/millrace/aesni"
	"github.com/millrace-ilp/millrace/codec/frame"
	"github.com/millrace-ilp/millrace/codec/ilp"
	"github.com/millrace-ilp/millrace/pool/slab"
)

// Errors of calls on connections and streams. All of those answer ErrGone, too, for a
// handle whose record is no more.
var (
	// ErrTooMany is for Connect at Config.MaxConnections, and for OpenStream at
	// Config.MaxStreams or while Config.MaxEvents wait to be polled.
	ErrTooMany = errors.New("stream: too many connections or streams")
	// ErrClosed is for calls on what is over or ending: OpenStream, CloseConn, the
	// setters of maxima, Write, CloseStream. DestroyConn and DestroyStream end what is
	// ending, and fail when it is over; Read fails once all is read of a stream that
	// ended with an error.
	ErrClosed = errors.New("stream: closed")
	// ErrStreamIDs is for OpenStream at the peer's limit (ConnectionMaxStreamId, IL-RFC
	// 0029 §5.3.5). The peer is told, and may raise it as streams close.
	ErrStreamIDs = errors.New("stream: the peer takes no more streams for now")
	// ErrNoAddress is for Connect on a link whose parent has not told our address.
	ErrNoAddress = errors.New("stream: the link has no address yet")
	// ErrMaximum is for SetSendMax below what is sent and in flight, and for
	// SetReceiveMax below what was allowed before.
	ErrMaximum = errors.New("stream: a maximum may not fall below what was already sent or allowed")
)

const (
	assumedStreamWindow = 16384 // both ends assume this before they are told more
	assumedConnWindow   = 65534
	assumedStreamIDs    = 20
)

// ConnectConfig describes a connection to open.
type ConnectConfig struct {
	Link         LinkHandle // that its packets go over
	Destination  []byte     // the server's address with its token; copied
	SharedSecret [32]byte   // that the server told with it
	Options      Options    // checked: ErrConfig
	Expiry       ExpiryFunc // instead of Options.Expiry, if not nil
	Decide       bool       // incoming money waits for Machine.Decide
	User         uint64     // its tag, which its events carry (SetConnUser)
}

// Connect opens a connection from our side. It probes the rate at once (IL-RFC 0029
// §3.4), unless it is fixed; EventConnected or EventClosed follows. Errors: ErrGone for
// the link, ErrNoAddress, ErrTooMany, ErrConfig, ilp.ErrAddress.
func (m *Machine) Connect(now Instant, cfg ConnectConfig) (ConnHandle, error) {
	l, ok := m.links.Get(slab.Handle(cfg.Link))
	if !ok {
		return 0, ErrGone
	}
	if err := ilp.CheckAddress(cfg.Destination); err != nil {
		return 0, err
	}
	if len(l.address) == 0 {
		return 0, ErrNoAddress
	}
	options, err := m.options.use(cfg.Options)
	if err != nil {
		return 0, err
	}
	defer m.options.letGo(options) // the connection is a user of its own
	m.now = now
	// Nine random octets name our end in our address.
	var random [9]byte
	m.ivs.Fill(random[:])
	local := append(append(m.scratch.made[:0], l.address...), '.') // Destination may stand in the others
	n := len(local)
	local = tokenEncoding.AppendEncode(local, random[:])
	m.scratch.made = local
	if len(local) > ilp.MaxAddress {
		return 0, ilp.CheckAddress(local)
	}
	token := m.tokenHash(local[n:])
	i, c, ok := m.newConn(token, slab.Handle(cfg.Link).Index(), options)
	if !ok {
		return 0, ErrTooMany
	}
	c.flags = flagClient | flagPeerAddress | flagTellLimit | flagTellMaxData
	if cfg.Decide || m.cfg.Decide {
		c.flags |= flagDecide
	}
	c.secret = cfg.SharedSecret
	c.user = cfg.User
	c.nextStreamID = 1
	m.setNames(c, cfg.Destination, local, n, nil)
	m.setExpiry(c, cfg.Expiry)
	m.deriveKeys(i, c)
	m.enter(i, token)
	o := m.optionsOf(c)
	if !o.HideAddress {
		c.flags |= flagTellAddress | flagTellAsset
	}
	if o.RateDen != 0 {
		m.setRate(c, rate{o.RateNum, o.RateDen})
		c.flags |= flagReady
		m.connEvent(EventConnected, c)
	} else {
		m.startProbe(i, c)
	}
	m.armConn(i, c)
	m.wakeConn(i, c)
	return m.connHandle(c), nil
}

// newConn takes a record. Its token is to be entered soon, when its place is loaded.
func (m *Machine) newConn(token uint64, link, options uint32) (uint32, *conn, bool) {
	m.tokens.Prefetch(token)
	self, ok := m.connPlaces.Alloc(0)
	if !ok {
		return 0, nil, false
	}
	i, c, ok := m.conns.Alloc()
	invariant(ok, "more connections than handles")
	m.connPlaces.Move(self, i)
	o := m.options.entries[options]
	o.users++
	c.begin(o)
	c.self, c.generation = self, m.connPlaces.Handle(self).Generation()
	c.link, c.options, c.lastActive = link, options, m.now
	return i, c, true
}

// begin makes an empty record what every connection with such options has at first.
func (c *conn) begin(o *connOptions) {
	c.nextSequence, c.maxDataRemote = 1, assumedConnWindow
	c.size.init(o.MaxPacketAmount)
	c.window.init(o.Congestion, o.MaxInFlight)
}

// enter has packets find a new connection.
func (m *Machine) enter(i uint32, token uint64) {
	invariant(m.tokens.Put(token, i), "more tokens than connections and tombstones")
	if m.cfg.Directory != nil {
		m.cfg.Directory.Claim(token, m.cfg.Shard)
	}
}

// setExpiry has an ExpiryFunc say when the packets of a connection expire.
func (m *Machine) setExpiry(c *conn, f ExpiryFunc) {
	if f != nil {
		m.ownCold(c).expiry = f
		c.flags |= flagExpiry
	}
}

// open is the connection of a handle if it is not over.
func (m *Machine) open(h ConnHandle) (uint32, *conn, error) {
	i, c, ok := m.connOf(h)
	if !ok {
		return 0, nil, ErrGone
	}
	if c.flags.has(flagClosed | flagEnding | flagRemoteClosed) {
		return 0, nil, ErrClosed
	}
	return i, c, nil
}

// ConnInfo is what a connection tells of itself. Received, Sent, Held and
// Unknown are in our units, Delivered in the peer's. What arrives of packets that are
// fulfilled after the end is not known any more: they count with their minimum in
// Delivered. The slices are the machine's own, and good until its next call.
type ConnInfo struct {
	Received, Sent, Delivered Amount
	// Held is in flight; Unknown is the part of it whose link was lost.
	Held, Unknown Amount
	Client        bool   // it was opened from this side
	Connected     bool   // ready to send money
	Closed        bool   // over; until then CloseCode and CloseMessage say nothing
	CanSend       bool   // the peer's address is known
	Exhausted     bool   // all 2^31 packets that one key may protect are sent
	RateNum       uint64 // rate from probing or Options, delivered per sent; 0/0 while unknown
	RateDen       uint64
	LastNum       uint64 // what arrived and what was sent of the last money packet that the receiver has told of
	LastDen       uint64
	SlippagePPM   uint32 // how far below Rate packets may arrive, in parts per million
	Tag           []byte // CredentialOptions.Tag; empty at the client
	Local, Peer   []byte // addresses
	AssetCode     []byte // the peer's, when HasAsset
	AssetScale    uint8
	HasAsset      bool
	CloseCode     frame.ErrorCode // how it ended (IL-RFC 0029 §5.4)
	CloseMessage  []byte          // in the words of the end that closed it
	ID            [16]byte        // Credit.ConnID; zero once it is closed, unless a Credit had it
	Link          LinkHandle      // that it sends over; zero once it is closed
	Server        ServerID        // that it came in at; zero at the client
	User          uint64          // SetConnUser
}

// Rate is the exchange rate, units delivered per unit sent, 0 while it is not
// known. Like MinRate and LastRate it is rounded, for people; money is reckoned
// with RateNum and RateDen.
func (i ConnInfo) Rate() float64 { return ratio(i.RateNum, i.RateDen) }

// MinRate is the lowest rate that packets are sent at: Rate less the slippage.
func (i ConnInfo) MinRate() float64 { return i.Rate() * float64(1_000_000-i.SlippagePPM) / 1e6 }

// LastRate is the rate of the last money packet, fulfilled or refused, that the
// receiver has told of.
func (i ConnInfo) LastRate() float64 { return ratio(i.LastNum, i.LastDen) }

func ratio(num, den uint64) float64 {
	if den == 0 {
		return 0
	}
	return float64(num) / float64(den)
}

// ConnInfo describes a connection.
func (m *Machine) ConnInfo(h ConnHandle) (ConnInfo, bool) {
	c, l, ok := m.lookAtConn(h)
	if !ok {
		return ConnInfo{}, false
	}
	defer m.lay(l)
	cold := m.coldOf(c)
	info := ConnInfo{
		Received: c.totalReceived, Sent: c.totalSent, Delivered: c.delivered, Held: c.heldOut, Unknown: cold.unknown,
		Client: c.flags.has(flagClient), Connected: c.flags.has(flagReady), Closed: c.flags.has(flagClosed), CanSend: c.flags.has(flagPeerAddress), Exhausted: c.nextSequence >= maxSequence-1,
		RateNum: c.rate.num, RateDen: c.rate.den, LastNum: c.lastRate.num, LastDen: c.lastRate.den, SlippagePPM: m.optionsOf(c).slippage,
		Tag: m.tagOf(c), Local: m.localOf(c), Peer: m.peerOf(c),
		CloseCode: cold.closeCode, CloseMessage: cold.closeMessage,
		ID: cold.id, Server: ServerID(c.server), User: c.user,
	}
	if asset := m.assets.at(c.asset); asset != nil {
		info.AssetCode, info.AssetScale, info.HasAsset = asset.code, asset.name.scale, true
	}
	if !c.flags.has(flagClosed) {
		info.ID = m.idOf(c)
		info.Link = LinkHandle(m.links.Handle(c.link)) // which may be gone once it is closed
	}
	return info, true
}

// ConnServer is ConnInfo.Server alone.
func (m *Machine) ConnServer(h ConnHandle) ServerID {
	c, l, ok := m.lookAtConn(h)
	if !ok {
		return 0
	}
	defer m.lay(l)
	return ServerID(c.server)
}

// SetConnUser tags a connection with a number of the owner's; events carry it.
func (m *Machine) SetConnUser(h ConnHandle, user uint64) {
	if c, l, ok := m.lookAtConn(h); ok {
		c.user = user
		m.lay(l)
	}
}

// SharedSecret returns the shared secret of a connection, for packet ids.
func (m *Machine) SharedSecret(h ConnHandle) (secret [32]byte, ok bool) {
	if _, live := m.connPlaces.Get(slab.Handle(h)); live {
		return *m.secretOf(slab.Handle(h).Index()), true
	}
	return secret, false
}

// tombstone remembers a closed connection: a late packet of it gets F02 and
// never opens it again, and what it moved is not forgotten.
type tombstone struct {
	token          uint64
	until          Instant
	received, sent Amount
	top            Sequence
	account        uint32
	next           uint32 // the next younger one
}

// graveBit marks a value of the token table as a tombstone's.
const graveBit = 1 << 31

// buryDead lets go of the connections that ended during the vector: their keys
// are wiped and their tokens lead to tombstones. The records stay for the
// application until ReleaseConn.
func (m *Machine) buryDead() {
	for _, i := range m.dead {
		c := m.conns.At(i)
		m.keys.Wipe(keySlot(i))
		c.secret = [32]byte{}
		m.entomb(i, c)
		m.connTimers.Clear(i)
	}
	m.dead = m.dead[:0]
	m.freeConns()
}

func (m *Machine) entomb(i uint32, c *conn) {
	if m.graves.Len() >= m.cfg.MaxTombstones && m.oldGrave() {
		m.openGrave()
	}
	token := m.tokenOf(c)
	invariant(m.tokens.Get(token) == i, "the token of another connection leads to a tombstone")
	g, t, ok := m.graves.Alloc()
	if !ok || m.plant.unburied() {
		m.tokens.Delete(token)
		return
	}
	*t = tombstone{
		token: token, until: m.now + Instant(m.cfg.TombstoneTTL),
		received: c.totalReceived, sent: c.totalSent, top: c.replay.top, account: m.links.At(c.link).account,
	}
	m.tokens.Put(token, g|graveBit)
	if m.oldestGrave == 0 {
		m.oldestGrave = g
	} else {
		m.graves.At(m.newestGrave).next = g
	}
	m.newestGrave = g
}

// graveTime is how long a tombstone of a connection that moved money is kept in any
// case: longer than packets of it can be on their way.
const graveTime = 120e9

// oldGrave says whether the oldest tombstone may be forgotten before its time.
func (m *Machine) oldGrave() bool {
	if m.oldestGrave == 0 {
		return true
	}
	t := m.graves.At(m.oldestGrave)
	return t.received == 0 && t.sent == 0 || m.now >= t.until-Instant(m.cfg.TombstoneTTL)+graveTime
}

// openGrave forgets the oldest tombstone.
func (m *Machine) openGrave() {
	g := m.oldestGrave
	if g == 0 {
		return
	}
	t := m.graves.At(g)
	m.oldestGrave = t.next
	m.tokens.Delete(t.token)
	if m.cfg.Directory != nil {
		m.cfg.Directory.Release(t.token)
	}
	m.graves.Free(g)
}

// ReleaseConn lets the record of a closed connection go, with its streams and
// what they still hold. Its owner calls it once after EventClosed.
func (m *Machine) ReleaseConn(h ConnHandle) {
	i, c, ok := m.connOf(h)
	if !ok || !c.flags.has(flagClosed) {
		return
	}
	c.flags |= flagReleased
	m.dropConn(i, c)
	m.buryDead()
}

// dropConn marks a released connection to be freed once no packet or hold names
// it. That waits for the end of the vector, whose replies may still have to be
// sealed.
func (m *Machine) dropConn(i uint32, c *conn) {
	if c.flags.has(flagReleased) && c.refs == 0 {
		m.gone = append(m.gone, i)
	}
}

// freeConns frees what dropConn has marked.
func (m *Machine) freeConns() {
	for _, h := range m.loose {
		if i, s, ok := m.streamOf(h); ok {
			m.dropStream(i, s)
		}
	}
	m.loose = m.loose[:0]
	for _, i := range m.gone {
		c := m.conns.At(i)
		if !c.flags.has(flagReleased) {
			continue // it stood there twice
		}
		for s := c.firstStream; s != 0; {
			next := m.streams.At(s).next
			m.freeStream(s)
			s = next
		}
		m.freeProbe(c)
		m.options.letGo(c.options)
		m.assets.letGo(c.asset)
		m.freeNames(c)
		m.freeCold(c)
		m.connPlaces.Free(c.self)
		m.conns.Free(i)
	}
	m.gone = m.gone[:0]
}

func (m *Machine) unrefConn(i uint32) {
	c := m.conns.At(i)
	c.refs--
	m.dropConn(i, c)
}

// sleep drops what a quiet connection can derive again. A hold that was released in
// the same call may still have its answer to seal.
func (m *Machine) sleep(i uint32, c *conn) {
	m.sealReplies()
	m.keys.Wipe(keySlot(i))
	c.flags |= flagAsleep
	c.window.restart()
	for s := c.firstStream; s != 0; s = m.streams.At(s).next {
		m.shrinkData(m.streams.At(s))
	}
}

// wake derives the keys of a sleeping connection and says whether it slept: then its
// timer is to be armed anew.
func (m *Machine) wake(i uint32, c *conn) bool {
	if !c.flags.has(flagAsleep) {
		return false
	}
	c.flags &^= flagAsleep
	m.deriveKeys(i, c)
	return true
}

// keySlot is where the keys of a connection are, as long as it has a record and does not
// sleep.
func keySlot(i uint32) uint32 { return aesni.SegmentSlots + i }

// The slots of a segment of their own before those are scratch.
const _ = uint(aesni.SegmentSlots - MaxVector)

func (m *Machine) deriveKeys(i uint32, c *conn) {
	m.keys.DeriveEncryption(keySlot(i), c.secret[:])
	m.keys.DeriveFulfillment(keySlot(i), c.secret[:])
}
