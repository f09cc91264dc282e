package slab

import (
	"math"
	"math/bits"
	"unsafe"
)

// Wheel is a set of timers, at most one for each index: a hashed timing wheel
// (Varghese and Lauck, 1987, scheme 6). A slot of the wheel holds the timers whose deadline falls
// into its tick, of this turn or of later ones, in a list through the items, so
// that Set and Clear cost the same however many there are. For each slot the
// wheel knows a lower bound of the deadlines in it, so a timer of a later turn
// costs nothing when the wheel passes it by.
//
// Deadlines and instants are nanoseconds since any origin. A clock that is set back
// takes the wheel with it; that costs a visit of all timers.
type Wheel struct {
	nodes  []*[segmentLen]timer
	heads  []uint32 // first item of each slot; the last list holds expired items
	bounds []int64  // no deadline in the slot is below; never if it is empty
	loose  []bool   // the bound may be too low, since a timer left

	shift  uint   // a tick is 1<<shift ns
	mask   uint64 // slots - 1
	cursor uint64 // all ticks before it hold nothing
	now    int64  // the instant seen last
	next   int64  // no armed deadline is below
	armed  int
	memory Memory
	lender Lender

	// Of a slot that is being collected, that of the cursor: those that were looked at and
	// are due in a later turn.
	kept      uint32 // the first
	keptBound int64  // no deadline of them is below
	keptLoose bool   // the bound may be too low, since one left
	atOnce    int    // so many expired timers are collected together
}

type timer struct {
	deadline   int64
	next, prev uint32 // items; 0 ends the list
	list       uint32 // 1 + index into heads, 0 while not armed
}

// TimerLen is the memory of one timer, in octets.
const TimerLen = int(unsafe.Sizeof(timer{}))

const (
	never = math.MaxInt64
	// tightenBudget bounds how many timers one look for the earliest deadline
	// visits to correct bounds that are too low.
	tightenBudget = 4096
	// collectAtOnce is how many expired timers are collected before the first is popped: all
	// of a million may be due at once.
	collectAtOnce = 256
)

// NewWheel returns a wheel of slots ticks of tickNs nanoseconds, both rounded
// up to a power of two. Deadlines further away than tickNs*slots work: they share a
// slot with nearer ones.
func NewWheel(tickNs int64, slots int) *Wheel {
	if tickNs < 1 || tickNs > 1<<40 || slots < 1 || slots > 1<<24 {
		panic("slab: wheel out of range")
	}
	n := 1 << bits.Len(uint(slots-1))
	w := &Wheel{
		heads:  make([]uint32, n+1),
		bounds: make([]int64, n),
		loose:  make([]bool, n),
		shift:  uint(bits.Len64(uint64(tickNs - 1))),
		mask:   uint64(n - 1),
		now:    math.MinInt64,
		next:   never,

		keptBound: never,
		atOnce:    collectAtOnce,
	}
	for i := range w.bounds {
		w.bounds[i] = never
	}
	return w
}

// NewWheelIn is NewWheel with timers in memory; nil means the heap.
func NewWheelIn(tickNs int64, slots int, memory Memory) *Wheel {
	w := NewWheel(tickNs, slots)
	w.memory = memory
	return w
}

// NewWheelOn is NewWheelIn with memory that goes back: see Drop.
func NewWheelOn(tickNs int64, slots int, lender Lender) *Wheel {
	w := NewWheel(tickNs, slots)
	if w.lender = lender; lender != nil {
		w.memory = lender.Lend
	}
	return w
}

// Drop gives back the memory of the timers of n items from an index on, as Records
// drops those. None of them may be armed.
func (w *Wheel) Drop(from, n uint32) {
	if from&segmentMask != 0 || n != segmentLen {
		panic("slab: a part of a segment is dropped")
	}
	k := from >> segmentShift
	if k >= uint32(len(w.nodes)) || w.nodes[k] == nil {
		return
	}
	for i := range w.nodes[k] {
		if w.nodes[k][i].list != 0 {
			panic("slab: memory of a timer that is armed goes back")
		}
	}
	*w.nodes[k] = [segmentLen]timer{}
	giveBack(w.lender, w.nodes[k])
	w.nodes[k] = nil
}

// Set arms the timer of item i, from 1, or moves it. A deadline that has passed
// expires at the next PopExpired. Memory grows to the highest index, TimerLen
// octets an item.
func (w *Wheel) Set(i uint32, deadlineNs int64) {
	if i == 0 {
		panic("slab: timer of index 0")
	}
	t := w.grow(i)
	if t.list != 0 {
		w.unlink(i, t)
	}
	// In a slot that was passed it would wait a turn: the cursor's is next.
	s := uint32(max(w.tick(deadlineNs), w.cursor) & w.mask)
	w.link(i, t, s)
	t.deadline = deadlineNs
	if deadlineNs <= w.bounds[s] {
		w.bounds[s] = deadlineNs
		w.loose[s] = false
	}
	w.next = min(w.next, deadlineNs)
}

// Within arms the timer of item i so that it expires at the deadline or before: one that
// is armed already for an earlier instant stays. Who sets timers that hardly ever expire
// leaves them armed, looks at the true deadline when one does, and sets it again.
func (w *Wheel) Within(i uint32, deadlineNs int64) {
	if t := w.at(i); t != nil && t.list != 0 && t.deadline <= deadlineNs {
		return
	}
	w.Set(i, deadlineNs)
}

// Clear disarms the timer of item i, if it is armed.
func (w *Wheel) Clear(i uint32) {
	if t := w.at(i); t != nil && t.list != 0 {
		w.unlink(i, t)
	}
}

// Armed reports whether item i has a timer that was neither cleared nor popped.
func (w *Wheel) Armed(i uint32) bool {
	t := w.at(i)
	return t != nil && t.list != 0
}

// Deadline returns what item i's timer was set to, if it is armed.
func (w *Wheel) Deadline(i uint32) (deadlineNs int64, ok bool) {
	if t := w.at(i); t != nil && t.list != 0 {
		return t.deadline, true
	}
	return 0, false
}

// Len returns the number of armed timers.
func (w *Wheel) Len() int { return w.armed }

// Advance collects timers that have expired at now, some at a time, for PopExpired, which
// calls it by itself. However far the time has jumped it passes each slot once.
func (w *Wheel) Advance(now int64) {
	if now < w.now {
		w.windBack(now)
	}
	w.now = now
	if now < w.next || w.heads[len(w.bounds)] != 0 {
		return
	}
	last := max(w.tick(now), w.cursor)
	left := w.atOnce
	for from, t := w.cursor, w.cursor; t <= last && t-from <= w.mask; t++ {
		s := uint32(t & w.mask)
		if w.bounds[s] > now {
			continue
		}
		w.cursor = t
		if left = w.collect(s, now, left); left == 0 {
			w.next = now
			return
		}
	}
	w.cursor = last
	w.next = w.earliest()
}

// windBack puts every timer where it belongs at an earlier instant than the last, also
// those that wait to be popped: what was due is so no more.
func (w *Wheel) windBack(now int64) {
	all := uint32(0) // in a list by next
	gather := func(i uint32) {
		for i != 0 {
			t := w.at(i)
			following := t.next
			t.next, all = all, i
			i = following
		}
	}
	for s, i := range w.heads {
		gather(i)
		w.heads[s] = 0
	}
	gather(w.kept)
	w.kept, w.keptBound, w.keptLoose = 0, never, false
	for s := range w.bounds {
		w.bounds[s], w.loose[s] = never, false
	}
	w.now, w.cursor, w.next, w.armed = now, w.tick(now), never, 0
	for all != 0 {
		i, t := all, w.at(all)
		all, t.list = t.next, 0
		w.Set(i, t.deadline)
	}
}

// PopExpired disarms one timer whose deadline is now or before, and returns its
// item; false when there is none. Items come in no particular order. Between two
// calls timers may be set and cleared, also those that wait to be popped.
func (w *Wheel) PopExpired(now int64) (i uint32, ok bool) {
	w.Advance(now)
	i = w.heads[len(w.bounds)]
	if i == 0 {
		return 0, false
	}
	w.unlink(i, w.at(i))
	return i, true
}

// Next returns an instant to wake at: no armed timer expires before it, but for
// those that wait to be popped already, when it is the instant seen last; ok
// is false when none is armed. Once PopExpired(now) has returned false, Next is
// above now. It is a lower bound when the timer that it was for has been cleared or
// moved; the PopExpired after waking then finds the true one, so a
// caller that sleeps until Next wakes for nothing at most once between two
// deadlines that it was told.
func (w *Wheel) Next() (deadlineNs int64, ok bool) {
	switch {
	case w.armed == 0:
		return 0, false
	case w.heads[len(w.bounds)] != 0:
		return w.now, true // some wait to be popped
	}
	return w.next, true
}

// collect moves what has expired in slot s to the list of expired items, at most so many of
// them, and returns how many more might have been moved. At 0 it may have to go on there.
func (w *Wheel) collect(s uint32, now int64, left int) int {
	for {
		i := w.heads[s]
		if i == 0 { // all were looked at
			w.heads[s], w.bounds[s], w.loose[s] = w.kept, w.keptBound, w.keptLoose
			w.kept, w.keptBound, w.keptLoose = 0, never, false
			if w.bounds[s] > now {
				return left
			}
			continue // it took until some of them were due
		}
		t := w.at(i)
		switch {
		case t.deadline > now:
			w.keep(i, t, s)
		case left == 0:
			return 0
		default:
			left--
			w.unlink(i, t)
			w.link(i, t, uint32(len(w.bounds)))
		}
	}
}

// keep moves the first item of slot s to those that are kept for it.
func (w *Wheel) keep(i uint32, t *timer, s uint32) {
	if w.heads[s] = t.next; t.next != 0 {
		w.at(t.next).prev = 0
	}
	if t.next = w.kept; t.next != 0 {
		w.at(t.next).prev = i
	}
	w.kept = i
	w.keptBound = min(w.keptBound, t.deadline)
}

// earliest returns a lower bound of the deadlines in the slots, exact unless
// there are very many timers in slots with a loose bound. It looks at slots from
// the cursor on: of this turn's the first is the earliest, so few are tightened.
func (w *Wheel) earliest() int64 {
	best, budget := int64(never), tightenBudget
	for k := range uint64(len(w.bounds)) {
		s := uint32((w.cursor + k) & w.mask)
		if w.bounds[s] >= best {
			continue
		}
		if w.loose[s] {
			budget = w.tighten(s, budget)
		}
		best = min(best, w.bounds[s])
		if w.tick(best) <= w.cursor+k {
			break // what is in later slots is due in later ticks
		}
	}
	return best
}

// tighten makes the bound of slot s exact, if that takes at most budget visits;
// it returns the rest.
func (w *Wheel) tighten(s uint32, budget int) int {
	bound := int64(never)
	for i := w.heads[s]; i != 0; budget-- {
		if budget == 0 {
			return 0
		}
		t := w.at(i)
		bound = min(bound, t.deadline)
		i = t.next
	}
	w.bounds[s], w.loose[s] = bound, false
	return budget
}

// tick returns the tick that an instant falls into; before 0 counts as 0.
func (w *Wheel) tick(ns int64) uint64 { return uint64(max(ns, 0)) >> w.shift }

// link puts item i first into list s.
func (w *Wheel) link(i uint32, t *timer, s uint32) {
	t.list, t.prev, t.next = s+1, 0, w.heads[s]
	if t.next != 0 {
		w.at(t.next).prev = i
	}
	w.heads[s] = i
	w.armed++
}

// unlink takes item i out of its list.
func (w *Wheel) unlink(i uint32, t *timer) {
	s := t.list - 1
	here := w.kept != 0 && s == uint32(w.cursor&w.mask) // it is being collected
	if t.next != 0 {
		w.at(t.next).prev = t.prev
	}
	switch {
	case t.prev != 0:
		w.at(t.prev).next = t.next
	case i == w.kept:
		w.kept = t.next
	default:
		w.heads[s] = t.next
	}
	t.list = 0
	w.armed--
	if int(s) == len(w.bounds) {
		return
	}
	switch {
	case w.heads[s] == 0 && !here:
		w.bounds[s], w.loose[s] = never, false
	case t.deadline == w.bounds[s]:
		w.loose[s] = true
	}
	w.keptLoose = w.keptLoose || here && t.deadline == w.keptBound
}

// at returns item i's timer, or nil if none of its segment was ever set.
func (w *Wheel) at(i uint32) *timer {
	if i>>segmentShift >= uint32(len(w.nodes)) || w.nodes[i>>segmentShift] == nil {
		return nil
	}
	return &w.nodes[i>>segmentShift][i&segmentMask]
}

func (w *Wheel) grow(i uint32) *timer {
	for i>>segmentShift >= uint32(len(w.nodes)) {
		w.nodes = append(w.nodes, nil)
	}
	if w.nodes[i>>segmentShift] == nil {
		w.nodes[i>>segmentShift] = segmentOf[[segmentLen]timer](w.memory)
	}
	return &w.nodes[i>>segmentShift][i&segmentMask]
}
