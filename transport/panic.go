package transport

import (
	"fmt"
	"runtime/debug"

	"github.com/millrace-ilp/millrace/transport/session"
)

// caught ends a panic of the handler, or of the parsers below it, where it began:
// at one link. It is deferred around each call of them.
//
// Of what the handler wrote in that call nobody knows which packets are whole, so
// none of it is sent, and the links it wrote to are closed; their LinkDown reports
// those requests as unsent.
func (lp *Loop) caught(l *Link) {
	value := recover()
	if value == nil {
		return
	}
	stack := debug.Stack()
	lp.stats.Panics++
	lp.cfg.Logger.Error("transport: panic", "loop", lp.index, "value", fmt.Sprint(value), "stack", string(stack))
	if lp.calling {
		lp.calling = false
		for _, t := range lp.touched {
			lp.void(t)
		}
		lp.touched = lp.touched[:0]
		if l != nil {
			lp.failLink(l)
		}
	} else if l != nil {
		lp.drop(l, ErrPanic) // a parser: nothing of its state is to be trusted
	}
	if lp.cfg.OnPanic != nil {
		func() {
			defer func() { _ = recover() }() // it has had its say
			lp.cfg.OnPanic(l, value, stack)
		}()
	}
}

// shielded ends a panic on a goroutine of the transport's own: of a callback or
// a parser before a link is on its loop. It is deferred; err is set.
func (lp *Loop) shielded(err *error) {
	value := recover()
	if value == nil {
		return
	}
	stack := debug.Stack()
	lp.offLoop.Add(1)
	lp.cfg.Logger.Error("transport: panic", "loop", lp.index, "value", fmt.Sprint(value), "stack", string(stack))
	*err = fmt.Errorf("%w: %v", ErrPanic, value)
}

// void discards what was written to a link in the call that panicked, and closes
// the link.
func (lp *Loop) void(l *Link) {
	if l.phase != linkUp || l.call != lp.call {
		return
	}
	l.unsent = requestsBehind(l.unsent, l.s.Out.Chunks(), l.mark)
	l.s.Out.Cut(l.mark)
	lp.failLink(l)
}

// failLink closes a link for a panic; nothing more is read from it.
func (lp *Loop) failLink(l *Link) {
	if l.phase != linkUp {
		return
	}
	if l.reason == nil {
		l.reason = ErrPanic
	}
	l.s.Fail(session.ErrInternal)
	lp.markDirty(l)
}
