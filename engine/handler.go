package engine

import (
	"fmt"
	"runtime"
	"strings"

	"github.com/millrace-ilp/millrace/codec/frame"
	"github.com/millrace-ilp/millrace/engine/stream"
)

// Handler is the door on the loop: it is called on the event loop with what happened
// to its connections during one wake-up. lp and events are good only during the
// call. It must not block, and so must not call the blocking door.
//
// Of the machine it may call
//
//   - ConnInfo, Streams, OpenStream, CloseConn, DestroyConn, SetConnUser, SharedSecret;
//   - StreamInfo, SetSendMax, SetDeliverMax, SetReceiveMax, Read, Write, CloseStream,
//     DestroyStream, SetStreamUser;
//   - HoldInfo, Decide, Refuse;
//   - Staged and Committed, if Config.Machine.Ledger is set and Config.Ledger is not;
//   - LinkInfo, LinkIdle, Stats, RoundTrips, Fetch.
//
// All else is the engine's: it transmits after the call, and releases what is closed. So
// read what a stream still holds when its EventStreamClosed comes.
//
// One Handler may serve connections on many loops: it is then called by several
// goroutines at once. One that panics loses the connections of that call's events, with
// InternalError; a panic inside the machine stops the shard.
type Handler interface {
	// HandleEvents is told of at least one event, oldest first.
	HandleEvents(lp *OnLoop, events []stream.Event)
}

// HandlerFunc is a function as a Handler.
type HandlerFunc func(lp *OnLoop, events []stream.Event)

// HandleEvents calls f.
func (f HandlerFunc) HandleEvents(lp *OnLoop, events []stream.Event) { f(lp, events) }

// OnLoop is a shard, for code that runs on its loop.
type OnLoop struct{ s *shard }

// Machine is the shard's machine. Handler says what may be called.
func (lp *OnLoop) Machine() *stream.Machine { return lp.s.m }

// Now is the time that the wake-up began, for the machine's methods.
func (lp *OnLoop) Now() stream.Instant { return lp.s.now() }

// Output is where the machine's Decide, Refuse and Committed put packets.
func (lp *OnLoop) Output() stream.Output { return lp.s }

// Shard is the number of the loop, from 0.
func (lp *OnLoop) Shard() int { return lp.s.index }

// Later runs f on this loop, once the loop has served what its links have at hand: who
// has much to do does it in pieces and lets others in between. It may be called again in
// f. What waits when the engine closes is dropped.
func (lp *OnLoop) Later(f func(lp *OnLoop)) {
	lp.s.later = append(lp.s.later, f)
	lp.s.loop.Wake()
}

// callHandler hands a run of events to the Handler of a door, and lets go of what is over.
func (s *shard) callHandler(door uint32, events []stream.Event) {
	s.tell(s.doors.At(door).handler, events)
	for i := range events {
		switch e := &events[i]; e.Kind {
		case stream.EventStreamClosed:
			s.releaseStream(e.Stream)
		case stream.EventSettled:
			s.settled(nil, e)
		case stream.EventClosed:
			s.releaseConn(e.Conn)
		}
	}
}

// tell calls a Handler. One that panics loses the connections that it was told of;
// but what panics inside the machine has left it half changed, and stops the shard.
func (s *shard) tell(h Handler, events []stream.Event) {
	s.inHandler = true
	defer func() {
		s.inHandler = false
		r := recover()
		if r == nil {
			return
		}
		if panickedInMachine() {
			panic(r)
		}
		s.e.log.Error("a Handler panicked", "panic", fmt.Sprint(r))
		for i := range events {
			_ = s.m.DestroyConn(s.now(), events[i].Conn, frame.InternalError, "")
		}
	}()
	h.HandleEvents(&s.onLoop, events)
}

// panickedInMachine says, while a Handler's panic is recovered, whether a function
// of the machine was running.
func panickedInMachine() bool {
	var pcs [64]uintptr
	for skip := 1; ; skip += len(pcs) {
		n := runtime.Callers(skip, pcs[:])
		for frames, more := runtime.CallersFrames(pcs[:n]), n > 0; more; {
			var f runtime.Frame
			f, more = frames.Next()
			switch {
			case strings.Contains(f.Function, "/engine/stream.(*Machine)."):
				return true
			case strings.HasSuffix(f.Function, "/engine.(*shard).tell"):
				return false
			}
		}
		if n < len(pcs) {
			return false
		}
	}
}
