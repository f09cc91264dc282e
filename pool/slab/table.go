package slab

// Table is a hash table from 64-bit keys to indexes: open addressing with
// linear probing. It grows without a pause: two tables exist for a while, every Put
// and Delete moves a few entries over, and memory is taken and let go by
// segments on the way. It never shrinks.
//
// Keys are spread by a fixed multiplication, which is enough for any keys but
// those that an adversary picks: hash what a peer can choose with a secret
// seed first.
type Table struct {
	entries  buckets // where new entries go
	old      buckets // being emptied, or no segments
	migrated uint64  // buckets of old before this one have been moved
	memory   Memory
	spare    []*[segmentLen]entry // segments of tables before, empty; only those from memory are kept
	n        int
	limit    int
}

// buckets is one power-of-two table in segments; a nil segment is all empty.
type buckets struct {
	segments []*[segmentLen]entry
	shift    uint // 64 - log2 of the number of buckets
	used     int  // entries, without the dead
}

// entry is empty when value is 0. A dead one has moved or was deleted while
// its table is being emptied: it keeps the way to entries behind it open.
type entry struct {
	key   uint64
	value uint32
	dead  bool
}

// migrateStep is how many buckets a Put or Delete moves. Doubling happens at
// three quarters full, so the next one is at least three quarters of the old
// size away in Puts: 2 would do, and 8 gets rid of the old table sooner.
const migrateStep = 8

// NewTable returns an empty table of at most limit keys.
func NewTable(limit int) *Table {
	if limit < 1 || uint64(limit) > maxIndex-1 {
		panic("slab: limit out of range")
	}
	return &Table{entries: makeBuckets(segmentShift), limit: limit}
}

// NewTableIn is NewTable with segments from memory; nil means the heap. The segments of
// a table that is emptied serve the next one.
func NewTableIn(limit int, memory Memory) *Table {
	t := NewTable(limit)
	t.memory = memory
	return t
}

// Get returns the value of key, or 0.
func (t *Table) Get(key uint64) uint32 {
	if e := t.entries.find(key); e != nil {
		return e.value
	}
	if t.old.segments != nil {
		if e := t.old.find(key); e != nil {
			return e.value
		}
	}
	return 0
}

// Put gives key the value v, which must not be 0. It returns false, without
// effect, when key is new and the table holds its limit of keys.
func (t *Table) Put(key uint64, v uint32) bool {
	if v == 0 {
		panic("slab: value 0 means absent")
	}
	t.migrate(migrateStep)
	if e := t.entries.find(key); e != nil {
		e.value = v
		return true
	}
	if t.old.segments != nil {
		if e := t.old.find(key); e != nil {
			e.value = v
			return true
		}
	}
	if t.n == t.limit {
		return false
	}
	if t.old.segments == nil && t.entries.full() {
		t.old, t.migrated = t.entries, 0
		t.entries = makeBuckets(64 - t.old.shift + 1)
	}
	t.insert(key, v)
	t.n++
	return true
}

// Delete removes key, if it is there.
func (t *Table) Delete(key uint64) {
	t.migrate(migrateStep)
	if t.entries.remove(key) {
		t.n--
		return
	}
	if t.old.segments != nil {
		if e := t.old.find(key); e != nil {
			e.dead = true
			t.n--
		}
	}
}

// Len returns the number of keys.
func (t *Table) Len() int { return t.n }

// migrate moves the entries of the next few old buckets over.
func (t *Table) migrate(steps int) {
	if t.old.segments == nil {
		return
	}
	for ; steps > 0; steps-- {
		if t.migrated == t.old.len() {
			t.keep(t.old.segments)
			t.old = buckets{}
			return
		}
		if e := t.old.at(t.migrated); e != nil && e.value != 0 && !e.dead {
			t.insert(e.key, e.value)
			e.dead = true
		}
		t.migrated++
	}
}

// insert adds key, which must not be there, to the newer table.
func (t *Table) insert(key uint64, v uint32) {
	b := &t.entries
	mask := b.len() - 1
	for i := b.home(key); ; i = (i + 1) & mask {
		e := b.at(i)
		if e == nil {
			b.segments[i>>segmentShift] = t.segment()
			e = b.at(i)
		}
		if e.value == 0 {
			*e = entry{key: key, value: v}
			b.used++
			return
		}
	}
}

// segment is a new one for the newer table.
func (t *Table) segment() *[segmentLen]entry {
	if n := len(t.spare); n > 0 {
		s := t.spare[n-1]
		t.spare[n-1] = nil
		t.spare = t.spare[:n-1]
		clear(s[:])
		return s
	}
	return segmentOf[[segmentLen]entry](t.memory)
}

// keep has segments that nobody needs any more serve again, where nobody else would
// free them.
func (t *Table) keep(segments []*[segmentLen]entry) {
	if t.memory == nil {
		return
	}
	for _, s := range segments {
		if s != nil {
			t.spare = append(t.spare, s)
		}
	}
}

func makeBuckets(log2 uint) buckets {
	return buckets{segments: make([]*[segmentLen]entry, 1<<(log2-segmentShift)), shift: 64 - log2}
}

func (b *buckets) len() uint64 { return uint64(len(b.segments)) << segmentShift }

func (b *buckets) full() bool { return uint64(b.used) >= b.len()/4*3 }

// home is the bucket where the search for key starts: Fibonacci hashing.
func (b *buckets) home(key uint64) uint64 {
	return (key ^ key>>32) * 0x9e3779b97f4a7c15 >> b.shift
}

func (b *buckets) at(i uint64) *entry {
	seg := b.segments[i>>segmentShift]
	if seg == nil {
		return nil
	}
	return &seg[i&segmentMask]
}

// find returns the entry of key, or nil. The table is never full, so there is
// an empty bucket to end at.
func (b *buckets) find(key uint64) *entry {
	mask := b.len() - 1
	for i := b.home(key); ; i = (i + 1) & mask {
		e := b.at(i)
		if e == nil || e.value == 0 {
			return nil
		}
		if e.key == key && !e.dead {
			return e
		}
	}
}

// remove deletes key and closes the gap: entries behind it that would no
// longer be found move up (Knuth, volume 3, 6.4, algorithm R).
func (b *buckets) remove(key uint64) bool {
	e := b.find(key)
	if e == nil {
		return false
	}
	mask := b.len() - 1
	gap := b.home(key)
	for b.at(gap) != e {
		gap = (gap + 1) & mask
	}
	for i := (gap + 1) & mask; ; i = (i + 1) & mask {
		behind := b.at(i)
		if behind == nil || behind.value == 0 {
			break
		}
		// It may fill the gap unless its home lies after the gap, cyclically.
		if (i-b.home(behind.key))&mask >= (i-gap)&mask {
			*b.at(gap) = *behind
			gap = i
		}
	}
	*b.at(gap) = entry{}
	b.used--
	return true
}
