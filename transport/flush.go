package transport

import (
	"time"

	"github.com/millrace-ilp/millrace/transport/session"
)

const (
	// gather is how much output of a link is worth handing over while the kernel
	// does not take what it was given before.
	gather = 64 << 10
	// early is how much output of a link that has its loop to itself is handed over
	// before the rest of its octets are worked on: about a vector's. Where there are
	// several links their other ends have enough to do meanwhile; here it would wait.
	early = 8 << 10
	// tickNs is how often links whose output waits are looked at: the backend
	// does not say when a socket is writable again.
	tickNs = int64(2 * time.Millisecond)
	// slowTickNs is the same when none of them has moved for a while.
	slowTickNs = int64(20 * time.Millisecond)
	// reseedAfter is how many octets one seed of masking keys is good for.
	reseedAfter = 1 << 30
)

func (lp *Loop) markDirty(l *Link) {
	if !l.isDirty {
		l.isDirty = true
		lp.dirty = append(lp.dirty, l)
	}
}

// flushDirty flushes the links that were written to. Of one read of several that the
// backend has at hand, only the link that was read is: what went to others waits until
// all reads are worked on, so that each link has one write for all of them.
func (lp *Loop) flushDirty() {
	later := 0
	for i := 0; i < len(lp.dirty); i++ {
		l := lp.dirty[i]
		if lp.reading != nil && l != lp.reading && l.s.State() < session.Closing && l.s.Out.Len() < gather {
			lp.dirty[later] = l
			later++
			continue
		}
		lp.flush(l)
	}
	clear(lp.dirty[later:])
	lp.dirty = lp.dirty[:later]
	if later > 0 {
		lp.post(wakeFlush)
	}
}

// flush sends what was written to a link in this wake-up, with one write, and
// takes the link's closing further.
func (lp *Loop) flush(l *Link) {
	l.isDirty = false
	if l.phase != linkUp {
		return
	}
	if l.s.State() >= session.Closing {
		lp.beginClosing(l)
	}
	if l.s.Out.Len() > 0 {
		if l.waits {
			l.pending = l.sock.pending()
		}
		if l.pending == 0 || l.s.Out.Len() >= gather {
			lp.handOver(l)
		}
	}
	lp.settle(l)
}

// handOver gives all of a link's output to its socket.
func (lp *Loop) handOver(l *Link) {
	frames := l.s.Out.Frames()
	lp.stats.FramesOut += frames - l.stats.FramesOut
	l.stats.FramesOut = frames
	octets := l.s.Out.Len()
	chunks := l.s.Out.Take(lp.chunks[:0])
	lp.chunks = chunks
	if !l.server {
		if lp.masked += octets; lp.masked > reseedAfter {
			lp.keys, lp.masked = newKeys(), 0
		}
		for _, c := range chunks {
			l.s.MaskOut(c.B, lp.keys)
		}
	}
	l.stats.Writes++
	lp.stats.Writes++
	l.stats.OctetsOut += uint64(octets)
	lp.stats.OctetsOut += uint64(octets)
	l.handed += uint64(octets)
	l.sock.write(chunks)
	clear(chunks)
	if l.sock != nil { // the write did not fail
		l.pending = l.sock.pending()
	}
}

// settle looks where a link's output stands: over the cap, waiting, or all gone.
func (lp *Loop) settle(l *Link) {
	waits := l.pending + l.s.Out.Len()
	switch {
	case l.phase != linkUp:
	case l.full || waits > lp.cfg.HardCap:
		lp.drop(l, ErrOutboundLimit)
	case waits > 0:
		if !l.waits {
			l.waits = true
			l.left, l.progressAt = l.handed-uint64(l.pending), lp.now
			lp.waiting = append(lp.waiting, l)
			lp.tickAt = min(lp.tickAt, lp.now+tickNs)
		}
	case l.s.State() == session.Closed:
		lp.drop(l, l.reason)
	}
}

// tick looks at every link whose output waits.
func (lp *Loop) tick() {
	kept := lp.waiting[:0]
	interval := slowTickNs
	for _, l := range lp.waiting {
		if l.phase != linkUp {
			l.waits = false
			continue
		}
		l.pending = l.sock.pending()
		if left := l.handed - uint64(l.pending); left > l.left {
			l.left, l.progressAt = left, lp.now
		}
		if lp.now-l.progressAt >= int64(lp.cfg.StallTimeout) {
			l.waits = false
			lp.drop(l, ErrStalled)
			continue
		}
		if l.s.Out.Len() > 0 {
			lp.handOver(l)
		}
		if l.pending == 0 && l.s.Out.Len() == 0 || l.phase != linkUp {
			l.waits = false
			lp.settle(l)
			continue
		}
		if lp.now-l.progressAt < 10*slowTickNs {
			interval = tickNs
		}
		kept = append(kept, l)
		lp.settle(l)
	}
	clear(lp.waiting[len(kept):])
	lp.waiting = kept
	lp.tickAt = never
	if len(kept) > 0 {
		lp.tickAt = lp.now + interval
	}
}
