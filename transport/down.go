package transport

import (
	"encoding/binary"
	"errors"
	"io"

	"github.com/millrace-ilp/millrace/codec/btp"
	"github.com/millrace-ilp/millrace/pool"
	"github.com/millrace-ilp/millrace/transport/session"
	"github.com/millrace-ilp/millrace/transport/ws"
)

// takeAsks begins what Link.Close asked for.
func (lp *Loop) takeAsks() {
	if !lp.asked.Load() {
		return
	}
	lp.mu.Lock()
	asks := lp.asks
	lp.asks = nil
	lp.asked.Store(false)
	lp.mu.Unlock()
	for _, l := range asks {
		lp.closeLink(l, *l.ask.Load())
	}
}

// closeLink closes a link from this side.
func (lp *Loop) closeLink(l *Link, reason error) {
	if l.phase != linkUp || l.s.State() >= session.Closing {
		return
	}
	l.reason = reason
	l.s.Close(nil)
	lp.markDirty(l)
}

// beginClosing gives a link whose session is ending, from whichever side, the time
// that is left to it.
func (lp *Loop) beginClosing(l *Link) {
	if l.closing {
		return
	}
	l.closing = true
	if l.reason == nil {
		if l.reason = l.s.Err(); l.reason == nil {
			l.reason = ErrClosed
		}
	}
	l.closeBy = lp.now + int64(lp.cfg.CloseTimeout)
	lp.wheel.Set(l.slot, l.closeBy)
}

// timeUp is a link's timer: the peer is silent, or closing has taken too long.
func (lp *Loop) timeUp(l *Link) {
	switch {
	case l.phase != linkUp:
		return
	case l.closing:
		lp.drop(l, l.reason)
		return
	}
	l.s.Tick(lp.now)
	if l.s.State() < session.Closing {
		lp.wheel.Set(l.slot, l.s.NextTick())
	}
	lp.markDirty(l)
}

// drop ends a link at once. The handler is told when the wake-up is about to end,
// so never from inside another call.
func (lp *Loop) drop(l *Link, reason error) {
	if l.phase != linkUp {
		return
	}
	l.phase = linkDead
	// A link that was closing already keeps its reason, but for a peer that
	// would not let it.
	if l.reason == nil || errors.Is(reason, ErrOutboundLimit) || errors.Is(reason, ErrStalled) {
		l.reason = reason
	}
	if l.reason == nil {
		l.reason = io.EOF
	}
	if sock := l.sock; sock != nil {
		l.sock = nil
		l.kept = sock.close()
	}
	lp.wheel.Clear(l.slot)
	lp.downs = append(lp.downs, l)
}

// tellDown tells the handler of a link that ended, and frees it.
func (lp *Loop) tellDown(l *Link) {
	lp.links[l.slot] = nil
	lp.free = append(lp.free, l.slot)
	lp.live--
	ids := lp.ids[:0]
	for _, c := range l.kept {
		ids = appendRequests(ids, c.B)
	}
	for _, c := range l.s.Out.Chunks() {
		ids = appendRequests(ids, c.B)
	}
	ids = append(ids, l.unsent...)
	lp.ids = ids[:0]
	lp.handlerDown(l, ids)
	for _, c := range l.kept {
		c.Release()
	}
	if l.rest != nil {
		lp.rested -= len(l.rest.B)
		l.rest.Release()
	}
	l.kept, l.unsent, l.early, l.rest = nil, nil, nil, nil
	l.s.Release()
	close(l.done)
	if l.gone != nil {
		l.gone()
	}
}

// appendRequests appends the ids of the requests among the whole frames of b,
// which are our own, masked already or not.
func appendRequests(ids []uint32, b []byte) []uint32 {
	for len(b) > 0 {
		h, n := ws.FrameLen(b)
		if ws.Op(b[0]&0x0f) == ws.Binary && n >= 5 {
			var head [5]byte
			copy(head[:], b[h:])
			ws.Mask(head[:], ws.FrameKey(b, h))
			if btp.Type(head[0]) == btp.TypeMessage {
				ids = append(ids, binary.BigEndian.Uint32(head[1:]))
			}
		}
		b = b[h+n:]
	}
	return ids
}

// requestsBehind is appendRequests for output behind its first octets.
func requestsBehind(ids []uint32, chunks []*pool.Buf, octets int) []uint32 {
	for _, c := range chunks {
		if octets >= len(c.B) {
			octets -= len(c.B)
			continue
		}
		ids = appendRequests(ids, c.B[octets:])
		octets = 0
	}
	return ids
}
