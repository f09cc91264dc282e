package stream

import (
	"encoding/binary"
	"unsafe"

	"github.com/millrace-ilp/millrace/codec/ilp"
	"github.com/millrace-ilp/millrace/pool/slab"
)

// The names of a connection stand behind one another in one piece of memory without
// pointers: where prepares go, our own address of the connection, and the tag of its
// credentials. Their lengths come first, two octets each.
const namesHead = 3 * 2

// All of a connection's names together fit a piece.
const _ = uint(slab.MaxOctets - namesHead - 2*ilp.MaxAddress - maxTag)

func (m *Machine) setNames(c *conn, peer, local, tag []byte) {
	number, b := m.names.Alloc(namesHead + len(peer) + len(local) + len(tag))
	binary.NativeEndian.PutUint16(b, uint16(len(peer)))
	binary.NativeEndian.PutUint16(b[2:], uint16(len(local)))
	binary.NativeEndian.PutUint16(b[4:], uint16(len(tag)))
	b = b[namesHead:]
	n := copy(b, peer)
	n += copy(b[n:], local)
	copy(b[n:], tag)
	m.freeNames(c) // not before: what was given may stand there
	c.names = number
}

// name is one of a connection's names. It is good until they are set anew, or the
// connection is freed.
func (m *Machine) name(c *conn, which int) []byte {
	b := m.names.At(c.names)
	from := namesHead
	for k := range which {
		from += int(binary.NativeEndian.Uint16(b[2*k:]))
	}
	to := from + int(binary.NativeEndian.Uint16(b[2*which:]))
	return b[from:to:to]
}

// peerOf is where prepares go, localOf our address of the connection, and tagOf the tag
// of its credentials.
func (m *Machine) peerOf(c *conn) []byte  { return m.name(c, 0) }
func (m *Machine) localOf(c *conn) []byte { return m.name(c, 1) }
func (m *Machine) tagOf(c *conn) []byte   { return m.name(c, 2) }

// prefetchNames asks for where a connection's prepares go. Its record may be freed.
func (m *Machine) prefetchNames(c *conn) {
	if c.names != 0 {
		slab.Prefetch(unsafe.Pointer(unsafe.SliceData(m.names.At(c.names))), 2)
	}
}

func (m *Machine) freeNames(c *conn) {
	if c.names != 0 {
		m.names.Free(c.names)
		c.names = 0
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
