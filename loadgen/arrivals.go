package main

import (
	"math"
	"math/bits"
	"math/rand/v2"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/millrace-ilp/millrace/engine/stream"
	"github.com/millrace-ilp/millrace/internal/nullengine"
	"github.com/millrace-ilp/millrace/pool/slab"
)

const (
	// maxWaiting bounds the arrivals of a loop that are not answered (waitingFor).
	maxWaiting = 1 << 20
	// maxBurst bounds the arrivals of one call, so that after a stall the loop
	// reads and writes in between.
	maxBurst = 4096
)

// never is when nothing is due any more.
const never = math.MaxInt64 / 2

// arrivals is the open loop on one event loop: instants fixed beforehand at which
// the send maximum of some stream rises by one packet's amount, and how long after
// its instant each of these packets was fulfilled. It belongs to the loop but for
// nextAt, and takes no memory while it runs.
type arrivals struct {
	base      time.Time // of all instants here, which are in nanoseconds
	amount    stream.Amount
	schedule  *nullengine.Arrivals
	pick      *rand.PCG
	targets   []target  // by stream of the crowd
	waits     []waiting // by index; 0 is none
	free      uint32
	unwaited  uint32 // from here on waits were never used
	out       int    // raised and not answered
	from, end int64  // what is due in between is measured
	until     int64  // nothing is due from here on
	latency   *hdrhistogram.Histogram
	lag       *hdrhistogram.Histogram // from being due to being raised
	behind    uint64                  // raised nullengine.Late or more after they were due

	nextAt atomic.Int64 // when the next arrival is due, for who wakes the loop

	drawn   [drawAtOnce]arrival // by draw
	handles [drawAtOnce]stream.StreamHandle
}

// drawAtOnce is how many arrivals are drawn before the first is raised.
const drawAtOnce = 64

// arrival is one that is due, and whose.
type arrival struct {
	due    int64
	target uint32
}

// target is a stream: what it may send, and the arrivals that wait for its packets. It is
// one cache line, in which the oldest of them stand, nearly always all.
type target struct {
	stream     stream.StreamHandle
	limit      stream.Amount
	rest       stream.Amount // paid, but less than an arrival's amount
	due        [nearest]int64
	head, tail uint32 // those behind them, by waiting
	first, n   uint8  // of due: a ring
}

// nearest is how many arrivals of a stream stand with it.
const nearest = 3

// waiting is one arrival that is not answered, behind those that stand with its stream.
type waiting struct {
	due  int64
	next uint32
}

// waitingFor is how many arrivals of a loop may be unanswered: twice what its links have
// windows for, so that none of those is ever short of them. When so many are, the schedule
// is not read on: those after them are late, not lost, and what waits in the schedule takes
// no memory that must be visited once more, so that a backlog is worked off at full speed.
func (s shape) waitingFor(loops int) int {
	return min(max(2*s.Window*s.Links/loops, maxBurst), maxWaiting)
}

// newArrivals begins now. The rate is that of all loops together, of which this is
// one; evenly spaced arrivals of several loops interleave.
func newArrivals(s shape, base time.Time, loop, loops int, streams []stream.StreamHandle) *arrivals {
	start := int64(time.Since(base))
	if s.Arrivals == constant {
		start += int64(float64(loop) / s.Rate * 1e9)
	}
	a := &arrivals{
		base: base, amount: stream.Amount(s.PacketAmount),
		schedule: nullengine.NewArrivals(start, s.Rate/float64(loops), s.Arrivals == poisson, uint64(loop)+1),
		pick:     rand.NewPCG(uint64(loop), 1), targets: make([]target, len(streams)), waits: make([]waiting, s.waitingFor(loops)+1), unwaited: 1,
		from: never, end: never, until: never, latency: nullengine.NewHistogram(), lag: nullengine.NewHistogram(),
	}
	for i, s := range streams {
		a.targets[i].stream = s
	}
	a.nextAt.Store(a.schedule.Next())
	return a
}

func (a *arrivals) now() int64 { return int64(time.Since(a.base)) }

// raise lets every packet go that is due. Streams are drawn some at a time, so that the
// memory is asked for all of them before the first is visited.
func (a *arrivals) raise(m *stream.Machine, at stream.Instant) {
	now := a.now()
	for burst := 0; burst < maxBurst; {
		n := a.draw(now)
		if n == 0 {
			break
		}
		burst += n
		for k := range n {
			a.handles[k] = a.targets[a.drawn[k].target].stream
		}
		m.Fetch(a.handles[:n])
		for k := range n {
			d := &a.drawn[k]
			t := &a.targets[d.target]
			a.push(t, d.due)
			t.limit += a.amount
			// A stream that is gone was counted when it was lost; its arrivals are
			// never answered.
			_ = m.SetSendMax(at, a.handles[k], t.limit)
			if d.due >= a.from {
				nullengine.Record(a.lag, now-d.due)
				if now-d.due >= nullengine.Late {
					a.behind++
				}
			}
		}
	}
	if due := a.schedule.Next(); due < a.until {
		a.nextAt.Store(due)
	} else {
		a.nextAt.Store(never)
	}
}

// draw reads the schedule up to now, as far as drawn and what may wait have room, and
// asks the memory for the targets.
func (a *arrivals) draw(now int64) (n int) {
	room := min(len(a.drawn), len(a.waits)-1-a.out)
	for ; n < room; n++ {
		due := a.schedule.Next()
		if due > now || due >= a.until {
			break
		}
		i, _ := bits.Mul64(a.pick.Uint64(), uint64(len(a.targets)))
		a.drawn[n] = arrival{due: due, target: uint32(i)}
		a.fetch(i)
		a.schedule.Pass()
	}
	return n
}

// fetch asks the memory for a target, if there is one of that number.
func (a *arrivals) fetch(i uint64) {
	if i < uint64(len(a.targets)) {
		slab.Prefetch(unsafe.Pointer(&a.targets[i]), 1)
	}
}

// paid takes what was fulfilled of a stream.
func (a *arrivals) paid(i uint64, amount stream.Amount, now int64) {
	t := &a.targets[i]
	for t.rest += amount; t.rest >= a.amount && t.n != 0; t.rest -= a.amount {
		if due := a.pop(t); due >= a.from && due < a.end {
			nullengine.Record(a.latency, now-due)
		}
	}
}

func (a *arrivals) push(t *target, due int64) bool {
	if a.out == len(a.waits)-1 {
		return false
	}
	a.out++
	if t.n < nearest { // then nobody waits behind them
		t.due[(t.first+t.n)%nearest] = due
		t.n++
		return true
	}
	k := a.free
	if k != 0 {
		a.free = a.waits[k].next
	} else {
		k = a.unwaited
		a.unwaited++
	}
	a.waits[k] = waiting{due: due}
	if t.tail != 0 {
		a.waits[t.tail].next = k
	} else {
		t.head = k
	}
	t.tail = k
	return true
}

// pop takes the oldest of those that wait; there must be one.
func (a *arrivals) pop(t *target) int64 {
	due := t.due[t.first]
	t.first = (t.first + 1) % nearest
	t.n--
	a.out--
	if k := t.head; k != 0 {
		w := &a.waits[k]
		t.due[(t.first+t.n)%nearest] = w.due
		t.n++
		if t.head = w.next; t.head == 0 {
			t.tail = 0
		}
		w.next, a.free = a.free, k
	}
	return due
}

// mark begins to measure.
func (a *arrivals) mark() {
	a.latency.Reset()
	a.lag.Reset()
	a.from, a.end, a.behind = a.now(), never, 0
}

// close ends both what is measured and the schedule, once.
func (a *arrivals) close() {
	if a.until == never {
		a.until = a.now()
		a.end = a.until
	}
}

// answered says whether everything was raised and answered.
func (a *arrivals) answered() bool { return a.schedule.Next() >= a.until && a.out == 0 }

// giveUp counts what was not answered among the latencies, with the age that it has,
// and says how much that was.
func (a *arrivals) giveUp() (unanswered uint64) {
	now := a.now()
	count := func(due int64) {
		if due >= a.from && due < a.end {
			nullengine.Record(a.latency, now-due)
			unanswered++
		}
	}
	for i := range a.targets {
		for t := &a.targets[i]; t.n != 0; {
			count(a.pop(t))
		}
	}
	for ; a.schedule.Next() < a.until; a.schedule.Pass() {
		count(a.schedule.Next())
	}
	return unanswered
}
