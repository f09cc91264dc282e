package transport

import (
	"errors"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/millrace-ilp/millrace/codec/btp"
	"github.com/millrace-ilp/millrace/transport/ws"
)

func TestAPanickingHandlerLosesTheLinksItWroteToAndNothingElse(t *testing.T) {
	onBackends(t, func(t *testing.T, b Backend) {
		r := newRecorder(t)
		var told atomic.Int32
		cfg := LoopConfig{OnPanic: func(l *Link, value any, stack []byte) {
			if l != r.ups[0] || value != "boom" || len(stack) == 0 {
				t.Errorf("OnPanic was told %v of %p", value, l)
			}
			told.Add(1)
			panic("OnPanic too")
		}}
		lp, ln := listening(t, b, cfg, r)
		victim, written, bystander := login(t, ln, 0), login(t, ln, 0), login(t, ln, 0)
		r.link(2)
		r.do(lp, func() {
			r.packets = func(l *Link, in []Packet) {
				if in[0].ID != 1 {
					echo(l, in)
					return
				}
				fill(l.Reply(1, 100), 1)
				l.Request(50, 100) // never filled
				fill(r.ups[1].Request(60, 100), 60)
				panic("boom")
			}
			fill(r.ups[1].Request(59, 100), 59) // of an earlier call: it is whole
		})
		victim.send(victim.ilp(btp.TypeMessage, 1, []byte("prepare")))
		if got := victim.drain(btp.TypeResponse); len(got) != 0 || victim.code != ws.CodeInternal {
			t.Errorf("the victim got %v, close code %d", got, victim.code)
		}
		if got := written.drain(btp.TypeMessage); !slices.Equal(got, []uint32{59}) || written.code != ws.CodeInternal {
			t.Errorf("the link that was written to got %v, close code %d", got, written.code)
		}
		for i, unsent := range [][]uint32{{50}, {60}} {
			if f := r.fall(r.link(i)); !errors.Is(f.reason, ErrPanic) || !slices.Equal(f.unsent, unsent) {
				t.Errorf("link %d: %+v", i, f)
			}
		}
		bystander.send(bystander.ilp(btp.TypeMessage, 2, []byte("prepare")))
		if p := bystander.next(); p.RequestID() != 2 {
			t.Errorf("the bystander got %d", p.RequestID())
		}
		if s := lp.Stats(); told.Load() != 1 || s.Panics != 1 || s.Links != 1 {
			t.Errorf("told %d times, %+v", told.Load(), s)
		}
	})
}

func TestPanicsOfEveryHandlerMethodAreCaught(t *testing.T) {
	onBackends(t, func(t *testing.T, b Backend) {
		r := newRecorder(t)
		r.up = func(*Link) { panic("up") }
		r.down = func(*Link, []uint32, error) { panic("down") }
		lp, ln := listening(t, b, LoopConfig{}, r)
		c := connect(t, ln, 0)
		c.send(c.auth("secret"))
		c.ended()
		if c.code != ws.CodeInternal {
			t.Errorf("close code %d", c.code)
		}
		r.fall(r.link(0))
		r.mu.Lock()
		r.wake = func() { panic("wake") }
		r.mu.Unlock()
		lp.Wake()
		r.await("three panics", func() bool { return lp.Stats().Panics == 3 })
		r.do(lp, func() { r.up, r.down = nil, nil })
		login(t, ln, 0) // the loop is well
	})
}

// A fault in our own parsers costs the link that showed it, without a word more.
func TestAPanicBelowTheHandlerDropsTheLink(t *testing.T) {
	onBackends(t, func(t *testing.T, b Backend) {
		r := newRecorder(t)
		lp, ln := listening(t, b, LoopConfig{}, r)
		c := login(t, ln, 0)
		l := r.link(0)
		r.do(lp, func() { lp.vec = nil; lp.caughtTest(l) })
		if f := r.fall(l); !errors.Is(f.reason, ErrPanic) {
			t.Errorf("reason %v", f.reason)
		}
		if c.ended(); c.code != 0 {
			t.Errorf("close code %d", c.code)
		}
	})
}

// caughtTest panics as a parser would: outside any call of the handler.
func (lp *Loop) caughtTest(l *Link) {
	defer func(calling bool) { lp.calling = calling }(lp.calling)
	lp.calling = false
	defer lp.caught(l)
	panic("parser")
}

func TestAPanickingAuthenticateCostsOneSocket(t *testing.T) {
	onBackends(t, func(t *testing.T, b Backend) {
		r := newRecorder(t)
		lp := startLoop(t, b, LoopConfig{}, r)
		first := true
		ln := startListener(t, lp, ListenConfig{Authenticate: func([]byte, []byte) (any, int, error) {
			if first {
				first = false
				panic("boom")
			}
			return nil, 0, nil
		}})
		victim := connect(t, ln, 0)
		victim.send(victim.auth("secret"))
		victim.drain(btp.TypeResponse)
		login(t, ln, 0)
		if n := lp.Stats().Panics; n != 1 {
			t.Errorf("%d panics", n)
		}
	})
}

func TestAPanickingOnStateChangesNothing(t *testing.T) {
	onBackends(t, func(t *testing.T, b Backend) {
		lp, ln := listening(t, b, LoopConfig{}, newRecorder(t))
		d := dialTo(t, lp, ln, DialConfig{OnState: func(State, error) { panic("boom") }})
		if d.Link() == nil {
			t.Error("no link")
		}
	})
}
