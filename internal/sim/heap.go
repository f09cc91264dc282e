package sim

import (
	"hash/fnv"
	"math/rand/v2"
)

// eventKind says what an event does.
type eventKind uint8

const (
	evDeliver   eventKind = iota + 1 // a pipe hands over what has arrived
	evTimer                          // a node's machine wants HandleTimeout
	evConnect                        // a node opens a connection
	evApp                            // a node's application does something
	evCommit                         // a node's disk has synced
	evDecide                         // a node's application decides about a hold
	evLinkLost                       // a node learns that its socket is gone
	evLinkUp                         // a node has a socket again
	evCut                            // a socket is cut
	evSocketUp                       // a socket is there again
	evBlackHole                      // a socket swallows everything, or stops doing so
	evEmit                           // a connector sends what it has held back
	evSweep                          // a connector looks for what has expired
	evDrift                          // a connector changes a rate or a limit
	evJump                           // a node's clock jumps
	evPhase                          // the next phase begins
	evCrash                          // a node's process ends
	evRestart                        // and starts again
	evMove                           // a node's address changes
	evStorm                          // a socket is cut, and back at once
	evTrickle                        // a socket becomes slow, or fast again
	evProbe                          // the world looks whether it has come to rest
)

// event is one thing that will happen.
type event struct {
	at   int64  // virtual ns
	tie  uint32 // random, among events of one instant
	who  int32  // node, connector or socket
	ord  uint64 // number of insertion
	arg  uint64
	kind eventKind
	boot uint32 // of the node that it is for
	m    *message
}

func (a *event) before(b *event) bool {
	if a.at != b.at {
		return a.at < b.at
	}
	if a.tie != b.tie {
		return a.tie < b.tie
	}
	return a.ord < b.ord
}

// eventHeap is a binary heap of events.
type eventHeap []event

func (h *eventHeap) push(e event) {
	*h = append(*h, e)
	q := *h
	i := len(q) - 1
	for i > 0 {
		up := (i - 1) / 2
		if !q[i].before(&q[up]) {
			break
		}
		q[i], q[up] = q[up], q[i]
		i = up
	}
}

func (h *eventHeap) pop() event {
	q := *h
	top := q[0]
	last := len(q) - 1
	q[0] = q[last]
	q[last] = event{}
	q = q[:last]
	*h = q
	for i := 0; ; {
		c := 2*i + 1
		if c >= len(q) {
			break
		}
		if c+1 < len(q) && q[c+1].before(&q[c]) {
			c++
		}
		if !q[c].before(&q[i]) {
			break
		}
		q[i], q[c] = q[c], q[i]
		i = c
	}
	return top
}

// fork makes the generator of the part of a world that has the name.
func fork(seed uint64, name string) *rand.Rand {
	h := fnv.New64a()
	h.Write([]byte(name))
	return rand.New(rand.NewPCG(seed, h.Sum64()))
}

// logUniform draws from lo to hi so that every magnitude is as likely.
func logUniform(r *rand.Rand, lo, hi uint64) uint64 {
	if lo >= hi {
		return lo
	}
	for {
		bitsLo, bitsHi := bitLen(lo), bitLen(hi)
		n := bitsLo + r.IntN(bitsHi-bitsLo+1)
		var v uint64
		if n > 0 {
			v = 1<<(n-1) | r.Uint64()&(1<<(n-1)-1)
		}
		if v >= lo && v <= hi {
			return v
		}
	}
}

func bitLen(v uint64) int {
	n := 0
	for ; v > 0; v >>= 1 {
		n++
	}
	return n
}

// between draws from lo to hi inclusive.
func between(r *rand.Rand, lo, hi int64) int64 {
	if hi <= lo {
		return lo
	}
	return lo + r.Int64N(hi-lo+1)
}
