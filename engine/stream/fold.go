package stream

import (
	"encoding/binary"
	"iter"
	"unsafe"

	"github.com/millrace-ilp/millrace/codec/ilp"
	"github.com/millrace-ilp/millrace/pool/slab"
)

// A connection that sleeps is folded: its record, those of its streams and its names become
// one piece of memory, of a third of their length, and their places serve others. Pieces
// move, so that there are no holes between them (slab.Dense). Elsewhere
// stays what finds it, its token, its handles and its idle deadline, and what few have: a
// coldConn, coldStreams, the state of data, whose indexes are in the records.
// A genuine packet unfolds it, or a call.
//
// A piece holds
//
//	the shared secret, 32 octets
//	the number of the connection's handle, and above its 24 bits that of its streams, 4 octets
//	the number of the connection's options, a varint as in package encoding/binary
//	the connection's record, and those of its streams in order: see appendWords in words.go
//	the names: see appendNames there
//
// Records are kept whole, word for word, but for what another record's place says: a field
// that is added later needs nothing here.

const (
	// foldedBit marks a value of connPlaces as the number of a piece, and one of
	// streamPlaces as the number of its connection's handle.
	foldedBit = 1 << 31
	// sleepBit marks a value of the token table as the number of a folded connection's
	// handle.
	sleepBit = 1 << 30
	// ownerBits hold the number of a handle. They keep the numbers of pieces, handles and
	// records below the bits above.
	ownerBits      = 24
	maxConnections = 1<<ownerBits - 1

	// maxFold bounds what a connection is folded into; a piece has less, or it is not.
	maxFold = foldHead + binary.MaxVarintLen64 + 10*connWords + 10*streamWords*maxFoldedStreams + 6*binary.MaxVarintLen16 + 2*ilp.MaxAddress + maxTag
	// maxFoldedStreams is how many streams a connection has that is folded.
	maxFoldedStreams = 32
	// foldHead is the secret, and what stands in four octets behind it.
	foldHead = 32 + 4

	connWords   = int(unsafe.Sizeof(conn{})+7) / 8
	streamWords = int(unsafe.Sizeof(streamRec{})+7) / 8
)

// What stands against folding: that something is under way, or waits for somebody.
const (
	unfoldable = flagClosed | flagEnding | flagCloseDue | flagCloseSent | flagRemoteClosed | flagQueued | flagProbing |
		flagReleased | flagTestAddress
	unfoldableStream = streamClosed | streamReleased | streamRemoteClosed | streamEnding | streamCloseDue | streamCloseSent |
		streamReadEvent | streamLimitEvent | streamWriteWait | streamCounted
)

// mayFold says whether a connection that sleeps has nothing but its record: no packet, hold,
// event or timer names it, and it has nothing to send, whatever becomes of its link.
func (m *Machine) mayFold(c *conn) bool {
	cold := m.coldOf(c)
	if !c.flags.has(flagAsleep) || c.flags.has(unfoldable) || c.refs > 0 || c.heldOut > 0 || c.heldIn > 0 || c.flight != (load{}) ||
		c.firstDoubt != 0 || c.probe != 0 || c.names == 0 ||
		cold.closeAfter != 0 || cold.askAt != 0 || cold.paceNext > m.now || cold.retry.notBefore > m.now || m.wantsToSend(c) {
		return false
	}
	n := 0
	for k := c.firstStream; k != 0; n++ {
		s := m.streams.At(k)
		if s.flags.has(unfoldableStream) || s.refs > 0 || s.packetsIn > 0 || s.packetsOut > 0 || s.heldOut > 0 || s.heldDest > 0 ||
			m.words[k] != "" || m.hasPieces(s) {
			return false
		}
		k = s.next
	}
	return n <= maxFoldedStreams
}

// hasPieces says whether frames of a stream's data are out, or are to go out again: they
// name its record.
func (m *Machine) hasPieces(s *streamRec) bool {
	if s.data == 0 {
		return false
	}
	d := m.data.At(s.data)
	return d.first != 0 || d.lost != 0
}

// fold folds a connection, if it may be. Its record is gone then, and its timer is one for
// its idle deadline; if it may not, its timer is to be armed.
func (m *Machine) fold(i uint32, c *conn) bool {
	self, deadline := c.self, Instant(0)
	if o := m.optionsOf(c); o.IdleTimeout > 0 {
		deadline = c.lastActive + Instant(o.IdleTimeout)
	}
	if !m.mayFold(c) {
		return false
	}
	m.connTimers.Clear(i) // before its place goes
	if !m.foldAway(i, c) {
		return false
	}
	if deadline > 0 {
		m.idleTimers.Set(self, int64(deadline))
	}
	return true
}

// foldAway puts a piece in the place of a connection's records.
func (m *Machine) foldAway(i uint32, c *conn) bool {
	b := m.foldInto(m.scratch.folded[:0], c)
	m.scratch.folded = b
	defer clear(b) // the secret
	if len(b) > slab.MaxOctets {
		return false
	}
	number, piece := m.folds.Alloc(len(b))
	copy(piece, b)
	if t := m.turnOf(c); t != nil && *t != 0 {
		*t = m.streams.At(*t).self
	}
	self := c.self
	m.tokens.Put(m.tokenOf(c), sleepBit|self)
	m.connPlaces.Move(self, foldedBit|number)
	for k := c.firstStream; k != 0; {
		s := m.streams.At(k)
		next := s.next
		m.streamPlaces.Move(s.self, foldedBit|self)
		m.byID.Delete(streamKey(i, s.id))
		m.streams.Free(k)
		k = next
	}
	m.names.Free(c.names)
	m.conns.Free(i)
	m.folded++
	return true
}

// foldInto appends what a connection becomes to b, at most maxFold octets.
func (m *Machine) foldInto(b []byte, c *conn) []byte {
	b = append(b, c.secret[:]...)
	b = binary.NativeEndian.AppendUint32(b, c.self)
	b = binary.AppendUvarint(b, uint64(c.options))
	var words [connWords]uint64
	rec := *c
	rec.secret, rec.options, rec.self, rec.generation, rec.firstStream, rec.lastStream, rec.names = [32]byte{}, 0, 0, 0, 0, 0, 0
	copyWords(words[:], unsafe.Pointer(&rec), unsafe.Sizeof(rec))
	m.unlike(&words, c.options)
	b = appendWords(b, words[:])
	n := uint32(0)
	for k := c.firstStream; k != 0; n++ {
		s := m.streams.At(k)
		var words [streamWords]uint64
		rec := *s
		rec.conn, rec.next = 0, 0
		rec.unlike(c)
		copyWords(words[:], unsafe.Pointer(&rec), unsafe.Sizeof(rec))
		b = appendWords(b, words[:])
		k = s.next
	}
	binary.NativeEndian.PutUint32(b[len(c.secret):], n<<ownerBits|c.self)
	return m.appendNames(b, c)
}

// unfold undoes fold: the connection sleeps on.
func (m *Machine) unfold(self uint32) (uint32, *conn) {
	i, c := m.layOpen(self)
	m.idleTimers.Clear(self)
	m.armConn(i, c)
	return i, c
}

// layOpen undoes foldAway.
func (m *Machine) layOpen(self uint32) (uint32, *conn) {
	number := m.connPlaces.At(self) &^ foldedBit
	piece := m.folds.At(number)
	i, c, ok := m.conns.Alloc()
	invariant(ok, "more connections than handles")
	n, b := m.readFold(c, piece)
	invariant(c.self == self, "a handle leads to what another has become")
	for range n {
		k, s, ok := m.streams.Alloc()
		invariant(ok, "more streams than handles")
		var words [streamWords]uint64
		b = takeWords(b, words[:])
		putWords(unsafe.Pointer(s), words[:], unsafe.Sizeof(*s))
		s.unlike(c)
		s.conn = i
		m.enlist(k, s, c)
		m.streamPlaces.Move(s.self, k)
	}
	if t := m.turnOf(c); t != nil && *t != 0 {
		*t = m.streamPlaces.At(*t)
	}
	m.takeNames(b, c)
	m.connPlaces.Move(self, i)
	if m.folds.Free(number) {
		_, other := foldOf(m.folds.At(number))
		m.connPlaces.Move(other, foldedBit|number)
	}
	m.tokens.Put(m.tokenOf(c), i)
	m.folded--
	return i, c
}

// turnOf is where the coldConn of a connection names a stream, while it is folded by the
// number of its handle; or nil.
func (m *Machine) turnOf(c *conn) *uint32 {
	if c.cold == 0 {
		return nil
	}
	return &m.colds.At(c.cold).turn
}

// readFold reads a connection's record from the piece that it became: all but what names
// other records. It returns the number of streams, and where they stand.
func (m *Machine) readFold(c *conn, piece []byte) (streams int, rest []byte) {
	streams, self := foldOf(piece)
	options, n := binary.Uvarint(piece[foldHead:])
	var words [connWords]uint64
	rest = takeWords(piece[foldHead+n:], words[:])
	m.unlike(&words, uint32(options))
	putWords(unsafe.Pointer(c), words[:], unsafe.Sizeof(*c))
	c.secret, c.options = [32]byte(piece), uint32(options)
	c.self, c.generation = self, m.connPlaces.Handle(self).Generation()
	return streams, rest
}

// foldOf is the number of streams in a piece, and of its connection's handle.
func foldOf(piece []byte) (streams int, self uint32) {
	both := binary.NativeEndian.Uint32(piece[32:])
	return int(both >> ownerBits), both & (1<<ownerBits - 1)
}

// secretOf is the shared secret of a connection that sleeps, folded or not, by the number
// of its handle. It is good until the next call.
func (m *Machine) secretOf(self uint32) *[32]byte {
	at := m.connPlaces.At(self)
	if at&foldedBit != 0 {
		return (*[32]byte)(m.folds.At(at &^ foldedBit))
	}
	return &m.conns.At(at).secret
}

// belongs is what a walk chooses connections by.
type belongs struct {
	flags        connFlags
	link, server uint32
}

// walk goes through the connections that are concerned, in order of their handles, and
// unfolds those that are folded; or leaves them out.
func (m *Machine) walk(folded bool, concerned func(belongs) bool) iter.Seq2[uint32, *conn] {
	return func(yield func(uint32, *conn) bool) {
		for self := m.connPlaces.Next(0); self != 0; self = m.connPlaces.Next(self) {
			i := m.connPlaces.At(self)
			switch {
			case i&foldedBit == 0:
				if c := m.conns.At(i); concerned(belongs{c.flags, c.link, c.server}) && !yield(i, c) {
					return
				}
			case folded:
				if concerned(whose(m.folds.At(i&^foldedBit))) && !yield(m.unfold(self)) {
					return
				}
			}
		}
	}
}

// whose reads from a piece what a walk asks for.
func whose(piece []byte) (b belongs) {
	_, n := binary.Uvarint(piece[foldHead:])
	words := piece[foldHead+n:]
	flags, server := octetsOf(wordOf(words, connWords, wordFlags)), octetsOf(wordOf(words, connWords, wordServer))
	b.flags = connFlags(binary.NativeEndian.Uint32(flags[unsafe.Offsetof(conn{}.flags)%8:]))
	b.link = binary.NativeEndian.Uint32(flags[unsafe.Offsetof(conn{}.link)%8:])
	b.server = binary.NativeEndian.Uint32(server[unsafe.Offsetof(conn{}.server)%8:])
	return b
}

// The words of a record that flags and link stand in, and the server. No connection has
// anything there at first (conn.begin), so they are kept as they are.
const (
	wordFlags  = int(unsafe.Offsetof(conn{}.flags) / 8)
	wordServer = int(unsafe.Offsetof(conn{}.server) / 8)

	_ = uint(wordFlags-int(unsafe.Offsetof(conn{}.link)/8)) + uint(int(unsafe.Offsetof(conn{}.link)/8)-wordFlags)
)

func octetsOf(word uint64) (b [8]byte) {
	binary.NativeEndian.PutUint64(b[:], word)
	return b
}

// laid is a connection that was unfolded for a call that only looks, or was not.
type laid struct {
	i uint32
	c *conn // or nil
}

// lay folds a connection again after such a call.
func (m *Machine) lay(l laid) {
	if l.c != nil && !m.foldAway(l.i, l.c) { // it has become longer
		m.stay(l)
	}
}

// stay is for a call that does more after all.
func (m *Machine) stay(l laid) {
	if l.c != nil {
		m.idleTimers.Clear(l.c.self)
		m.armConn(l.i, l.c)
	}
}

// unlike takes from a stream's totals what its connection has, or gives it back: those of
// an only stream, which has sent all that it may, are the same.
func (s *streamRec) unlike(c *conn) {
	s.received ^= c.totalReceived
	s.sent ^= c.totalSent
	s.sendMax ^= c.totalSent
	s.delivered ^= c.delivered
	s.remoteReceived ^= c.delivered
}

// unlike takes from the words of a record what a new connection with such options has, or
// gives it back: of most little is left.
func (m *Machine) unlike(words *[connWords]uint64, options uint32) {
	var usual conn
	usual.begin(m.options.entries[options])
	var w [connWords]uint64
	copyWords(w[:], unsafe.Pointer(&usual), unsafe.Sizeof(usual))
	for i := range words {
		words[i] ^= w[i]
	}
}
