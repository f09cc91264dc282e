package stream

import (
	"bytes"
	"encoding/binary"
	"unsafe"

	"github.com/millrace-ilp/millrace/codec/ilp"
	"github.com/millrace-ilp/millrace/pool/slab"
)

// The names of a connection stand behind one another in one piece of memory without
// pointers: where prepares go, our own address of the connection, and the tag of its
// credentials. What an address begins with, before its last segment or its token, many
// have in common: it stands once for all of them, as far as there is room for it
// (prefixTable).

// namesHead begins a piece: the numbers of two prefixes, and the lengths of what follows,
// in one word.
type namesHead uint64

// The bits of a prefix's number, and of a length, and where the lengths begin.
const (
	prefixBits = 12
	lengthBits = 10
	lengthsAt  = 2 * prefixBits

	prefixMask = 1<<prefixBits - 1
	lengthMask = 1<<lengthBits - 1

	_ = uint(prefixMask - maxPrefixes)
	_ = uint(lengthMask - ilp.MaxAddress)
	_ = uint(lengthMask - maxTag)
	_ = uint(64 - lengthsAt - 4*lengthBits)
)

const namesHeadLen = int(unsafe.Sizeof(namesHead(0)))

func makeNamesHead(peerPrefix, localPrefix uint16, peer, local, tag, token int) namesHead {
	h := namesHead(token)
	for _, length := range [...]int{tag, local, peer} {
		h = h<<lengthBits | namesHead(length)
	}
	return h<<lengthsAt | namesHead(localPrefix)<<prefixBits | namesHead(peerPrefix)
}

// The numbers in Machine.prefixes.
func (h namesHead) peerPrefix() uint16  { return uint16(h & prefixMask) }
func (h namesHead) localPrefix() uint16 { return uint16(h >> prefixBits & prefixMask) }

// The lengths of what is not in them, of the tag, and where in what follows of local the
// token begins.
func (h namesHead) peer() int  { return int(h >> lengthsAt & lengthMask) }
func (h namesHead) local() int { return int(h >> (lengthsAt + lengthBits) & lengthMask) }
func (h namesHead) tag() int   { return int(h >> (lengthsAt + 2*lengthBits) & lengthMask) }
func (h namesHead) token() int { return int(h >> (lengthsAt + 3*lengthBits)) }

func (h namesHead) put(piece []byte) { binary.NativeEndian.PutUint64(piece, uint64(h)) }

// All of a connection's names together fit a piece, whose length is a multiple of 8.
const _ = uint(slab.MaxOctets - namesHeadLen - 2*ilp.MaxAddress - maxTag)

// setNames gives a connection its names. Its token begins so many octets into local.
func (m *Machine) setNames(c *conn, peer, local []byte, token int, tag []byte) {
	peerPrefix, peerRest := m.prefixes.split(peer, bytes.LastIndexByte(peer, '.')+1, maxPeerPrefixes)
	localPrefix, localRest := m.prefixes.split(local, token, maxPrefixes)
	token -= len(local) - len(localRest)
	number, b := m.names.Alloc(namesHeadLen + len(peerRest) + len(localRest) + len(tag))
	makeNamesHead(peerPrefix, localPrefix, len(peerRest), len(localRest), len(tag), token).put(b)
	b = b[namesHeadLen:]
	n := copy(b, peerRest)
	n += copy(b[n:], localRest)
	copy(b[n:], tag)
	m.freeNames(c) // not before: what was given may stand there
	c.names = number
}

// namesOf is a connection's piece.
func (m *Machine) namesOf(c *conn) (head namesHead, names []byte) {
	b := m.names.At(c.names)
	return namesHead(binary.NativeEndian.Uint64(b)), b[namesHeadLen:]
}

// peerParts is where prepares go, in two parts. They are good until the names are set
// anew, or the connection is freed.
func (m *Machine) peerParts(c *conn) (prefix string, rest []byte) {
	head, names := m.namesOf(c)
	return m.prefixes.at(head.peerPrefix()), names[:head.peer():head.peer()]
}

// peerOf is the same in one, and localOf our address of the connection: each is good until
// it is asked for again, of any connection. tagOf is the tag of its credentials, and good
// until the names are set anew.
func (m *Machine) peerOf(c *conn) []byte {
	prefix, rest := m.peerParts(c)
	m.scratch.peer = append(append(m.scratch.peer[:0], prefix...), rest...)
	return m.scratch.peer
}

func (m *Machine) localOf(c *conn) []byte {
	head, rest := m.localRest(c)
	m.scratch.local = append(append(m.scratch.local[:0], m.prefixes.at(head.localPrefix())...), rest...)
	return m.scratch.local
}

func (m *Machine) tagOf(c *conn) []byte {
	head, names := m.namesOf(c)
	names = names[head.peer()+head.local():]
	return names[:head.tag():head.tag()]
}

// localRest is what the piece has of our address.
func (m *Machine) localRest(c *conn) (namesHead, []byte) {
	head, names := m.namesOf(c)
	return head, names[head.peer():][:head.local()]
}

// tokenOf is the hash of a connection's token.
func (m *Machine) tokenOf(c *conn) uint64 {
	head, rest := m.localRest(c)
	token, _, _ := bytes.Cut(rest[head.token():], []byte{'.'})
	return m.tokenHash(token)
}

// prefetchNames asks for where a connection's prepares go. Its record may be freed.
func (m *Machine) prefetchNames(c *conn) {
	if c.names != 0 {
		slab.Prefetch(unsafe.Pointer(unsafe.SliceData(m.names.At(c.names))), 2)
	}
}

func (m *Machine) freeNames(c *conn) {
	if c.names == 0 {
		return
	}
	head, _ := m.namesOf(c)
	m.prefixes.letGo(head.peerPrefix())
	m.prefixes.letGo(head.localPrefix())
	m.names.Free(c.names)
	c.names = 0
}

// prefixTable holds what addresses begin with, from 1; 0 is nothing. There are never more
// than maxPrefixes: what finds no room is kept with its connection. Peers choose their
// own addresses, and leave room for ours.
type prefixTable struct {
	entries []prefixEntry
	free    []uint16
	index   map[string]uint16
}

type prefixEntry struct {
	octets string
	users  uint32
}

const (
	maxPrefixes     = 4095
	maxPeerPrefixes = maxPrefixes / 2
)

// split is the number of an address's first n octets, which has one more user, and the
// rest; or 0 and all of it, where they are new and there are most already.
func (t *prefixTable) split(address []byte, n, most int) (prefix uint16, rest []byte) {
	if n == 0 {
		return 0, address
	}
	i, known := t.index[string(address[:n])]
	if !known {
		if len(t.index) >= most {
			return 0, address
		}
		i = t.add(string(address[:n]))
	}
	t.entries[i].users++
	return i, address[n:]
}

func (t *prefixTable) add(octets string) uint16 {
	if t.index == nil {
		t.index = make(map[string]uint16)
		t.entries = make([]prefixEntry, 1)
	}
	var i uint16
	if n := len(t.free); n > 0 {
		i, t.free = t.free[n-1], t.free[:n-1]
	} else {
		t.entries = append(t.entries, prefixEntry{})
		i = uint16(len(t.entries) - 1)
	}
	t.entries[i].octets = octets
	t.index[octets] = i
	return i
}

func (t *prefixTable) at(i uint16) string {
	if i == 0 {
		return ""
	}
	return t.entries[i].octets
}

func (t *prefixTable) letGo(i uint16) {
	if i == 0 {
		return
	}
	e := &t.entries[i]
	if e.users--; e.users == 0 {
		delete(t.index, e.octets)
		e.octets = ""
		t.free = append(t.free, i)
	}
}

// Nearly all peers of a machine have one of few assets: connections share them.

type assetName struct {
	code  string
	scale uint8
}

// assetTable holds the assets of peers, from 1.
type assetTable struct {
	entries []assetEntry
	free    []uint32
	index   map[assetName]uint32
}

type assetEntry struct {
	name  assetName
	code  []byte // the same
	users uint32
}

// use is the number of an asset, which has one more user; letGo takes it back.
func (t *assetTable) use(code []byte, scale uint8) uint32 {
	i, known := t.index[assetName{string(code), scale}]
	if !known {
		i = t.add(assetName{string(code), scale})
	}
	t.entries[i-1].users++
	return i
}

func (t *assetTable) add(name assetName) uint32 {
	if t.index == nil {
		t.index = make(map[assetName]uint32)
	}
	var i uint32
	if n := len(t.free); n > 0 {
		i, t.free = t.free[n-1], t.free[:n-1]
	} else {
		t.entries = append(t.entries, assetEntry{})
		i = uint32(len(t.entries))
	}
	t.entries[i-1] = assetEntry{name: name, code: []byte(name.code)}
	t.index[name] = i
	return i
}

// at is the asset of a number, or nil of 0.
func (t *assetTable) at(i uint32) *assetEntry {
	if i == 0 {
		return nil
	}
	return &t.entries[i-1]
}

func (t *assetTable) letGo(i uint32) {
	if i == 0 {
		return
	}
	e := &t.entries[i-1]
	if e.users--; e.users == 0 {
		delete(t.index, e.name)
		*e = assetEntry{}
		t.free = append(t.free, i)
	}
}
