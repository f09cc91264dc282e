package transport

import (
	"sync/atomic"

	"github.com/millrace-ilp/millrace/pool"
	"github.com/millrace-ilp/millrace/transport/session"
	"github.com/millrace-ilp/millrace/transport/ws"
)

// maxILP bounds an ILP packet that a link carries: a whole BTP packet has to fit
// the peer's limit, which is taken to be ours.
const maxILP = ws.DefaultMaxMessage - session.FrameOverhead

type linkPhase uint8

const (
	linkNew  linkPhase = iota // not on its loop yet
	linkUp                    // until its socket is gone, closing included
	linkDead                  // nothing goes in or out
)

// Link is one authenticated BTP session on one loop. Methods are for the loop's
// goroutine only, that is for inside a Handler's methods, unless they say
// otherwise. A Link is never used again for another peer.
type Link struct {
	// Tag is free for the layer above. Loop only.
	Tag uint64

	loop    *Loop
	s       *session.Session
	sock    socket // nil before it is enrolled and after it has closed
	phase   linkPhase
	server  bool
	isDirty bool
	waits   bool // in Loop.waiting
	rests   bool // in Loop.resting
	full    bool // its output reached the hard cap
	closing bool // closeBy is set
	slot    uint32

	pending    int    // Link.sock.pending when last asked
	handed     uint64 // octets handed to the socket, ever
	left       uint64 // of those, how many had left when progress was seen
	progressAt int64
	closeBy    int64

	call  uint64 // the handler call that mark is for
	mark  int    // octets in the output before it
	limit int    // of octets in the output before one more ILP packet and with it

	reason  error
	unsent  []uint32    // of output that a panic made void
	kept    []*pool.Buf // what the socket had not begun to send
	early   []byte      // came in behind the credentials
	rest    *pool.Buf   // came in and was not looked at yet
	opened  atomic.Bool // the backend has opened the socket
	ask     atomic.Pointer[error]
	done    chan struct{}
	stats   LinkStats
	account any
	context any
	remote  string
	gone    func() // tells the Listener
}

// LinkStats counts what one link did.
type LinkStats struct {
	FramesIn, FramesOut uint64 // WebSocket frames
	OctetsIn, OctetsOut uint64 // on the wire, without the handshake
	Reads, Writes       uint64 // system calls, or what stands for one in the backend
}

// Room is how many octets of ILP packets may still be written before the
// high-water mark, what waits for the kernel included. At 0 or below refuse new
// work; answers still go out, up to the hard cap. Nothing but what the handler writes
// and Flush takes room away before the handler returns, not even Close.
func (l *Link) Room() int {
	if l.phase != linkUp || l.s.State() != session.Up {
		return 0
	}
	return l.loop.cfg.HighWater - l.pending - l.s.Out.Len()
}

// Request reserves a Message with an ILP packet of n octets in the link's output,
// under a request id of the caller's choice, which must not be in use on this link.
// The caller fills the octets, which do not move, before the handler returns. It
// is nil, and nothing is sent, when the link is closed or closing, when n is not
// within 0 and about 64 KiB, and when the link's output is at the hard cap: then
// the link is closed.
func (l *Link) Request(id uint32, n int) []byte {
	if !l.ready(n) && !l.admit(n) {
		return nil
	}
	return l.s.Request(id, n)
}

// Reply is Request for a Response: the answer to the peer's request of that id.
func (l *Link) Reply(id uint32, n int) []byte {
	if !l.ready(n) && !l.admit(n) {
		return nil
	}
	return l.s.Reply(id, n)
}

// Flush hands what was written to the link over to its socket, while the handler goes on
// with others: their packets need not be ready for these to leave. All of it must be whole,
// for if the handler panics later, it has been sent. Without Flush it is handed over when
// the handler has returned; so is little output behind some that the kernel has not taken
// yet. The link may be gone afterwards, as when the peer has reset it: Room is 0 then,
// Request and Reply are nil, and LinkDown follows. From within the handler only.
func (l *Link) Flush() {
	if l.phase != linkUp || l.s.State() != session.Up || l.s.Out.Len() == 0 {
		return
	}
	listed := l.isDirty
	l.loop.flush(l)
	l.isDirty = listed
	l.call = 0 // what it may write has changed
}

// ready says that the link takes one more packet. It may say no of the first in a
// handler call; ask admit then.
func (l *Link) ready(n int) bool {
	return l.call == l.loop.call && uint(n) <= maxILP && l.s.Out.Len()+n <= l.limit
}

// admit makes the link ready for one more packet if it can be. In a handler call,
// nothing takes that back but what is written.
func (l *Link) admit(n int) bool {
	if l.phase != linkUp || uint(n) > maxILP {
		return false
	}
	waits := l.s.Out.Len()
	if lp := l.loop; l.call != lp.call {
		l.call, l.mark = lp.call, waits
		l.limit = lp.cfg.HardCap - l.pending - session.FrameOverhead
		lp.touched = append(lp.touched, l)
		lp.markDirty(l)
	}
	if waits+n > l.limit {
		l.full = true
		return false
	}
	return true
}

// Close closes the link: what was written is sent, then a WebSocket close frame,
// and TCP is closed when the peer has answered, or after LoopConfig.CloseTimeout.
// Until then answers to our own requests still come in; requests and replies are
// not taken any more. All of it begins when the handler call that is running has
// returned: what that accepted it can answer. The handler's LinkDown gets reason; nil
// means ErrClosed. Only the first call counts. Any goroutine.
func (l *Link) Close(reason error) {
	if reason == nil {
		reason = ErrClosed
	}
	if !l.ask.CompareAndSwap(nil, &reason) {
		return
	}
	lp := l.loop
	lp.mu.Lock()
	lp.asks = append(lp.asks, l)
	lp.asked.Store(true)
	lp.mu.Unlock()
	lp.post(wakeAsks)
}

// Done is closed after the handler's LinkDown. Any goroutine.
func (l *Link) Done() <-chan struct{} { return l.done }

// Account is what ListenConfig.Authenticate said; nil on the dialing side. Any
// goroutine.
func (l *Link) Account() any { return l.account }

// Context is DialConfig.Context; nil on the accepting side. Any goroutine.
func (l *Link) Context() any { return l.context }

// Loop is the loop that the link is on, for life. Any goroutine.
func (l *Link) Loop() *Loop { return l.loop }

// RemoteAddr is the peer's network address. Any goroutine.
func (l *Link) RemoteAddr() string { return l.remote }

// Server reports whether the peer dialed us. Any goroutine.
func (l *Link) Server() bool { return l.server }

// Stats is what the link has counted so far.
func (l *Link) Stats() LinkStats {
	s := l.stats
	s.FramesIn, s.FramesOut = l.s.FramesIn(), l.s.Out.Frames()
	return s
}
