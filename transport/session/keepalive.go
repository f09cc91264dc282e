package session

import (
	"math"

	"github.com/millrace-ilp/millrace/transport/ws"
)

// Tick looks how long the peer has been silent: it puts a ping into the output, or
// gives the peer up and closes the session with ErrDead.
func (s *Session) Tick(now int64) {
	s.now = now
	if s.state >= Closing {
		return
	}
	if s.deadNs > 0 && now-s.heard >= s.deadNs {
		s.Fail(ErrDead)
		return
	}
	if s.pingNs > 0 && now-max(s.heard, s.pinged) >= s.pingNs {
		s.pinged = now
		s.frame(ws.Ping, nil)
	}
}

// NextTick is when Tick wants to be called next, in Unix ns, if nothing comes in
// before: a caller may wake then, ask again, and sleep on.
func (s *Session) NextTick() int64 {
	next := int64(math.MaxInt64)
	if s.state >= Closing {
		return next
	}
	if s.deadNs > 0 {
		next = s.heard + s.deadNs
	}
	if s.pingNs > 0 {
		next = min(next, max(s.heard, s.pinged)+s.pingNs)
	}
	return next
}
