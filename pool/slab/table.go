package slab

import "math/bits"

// Table is a hash table from 64-bit keys to indexes: extendible hashing (Fagin and
// others, 1979) over leaves of 1,024 places with linear probing. A leaf that is full
// is split in two; no other is touched, so the table grows without a pause, and nothing
// is kept of what it was before. It never shrinks.
//
// Keys are spread by fixed multiplications, which is enough for any keys but
// those that an adversary picks: hash what a peer can choose with a secret
// seed first.
type Table struct {
	leaves []*leaf // by the first depth bits of the hash; neighbors may share one
	depth  uint
	deep   uint              // no leaf is deeper
	spill  map[uint64]uint32 // what found no place in leaves that are that deep
	memory Memory
	n      int
	limit  int
}

// leaf holds the keys whose hashes begin alike. Their places follow from the last bits.
type leaf struct {
	entries [segmentLen]entry
	depth   uint32 // so many bits
	used    uint32
}

// entry is empty when value is 0. In this form it has 12 octets.
type entry struct {
	low, high uint32 // the key
	value     uint32
}

const (
	// fullLeaf is when a leaf is split: then a search for what is not there visits 15
	// places, in three cache lines.
	fullLeaf = segmentLen / 16 * 13
	// spareDepth is how much deeper than by the limit a leaf may lie. Hashes never come
	// near.
	spareDepth = 6
)

// NewTable returns an empty table of at most limit keys.
func NewTable(limit int) *Table {
	if limit < 1 || uint64(limit) > maxIndex-1 {
		panic("slab: limit out of range")
	}
	return &Table{leaves: make([]*leaf, 1), limit: limit, deep: uint(bits.Len(uint(limit)>>segmentShift)) + spareDepth}
}

// NewTableIn is NewTable with leaves from memory; nil means the heap.
func NewTableIn(limit int, memory Memory) *Table {
	t := NewTable(limit)
	t.memory = memory
	return t
}

// Get returns the value of key, or 0.
func (t *Table) Get(key uint64) uint32 {
	h := spread(key)
	if l := t.leafOf(h); l != nil {
		if e := l.find(h, key); e != nil {
			return e.value
		}
	}
	if t.spill != nil {
		return t.spill[key]
	}
	return 0
}

// Put gives key the value v, which must not be 0. It returns false, without
// effect, when key is new and the table holds its limit of keys.
func (t *Table) Put(key uint64, v uint32) bool {
	if v == 0 {
		panic("slab: value 0 means absent")
	}
	h := spread(key)
	l := t.leafOf(h)
	if l == nil {
		l = segmentOf[leaf](t.memory)
		t.leaves[0] = l // there is no other yet
	}
	if e := l.find(h, key); e != nil {
		e.value = v
		return true
	}
	_, spilt := t.spill[key]
	if !spilt && t.n == t.limit {
		return false
	}
	for !spilt && l.used >= fullLeaf && uint(l.depth) < t.deep {
		t.split(h)
		l = t.leafOf(h)
	}
	switch {
	case spilt:
		t.spill[key] = v
		return true
	case l.used < fullLeaf:
		l.add(h, entry{uint32(key), uint32(key >> 32), v})
	default:
		if t.spill == nil {
			t.spill = make(map[uint64]uint32)
		}
		t.spill[key] = v
	}
	t.n++
	return true
}

// Delete removes key, if it is there.
func (t *Table) Delete(key uint64) {
	h := spread(key)
	if l := t.leafOf(h); l != nil && l.remove(h, key) {
		t.n--
	} else if _, ok := t.spill[key]; ok {
		delete(t.spill, key)
		t.n--
	}
}

// Len returns the number of keys.
func (t *Table) Len() int { return t.n }

// spread makes a hash of a key, a different one of each, of whose bits each depends on
// all (the last step of MurmurHash3).
func spread(key uint64) uint64 {
	key = (key ^ key>>33) * 0xff51afd7ed558ccd
	key = (key ^ key>>33) * 0xc4ceb9fe1a85ec53
	return key ^ key>>33
}

// leafOf is where a hash belongs; nil while the table was never used.
func (t *Table) leafOf(h uint64) *leaf { return t.leaves[h>>(64-t.depth)] }

// split makes two leaves of the one that a hash belongs to, or one and an empty one.
func (t *Table) split(h uint64) {
	old := t.leafOf(h)
	if uint(old.depth) == t.depth {
		leaves := make([]*leaf, 2*len(t.leaves))
		for i, l := range t.leaves {
			leaves[2*i], leaves[2*i+1] = l, l
		}
		t.leaves, t.depth = leaves, t.depth+1
	}
	old.depth++
	right := segmentOf[leaf](t.memory)
	right.depth = old.depth
	// The leaf has stood at so many places: the second half is the new one's.
	n := uint64(1) << (t.depth - uint(old.depth))
	from := h>>(64-uint(old.depth))&^1*n + n
	for i := range n {
		t.leaves[from+i] = right
	}
	entries := old.entries
	clear(old.entries[:])
	old.used = 0
	for _, e := range entries {
		if e.value != 0 {
			h := spread(e.key())
			t.leafOf(h).add(h, e)
		}
	}
}

func (e *entry) key() uint64 { return uint64(e.high)<<32 | uint64(e.low) }

// home is the place where the search for a hash starts.
func home(h uint64) uint64 { return h & segmentMask }

// find returns the entry of key, or nil. A leaf is never full, so there is an empty
// place to end at.
func (l *leaf) find(h, key uint64) *entry {
	for i := home(h); ; i = (i + 1) & segmentMask {
		e := &l.entries[i]
		if e.value == 0 {
			return nil
		}
		if e.low == uint32(key) && e.high == uint32(key>>32) {
			return e
		}
	}
}

// add takes a key that is not there.
func (l *leaf) add(h uint64, e entry) {
	i := home(h)
	for l.entries[i].value != 0 {
		i = (i + 1) & segmentMask
	}
	l.entries[i] = e
	l.used++
}

// remove deletes key and closes the gap: entries behind it that would no
// longer be found move up (Knuth, volume 3, 6.4, algorithm R).
func (l *leaf) remove(h, key uint64) bool {
	e := l.find(h, key)
	if e == nil {
		return false
	}
	gap := home(h)
	for &l.entries[gap] != e {
		gap = (gap + 1) & segmentMask
	}
	for i := (gap + 1) & segmentMask; l.entries[i].value != 0; i = (i + 1) & segmentMask {
		// It may fill the gap unless its home lies after the gap, cyclically.
		if (i-home(spread(l.entries[i].key())))&segmentMask >= (i-gap)&segmentMask {
			l.entries[gap] = l.entries[i]
			gap = i
		}
	}
	l.entries[gap] = entry{}
	l.used--
	return true
}
