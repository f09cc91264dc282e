package transport

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"github.com/millrace-ilp/millrace/codec/btp"
	"github.com/millrace-ilp/millrace/transport/session"
	"github.com/millrace-ilp/millrace/transport/ws"
)

func TestTwoEndsExchangePacketsBothWays(t *testing.T) {
	const each = 2000
	onBackends(t, func(t *testing.T, b Backend) {
		var asked, answered [2]atomic.Int64
		end := func(i int) *recorder {
			r := newRecorder(t)
			send := func(l *Link) {
				for asked[i].Load() < each && asked[i].Load()-answered[i].Load() < 256 {
					id := uint32(asked[i].Add(1))
					fill(l.Request(id, 50+int(id)%500), id)
				}
			}
			r.up = func(l *Link) { send(l) }
			r.packets = func(l *Link, in []Packet) {
				echo(l, in)
				for _, p := range in {
					if p.Kind == Request {
						continue
					}
					if p.Kind != Response || len(p.ILP) != 50+int(p.ID)%500 || !filled(p.ILP, p.ID) {
						t.Errorf("answer %d is of kind %d, %d octets", p.ID, p.Kind, len(p.ILP))
					}
					answered[i].Add(1)
				}
				send(l)
			}
			return r
		}
		server, client := end(0), end(1)
		lp, ln := listening(t, b, LoopConfig{}, server)
		clp := startLoop(t, b, LoopConfig{}, client)
		d := dialTo(t, clp, ln, DialConfig{Context: "ctx"})
		for i, r := range []*recorder{server, client} {
			r.await("all answers", func() bool { return answered[i].Load() == each })
		}
		sl, cl := server.link(0), client.link(0)
		if sl.Account() != "alice" || sl.Context() != nil || !sl.Server() || sl.Loop() != lp || sl.RemoteAddr() == "" {
			t.Errorf("the accepting side's link: account %v, server %v", sl.Account(), sl.Server())
		}
		if cl.Account() != nil || cl.Context() != "ctx" || cl.Server() || cl.RemoteAddr() != ln.Addr().String() || d.Link() != cl {
			t.Errorf("the dialing side's link: context %v, peer %s", cl.Context(), cl.RemoteAddr())
		}
		// The clock of a test machine decides how many frames meet in a write, but
		// one write a frame would mean that nothing is gathered.
		server.await("counters", func() bool { s := lp.Stats(); return s.FramesOut >= 2*each && s.FramesIn >= 2*each })
		if s := lp.Stats(); s.FramesPerWrite() < 2 || s.Links != 1 {
			t.Errorf("loop: %+v", s)
		}
		if err := d.Close(); err != nil {
			t.Error(err)
		}
		if f := client.fall(cl); !errors.Is(f.reason, ErrClosed) || len(f.unsent) != 0 {
			t.Errorf("the dialing side's end: %+v", f)
		}
		var closed *CloseError
		if f := server.fall(sl); !errors.As(f.reason, &closed) || closed.Code != ws.CodeNormal {
			t.Errorf("the accepting side's end: %+v", f)
		}
	})
}

func fill(b []byte, id uint32) {
	for i := range b {
		b[i] = byte(int(id) + i)
	}
}

func filled(b []byte, id uint32) bool {
	for i := range b {
		if b[i] != byte(int(id)+i) {
			return false
		}
	}
	return true
}

func TestAnswersOfOneReadLeaveWithOneWrite(t *testing.T) {
	onBackends(t, func(t *testing.T, b Backend) {
		r := newRecorder(t)
		vectors := 0
		r.packets = func(l *Link, in []Packet) { vectors++; echo(l, in) }
		lp, ln := listening(t, b, LoopConfig{Slice: -1}, r)
		c := login(t, ln, 0)
		l := r.link(0)
		var before, after LinkStats
		r.do(lp, func() { before = l.Stats() })
		var in []byte
		for i := range uint32(200) {
			in = append(in, c.ilp(btp.TypeMessage, i, []byte("prepare"))...)
		}
		c.send(in) // 6 KB: one segment of loopback, so one read
		for i := range uint32(200) {
			if p := c.next(); p.RequestID() != i {
				t.Fatalf("answer %d came for %d", p.RequestID(), i)
			}
		}
		r.do(lp, func() { after = l.Stats() })
		if reads, writes := after.Reads-before.Reads, after.Writes-before.Writes; writes > reads || reads > 3 {
			t.Errorf("%d reads, %d writes", reads, writes)
		}
		if frames := after.FramesOut - before.FramesOut; frames != 200 || vectors < 4 {
			t.Errorf("%d frames out, %d vectors", frames, vectors)
		}
	})
}

func TestPacketsRightBehindTheCredentialsAreNotLost(t *testing.T) {
	onBackends(t, func(t *testing.T, b Backend) {
		r := newRecorder(t)
		r.packets = echo
		_, ln := listening(t, b, LoopConfig{}, r)
		c := connect(t, ln, 0)
		behind := c.ilp(btp.TypeMessage, 2, bytes.Repeat([]byte("x"), 3000))
		cut := len(behind) / 2
		c.send(slices.Concat(c.frame(ws.Ping, []byte("first")), c.auth("secret"), behind[:cut]))
		if p := c.next(); p.RequestID() != 1 {
			t.Fatalf("first answer is to %d", p.RequestID())
		}
		c.send(behind[cut:])
		if p := c.next(); p.RequestID() != 2 {
			t.Fatalf("second answer is to %d", p.RequestID())
		}
	})
}

func TestFailuresAreReportedAndUnreadablePacketsEndTheLink(t *testing.T) {
	onBackends(t, func(t *testing.T, b Backend) {
		r := newRecorder(t)
		var failed atomic.Uint32
		r.packets = func(_ *Link, in []Packet) {
			if in[0].Kind == Failure && in[0].ILP == nil {
				failed.Store(in[0].ID)
			}
		}
		r.up = func(l *Link) { copy(l.Request(77, 4), "ask!") }
		_, ln := listening(t, b, LoopConfig{}, r)
		c := login(t, ln, 0)
		if p := c.next(); p.RequestID() != 77 {
			t.Fatalf("request %d", p.RequestID())
		}
		c.send(c.frame(ws.Binary, btp.AppendError(nil, 77, btp.ErrorFields{Code: btp.CodeUnreachable})))
		r.await("failure", func() bool { return failed.Load() == 77 })
		c.send(c.frame(ws.Binary, []byte{3, 0, 0, 0, 1, 2, 1, 0}))
		if !c.ended() || c.code != ws.CodeProtocol {
			t.Errorf("close code %d, end %v", c.code, c.end)
		}
		if f := r.fall(r.link(0)); !errors.Is(f.reason, session.ErrUnreadable) {
			t.Errorf("reason %v", f.reason)
		}
	})
}

func TestADeadLinkTakesNothing(t *testing.T) {
	onBackends(t, func(t *testing.T, b Backend) {
		r := newRecorder(t)
		lp, ln := listening(t, b, LoopConfig{}, r)
		c := login(t, ln, 0)
		l := r.link(0)
		_ = c.conn.Close()
		if f := r.fall(l); f.reason == nil {
			t.Error("no reason")
		}
		// The descriptor is free now, and the next connection gets it.
		second := login(t, ln, 0)
		r.do(lp, func() {
			if l.Request(1, 10) != nil || l.Reply(1, 10) != nil || l.Room() > 0 {
				t.Error("a dead link takes packets")
			}
			l.Close(nil)
		})
		select {
		case <-l.Done():
		default:
			t.Error("Done is open")
		}
		r.do(lp, func() { copy(r.link(1).Request(5, 2), "ok") })
		if p := second.next(); p.RequestID() != 5 {
			t.Errorf("the next connection got %d", p.RequestID())
		}
	})
}

func TestAPeerThatGoesAwayInMidstreamIsDownOnce(t *testing.T) {
	onBackends(t, func(t *testing.T, b Backend) {
		r := newRecorder(t)
		r.packets = func(l *Link, in []Packet) {
			for _, p := range in {
				if out := l.Reply(p.ID, 30_000); out != nil {
					fill(out, p.ID)
				}
			}
		}
		_, ln := listening(t, b, LoopConfig{}, r)
		for i := range 20 {
			c := login(t, ln, 0)
			var in []byte
			for id := range uint32(30) {
				in = append(in, c.ilp(btp.TypeMessage, id, []byte("prepare"))...)
			}
			c.send(in)
			_ = c.conn.SetLinger(0) // a reset: writes fail while the handler runs
			_ = c.conn.Close()
			if f := r.fall(r.link(i)); f.times != 1 {
				t.Fatalf("down %d times", f.times)
			}
		}
	})
}

func TestSizesOutOfRangeAreRefusedWithoutHarm(t *testing.T) {
	onBackends(t, func(t *testing.T, b Backend) {
		r := newRecorder(t)
		lp, ln := listening(t, b, LoopConfig{}, r)
		c := login(t, ln, 0)
		l := r.link(0)
		r.do(lp, func() {
			refused := func() {
				for _, n := range []int{-1, maxILP + 1, 1 << 30} {
					if l.Request(9, n) != nil || l.Reply(9, n) != nil {
						t.Errorf("%d octets are taken", n)
					}
				}
			}
			refused()
			if l.Room() <= 0 {
				t.Errorf("room is %d", l.Room())
			}
			fill(l.Request(1, maxILP), 1)
			refused() // nor behind another packet
			l.Request(2, 0)
		})
		for id := uint32(1); id <= 2; id++ {
			if p := c.next(); p.RequestID() != id {
				t.Errorf("request %d", p.RequestID())
			}
		}
		_ = c.conn.CloseWrite()
		if f := r.fall(l); !errors.Is(f.reason, io.EOF) {
			t.Errorf("reason %v", f.reason)
		}
	})
}

// The bar is 1 KiB for an idle link; the socket's own state comes on top.
func TestAnIdleLinkIsSmall(t *testing.T) {
	if n := unsafe.Sizeof(Link{}) + unsafe.Sizeof(session.Session{}); n > 800 {
		t.Errorf("a link and its session are %d octets", n)
	}
	onBackends(t, func(t *testing.T, b Backend) {
		r := newRecorder(t)
		r.packets = echo
		lp, ln := listening(t, b, LoopConfig{}, r)
		c := login(t, ln, 0)
		c.send(c.ilp(btp.TypeMessage, 4, []byte("prepare")))
		c.next()
		l := r.link(0)
		r.do(lp, func() {
			if n := l.s.Held() + len(l.s.Out.Chunks()) + cap(l.early); n != 0 {
				t.Errorf("an idle link holds %d of the pool's", n)
			}
		})
	})
}

// What was flushed is at the peer while the handler still runs. A handler that panics later
// loses what it has written since, and a link only if it has written to it since.
func TestFlushSendsBeforeTheHandlerReturns(t *testing.T) {
	onBackends(t, func(t *testing.T, b Backend) {
		r := newRecorder(t)
		lp, ln := listening(t, b, LoopConfig{CloseTimeout: 100 * time.Millisecond}, r)
		c, other := login(t, ln, 0), login(t, ln, 0)
		r.link(1)
		arrived, writes := make(chan struct{}), uint64(0)
		r.do(lp, func() {
			r.wake = func() {
				l := r.ups[0]
				l.Flush() // of nothing
				for id := range uint32(3) {
					fill(l.Request(id, 100), id)
				}
				l.Flush()
				writes = l.Stats().Writes
				<-arrived
				fill(l.Request(3, 100), 3) // waits for the end of the call
				fill(r.ups[1].Request(4, 100), 4)
				r.ups[1].Flush()
				r.wake = func() {
					fill(l.Request(5, 100), 5)
					l.Flush()
					fill(r.ups[1].Request(6, 100), 6)
					r.ups[1].Flush()
					fill(r.ups[1].Request(7, 100), 7)
					panic("boom")
				}
			}
		})
		lp.Wake()
		for id := range uint32(3) {
			if p := c.next(); p.RequestID() != id {
				t.Fatalf("request %d, want %d", p.RequestID(), id)
			}
		}
		close(arrived)
		if p := c.next(); p.RequestID() != 3 {
			t.Fatalf("request %d", p.RequestID())
		}
		if p := other.next(); p.RequestID() != 4 {
			t.Fatalf("request %d", p.RequestID())
		}
		lp.Wake()
		if p := c.next(); p.RequestID() != 5 {
			t.Fatalf("request %d", p.RequestID())
		}
		if p := other.next(); p.RequestID() != 6 {
			t.Fatalf("request %d", p.RequestID())
		}
		if f := r.fall(r.link(1)); !errors.Is(f.reason, ErrPanic) || !slices.Equal(f.unsent, []uint32{7}) {
			t.Errorf("the link that was written to: %+v", f)
		}
		r.do(lp, func() {
			if r.ups[1].Flush(); lp.Stats().Links != 1 || writes != r.ups[0].Stats().Writes-2 {
				t.Errorf("%d links; %d writes, %d when the first had left", lp.Stats().Links, r.ups[0].Stats().Writes, writes)
			}
			fill(r.ups[0].Request(8, 100), 8)
		})
		if p := c.next(); p.RequestID() != 8 {
			t.Fatalf("request %d", p.RequestID())
		}
	})
}

// Flush to a peer that reads nothing: the room shrinks, and the link ends at the hard cap.
func TestFlushKeepsTheBounds(t *testing.T) {
	onBackends(t, func(t *testing.T, b Backend) {
		r := newRecorder(t)
		lp, ln := listening(t, b, LoopConfig{HighWater: 1 << 16, HardCap: 1 << 18}, r)
		login(t, ln, 0)
		l := r.link(0)
		var room []int
		r.do(lp, func() {
			for id := range uint32(64) { // the peer reads nothing, and all is more than the kernel takes
				region := l.Request(id, 60_000)
				if region == nil {
					break
				}
				fill(region, id)
				l.Flush()
				room = append(room, l.Room())
			}
		})
		if len(room) < 2 || room[len(room)-1] > 0 {
			t.Errorf("room %v", room)
		}
		if f := r.fall(l); !errors.Is(f.reason, ErrOutboundLimit) {
			t.Errorf("reason %v", f.reason)
		}
	})
}
