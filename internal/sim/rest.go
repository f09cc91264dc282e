package sim

import (
	"fmt"

	"github.com/millrace-ilp/millrace/engine/stream"
)

// finish lets nothing hold up what is under way: all limits are raised, all
// octets read.
func (n *node) finish() {
	n.lazy = false
	n.askAgain()
	for _, c := range n.conns {
		if c.closed {
			if !c.proof {
				n.letGo(c) // what it still buffers is nobody else's
			}
			continue
		}
		if c.ready {
			n.openPlanned(c)
		}
		for _, s := range c.streams {
			if !s.closed {
				n.open(s)
				n.write(s)
			}
			n.read(s)
		}
	}
	n.settle()
}

// atRest says whether a connection has nothing left to do, and else what.
func (n *node) atRest(c *appConn) (bool, string) {
	if c.closed {
		return true, ""
	}
	if c.oc.orphaned {
		return false, "its client's process has ended"
	}
	if c.oc.forgotten {
		return true, "" // one end knows less than the other
	}
	if len(c.plan) > 0 && c.client {
		return false, "streams are yet to be opened"
	}
	for _, s := range c.streams {
		if s.closed || s.released {
			continue
		}
		i, ok := n.d.m.StreamInfo(s.h)
		if !ok {
			continue
		}
		info, _ := n.d.m.ConnInfo(c.h)
		if rest := s.sendMax - uint64(i.Sent); rest > 0 && !dust(rest, &info) {
			return false, fmt.Sprintf("stream %d has sent %d of %d, holds %d, unknown %d; remote maximum %d, received %d", i.ID, i.Sent, s.sendMax, i.Held, i.Unknown, i.RemoteMax, i.RemoteReceived)
		}
		if i.Buffered > 0 || s.wrote < s.toWrite {
			return false, fmt.Sprintf("stream %d has %d octets buffered, %d of %d written", i.ID, i.Buffered, s.wrote, s.toWrite)
		}
	}
	return true, ""
}

// moved changes whenever a connection gets on.
func (n *node) moved(c *appConn) uint64 {
	info, _ := n.d.m.ConnInfo(c.h)
	x := uint64(info.Sent) + uint64(info.Received)*3
	for _, s := range c.streams {
		if i, ok := n.d.m.StreamInfo(s.h); ok {
			x += s.wrote*5 + uint64(i.Buffered)*7
		}
	}
	return x
}

// checkGuesses holds what a connection that is over counts as sent to what its
// peer has released: what became of unanswered packets was told by the peer's
// totals, which tell the truth where no rate changes and nobody lies.
func (n *node) checkGuesses(c *appConn) {
	w, f := n.w, c.out()
	info, ok := n.d.m.ConnInfo(c.h)
	if !ok || !w.oracle.honest || !w.constant() || !w.even() {
		return
	}
	if !f.source.atLeast(uint64(info.Sent)) {
		w.violate("M1", "%d is sent, but what was released cost %d: %s", info.Sent, f.source.lo, f.describe())
	}
}

// constant says that no rate changes.
func (w *World) constant() bool { return w.faults.on&(1<<RateStep|1<<RateDrift) == 0 }

// even says that every connector passes on what it gets.
func (w *World) even() bool {
	for _, k := range w.connectors {
		if k.num != k.den {
			return false
		}
	}
	return true
}

// dust says that an amount is too small to arrive as anything.
func dust(rest uint64, info *stream.ConnInfo) bool {
	if info.RateDen == 0 {
		return false
	}
	dest, ok := mulDiv(rest, info.RateNum, info.RateDen)
	return ok && dest == 0
}

// peerOf is the other end of a stream, if it is there.
func (w *World) peerOf(s *appStream) *appStream {
	other := s.c.out().dest
	for _, c := range other.conns {
		if c.oc == s.c.oc && c != s.c {
			for _, p := range c.streams {
				if p.id == s.id {
					return p
				}
			}
		}
	}
	return nil
}
