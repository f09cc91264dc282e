package transport

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/millrace-ilp/millrace/codec/btp"
	"github.com/millrace-ilp/millrace/transport/session"
	"github.com/millrace-ilp/millrace/transport/ws"
)

var errEnough = errors.New("enough")

func TestCloseDeliversEverythingThatWasWritten(t *testing.T) {
	onBackends(t, func(t *testing.T, b Backend) {
		const packets = 50
		r := newRecorder(t)
		lp, ln := listening(t, b, LoopConfig{CloseTimeout: patience, SocketBuffer: 64 << 10}, r)
		c := login(t, ln, 0)
		l := r.link(0)
		r.do(lp, func() {
			for id := range uint32(packets) { // far more than the kernel takes
				fill(l.Request(id, 50_000), id)
			}
			l.Close(errEnough)
			l.Close(errors.New("twice"))
		})
		r.do(lp, func() {
			if l.Request(99, 1) != nil || l.Reply(99, 1) != nil || l.Room() > 0 {
				t.Error("a closing link takes packets")
			}
		})
		if got := c.drain(btp.TypeMessage); len(got) != packets {
			t.Errorf("%d packets arrived", len(got))
		}
		if c.code != ws.CodeNormal {
			t.Errorf("close code %d", c.code)
		}
		if f := r.fall(l); !errors.Is(f.reason, errEnough) || len(f.unsent) != 0 {
			t.Errorf("end: %+v", f)
		}
	})
}

// What was accepted because there was room for the answer has to be answered: a close
// from elsewhere must not come between.
func TestCloseFromElsewhereWaitsForTheHandlerCallThatRuns(t *testing.T) {
	onBackends(t, func(t *testing.T, b Backend) {
		const packets = 30
		r := newRecorder(t)
		first := true
		r.packets = func(l *Link, in []Packet) {
			if first {
				first = false
				room := l.Room()
				closed := make(chan struct{})
				go func() { l.Close(errEnough); close(closed) }()
				<-closed
				if room <= 0 || l.Room() != room {
					t.Errorf("room of %d octets, then of %d", room, l.Room())
				}
			}
			echo(l, in)
		}
		_, ln := listening(t, b, LoopConfig{CloseTimeout: patience}, r)
		c := login(t, ln, 0)
		var in []byte
		for id := range uint32(packets) {
			in = append(in, c.ilp(btp.TypeMessage, id, []byte("prepare"))...)
		}
		c.send(in) // one segment of loopback, so one vector
		if got := c.drain(btp.TypeResponse); len(got) != packets || c.code != ws.CodeNormal {
			t.Errorf("%d of %d packets were answered before the close frame of code %d", len(got), packets, c.code)
		}
		if f := r.fall(r.link(0)); !errors.Is(f.reason, errEnough) {
			t.Errorf("end: %+v", f)
		}
	})
}

// One that is closed as it comes up takes nothing of what it has sent already.
func TestALinkThatIsClosedAsItComesUpHandsNothingOver(t *testing.T) {
	onBackends(t, func(t *testing.T, b Backend) {
		r := newRecorder(t)
		r.up = func(l *Link) { l.Close(errEnough) }
		r.packets = func(_ *Link, in []Packet) { t.Errorf("%d packets", len(in)) }
		_, ln := listening(t, b, LoopConfig{CloseTimeout: patience}, r)
		c := connect(t, ln, 0)
		c.send(append(c.auth("secret"), c.ilp(btp.TypeMessage, 2, []byte("prepare"))...))
		c.drain(btp.TypeResponse)
		if f := r.fall(r.link(0)); !errors.Is(f.reason, errEnough) {
			t.Errorf("end: %+v", f)
		}
	})
}

func TestAnswersStillComeInWhileALinkCloses(t *testing.T) {
	onBackends(t, func(t *testing.T, b Backend) {
		r := newRecorder(t)
		answered := make(chan uint32, 2)
		r.packets = func(_ *Link, in []Packet) {
			for _, p := range in {
				answered <- p.ID
			}
		}
		lp, ln := listening(t, b, LoopConfig{CloseTimeout: patience}, r)
		c := login(t, ln, 0)
		l := r.link(0)
		r.do(lp, func() { fill(l.Request(5, 100), 5); l.Close(nil) })
		if p := c.next(); p.RequestID() != 5 {
			t.Fatalf("request %d", p.RequestID())
		}
		c.send(c.ilp(btp.TypeMessage, 6, []byte("too late")))
		c.send(c.ilp(btp.TypeResponse, 5, []byte("fulfill")))
		c.ended()
		r.fall(l)
		if id := <-answered; id != 5 || len(answered) > 0 {
			t.Errorf("first came %d, %d more", id, len(answered))
		}
	})
}

func TestClosingAPeerThatDoesNotAnswerTakesItsTimeAndNoLonger(t *testing.T) {
	onBackends(t, func(t *testing.T, b Backend) {
		r := newRecorder(t)
		_, ln := listening(t, b, LoopConfig{CloseTimeout: 80 * time.Millisecond}, r)
		c := login(t, ln, 0)
		l := r.link(0)
		began := time.Now()
		l.Close(errEnough) // from another goroutine
		if f := r.fall(l); !errors.Is(f.reason, errEnough) {
			t.Errorf("reason %v", f.reason)
		}
		if took := time.Since(began); took < 70*time.Millisecond || took > 2*time.Second {
			t.Errorf("it took %v", took)
		}
		_ = c
	})
}

func TestSilentPeersArePingedAndGivenUp(t *testing.T) {
	onBackends(t, func(t *testing.T, b Backend) {
		r := newRecorder(t)
		_, ln := listening(t, b, LoopConfig{
			PingInterval: 40 * time.Millisecond, DeadTimeout: 150 * time.Millisecond, CloseTimeout: 50 * time.Millisecond,
		}, r)
		login(t, ln, 0) // and never looks again, so answers no ping
		l := r.link(0)
		if f := r.fall(l); !errors.Is(f.reason, session.ErrDead) {
			t.Errorf("reason %v", f.reason)
		}
		<-l.Done()
		if pings := l.Stats().FramesOut; pings < 3 { // the answer, pings, close
			t.Errorf("%d frames out", pings)
		}
	})
}

func TestEndsThatAnswerPingsLiveOn(t *testing.T) {
	onBackends(t, func(t *testing.T, b Backend) {
		server, client := newRecorder(t), newRecorder(t)
		// A machine that is busy elsewhere must not look like a peer that is dead.
		cfg := LoopConfig{PingInterval: 20 * time.Millisecond, DeadTimeout: 800 * time.Millisecond}
		began := time.Now()
		lp, ln := listening(t, b, cfg, server)
		dialTo(t, startLoop(t, b, cfg, client), ln, DialConfig{})
		l := server.link(0)
		frames := uint64(0)
		server.await("pings", func() bool {
			server.do(lp, func() { frames = l.Stats().FramesIn })
			return frames > 15 && time.Since(began) > time.Second
		})
		server.do(lp, func() {
			if l.phase != linkUp {
				t.Error("the link is down")
			}
		})
	})
}

func TestClosingALoopClosesItsLinksAndTakesNoMore(t *testing.T) {
	onBackends(t, func(t *testing.T, b Backend) {
		r := newRecorder(t)
		lp, ln := listening(t, b, LoopConfig{}, r)
		good, mute := login(t, ln, 0), login(t, ln, 0)
		_, polite := r.link(0), make(chan []uint32)
		go func() { polite <- good.drain(btp.TypeMessage) }()
		r.do(lp, func() { fill(r.ups[0].Request(1, 1000), 1) })
		ctx, cancel := context.WithTimeout(context.Background(), 60*time.Millisecond)
		defer cancel()
		if err := lp.Close(ctx); !errors.Is(err, context.DeadlineExceeded) { // for mute never answers
			t.Errorf("Close says %v", err)
		}
		if got := <-polite; len(got) != 1 || good.code != ws.CodeNormal {
			t.Errorf("requests %v, close code %d", got, good.code)
		}
		for i := range 2 {
			if f := r.fall(r.link(i)); !errors.Is(f.reason, ErrLoopClosed) {
				t.Errorf("link %d: %v", i, f.reason)
			}
		}
		_ = mute
		lp.Wake() // does nothing, and no harm
		if err := lp.Close(context.Background()); err != nil {
			t.Errorf("the second Close says %v", err)
		}
		third := connect(t, ln, 0)
		third.send(third.auth("secret"))
		if third.ended(); third.end == nil {
			t.Error("a closed loop took a link")
		}
		if s := lp.Stats(); s.Links != 0 {
			t.Errorf("%d links are left", s.Links)
		}
	})
}
