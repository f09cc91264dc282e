package transport

import (
	"net"
	"time"

	"github.com/millrace-ilp/millrace/transport/session"
)

// A wake-up of the loop is begin, work, finish. The backend calls opened, read,
// lost and woken, one at a time; lost may also come from inside a wake-up, because a
// write that fails closes the socket there and then.

func (lp *Loop) begin() {
	lp.inside = true
	lp.stats.Wakes++
	now := lp.clock.begin()
	// Small steps back of the system's clock do not turn ours.
	if now > lp.now || lp.now-now > int64(time.Second) {
		lp.now = now
	}
}

// finish runs what has come due, hands over what was written, and tells of the
// links that ended, until nothing of it is left.
func (lp *Loop) finish() {
	lp.expire()
	for {
		lp.takeAsks()
		lp.flushDirty()
		if len(lp.downs) == 0 {
			break
		}
		l := lp.downs[0]
		lp.downs[0] = nil
		if lp.downs = lp.downs[1:]; len(lp.downs) == 0 {
			lp.downs = nil
		}
		lp.tellDown(l)
	}
	if len(lp.resting) > 0 {
		lp.post(wakeRest)
	}
	lp.rearm()
	lp.publish()
	lp.inside, lp.reading = false, nil
	if lp.closing && lp.live == 0 {
		select {
		case <-lp.idle:
		default:
			close(lp.idle)
		}
	}
}

// enroll hands an authenticated socket to the loop. Not to be called on the loop.
func (lp *Loop) enroll(l *Link, conn net.Conn) error {
	lp.mu.Lock()
	if lp.shut {
		lp.mu.Unlock()
		_ = conn.Close()
		return ErrLoopClosed
	}
	lp.enrolling++
	lp.mu.Unlock()
	err := lp.driver.enroll(l, conn)
	lp.mu.Lock()
	if lp.enrolling--; lp.enrolling == 0 {
		lp.enrolled.Broadcast()
	}
	lp.mu.Unlock()
	return err
}

// opened takes a link in. It is false when the loop has no room, and the backend
// closes the socket.
func (lp *Loop) opened(l *Link, s socket) bool {
	lp.begin()
	defer lp.finish()
	n := len(lp.free)
	switch {
	case n > 0:
		l.slot, lp.free = lp.free[n-1], lp.free[:n-1]
		lp.links[l.slot] = l
	case len(lp.links) > maxLinks:
		return false
	default:
		l.slot = uint32(len(lp.links))
		lp.links = append(lp.links, l)
	}
	lp.live++
	l.sock, l.phase = s, linkUp
	l.s.Tick(lp.now)
	lp.wheel.Set(l.slot, l.s.NextTick())
	lp.markDirty(l) // a server's yes is in the output
	lp.handlerUp(l)
	early := l.early
	l.early = nil // the handshake's buffer, even if nothing of it is left
	if len(early) > 0 {
		lp.take(l, early)
	}
	return true
}

// read is the octets of one read of a link's socket. They are borrowed.
func (lp *Loop) read(l *Link, b []byte) {
	if l.phase != linkUp {
		return
	}
	lp.begin()
	lp.alone = lp.last == l
	lp.reading, lp.last = l, l
	l.stats.Reads++
	lp.stats.Reads++
	lp.take(l, b)
	lp.finish()
}

// take works on octets that came in.
func (lp *Loop) take(l *Link, b []byte) {
	l.stats.OctetsIn += uint64(len(b))
	lp.stats.OctetsIn += uint64(len(b))
	if l.pending > 0 && l.sock != nil {
		l.pending = l.sock.pending()
	}
	if l.rest != nil {
		lp.goOn(l, b, true)
		return
	}
	lp.work(l, b, true)
}

// work is take without what is counted once for each read.
func (lp *Loop) work(l *Link, b []byte, sliced bool) {
	before := l.s.FramesIn()
	lp.deliver(l, b, sliced)
	lp.stats.FramesIn += l.s.FramesIn() - before
	if l.s.Out.Len() > 0 || l.s.State() >= session.Closing {
		lp.markDirty(l)
	}
}

// deliver splits octets into vectors for the handler.
func (lp *Loop) deliver(l *Link, b []byte, sliced bool) {
	defer lp.caught(l)
	l.s.Feed(lp.now, b)
	for {
		if l.ask.Load() != nil {
			lp.takeAsks() // the requests of this vector could not be answered
		}
		vec := l.s.Packets(lp.vec[:0])
		if len(vec) == 0 {
			break
		}
		lp.enter()
		lp.handler.Packets(l, vec)
		lp.calling = false
		if l.phase != linkUp {
			return
		}
		if lp.alone && l.s.Out.Len() >= early {
			if lp.flush(l); l.phase != linkUp {
				return
			}
		}
		if sliced && l.s.Unread() && lp.sliceOver() {
			lp.rest(l)
			break
		}
	}
	l.s.EndRead()
}

// enter begins a call of the handler.
func (lp *Loop) enter() {
	lp.calling = true
	lp.call++
	lp.touched = lp.touched[:0]
}

func (lp *Loop) handlerUp(l *Link) {
	defer lp.caught(l)
	lp.enter()
	lp.handler.LinkUp(l)
	lp.calling = false
}

func (lp *Loop) handlerDown(l *Link, unsent []uint32) {
	defer lp.caught(nil)
	lp.enter()
	lp.handler.LinkDown(l, unsent, l.reason)
	lp.calling = false
}

func (lp *Loop) handlerWake() {
	defer lp.caught(nil)
	lp.enter()
	lp.handler.Wake()
	lp.calling = false
}

// lost says that a link's socket has closed by itself.
func (lp *Loop) lost(l *Link, err error) {
	if l.phase != linkUp {
		return
	}
	l.sock = nil
	if lp.inside {
		lp.drop(l, err)
		return
	}
	lp.begin()
	if l.rest != nil {
		lp.alone = false
		if lp.goOn(l, nil, false); l.s.State() >= session.Closing {
			lp.beginClosing(l) // which knows why
		}
	}
	lp.drop(l, err)
	lp.finish()
}

// woken answers post.
func (lp *Loop) woken() {
	lp.begin()
	bits := lp.wakes.Swap(0)
	if bits&wakeTimer != 0 {
		lp.armedAt = never
	}
	if bits&wakeTick != 0 {
		lp.tickAt = lp.now
	}
	if bits&wakeClose != 0 {
		lp.closing = true
		for _, l := range lp.links[1:] {
			if l != nil {
				lp.closeLink(l, ErrLoopClosed)
			}
		}
	}
	if bits&wakeAbort != 0 {
		for _, l := range lp.links[1:] {
			if l != nil {
				lp.drop(l, ErrLoopClosed)
			}
		}
	}
	if bits&wakeRest != 0 {
		lp.resume()
	}
	if bits&wakeHandler != 0 {
		lp.handlerWake()
	}
	lp.finish()
}

// expire runs what has come due: WakeAt, links whose output waits, links' timers.
func (lp *Loop) expire() {
	if lp.wakeAt <= lp.now {
		lp.wakeAt = never
		lp.handlerWake()
	}
	if lp.tickAt <= lp.now {
		lp.tick()
	}
	if at, ok := lp.wheel.Next(); ok && at <= lp.now {
		for {
			slot, ok := lp.wheel.PopExpired(lp.now)
			if !ok {
				break
			}
			if l := lp.links[slot]; l != nil {
				lp.timeUp(l)
			}
		}
	}
}

// rearm sets the timer to what comes next. It is left alone when it goes off
// earlier: then the loop looks again.
func (lp *Loop) rearm() {
	next := min(lp.wakeAt, lp.tickAt)
	if at, ok := lp.wheel.Next(); ok {
		next = min(next, at)
	}
	if next < lp.armedAt {
		lp.armedAt = next
		lp.timer.Reset(max(0, time.Duration(next-lp.now)))
	}
}
