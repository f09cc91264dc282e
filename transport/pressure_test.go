package transport

import (
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/millrace-ilp/millrace/codec/btp"
)

// small keeps the kernel's part of what waits small, so that little is needed to
// fill it.
func small(cfg LoopConfig) LoopConfig {
	cfg.SocketBuffer = 16 << 10
	return cfg
}

func TestMemoryForAPeerThatNeverReadsIsBounded(t *testing.T) {
	onBackends(t, func(t *testing.T, b Backend) {
		const highWater, hardCap = 128 << 10, 512 << 10
		r := newRecorder(t)
		var worst, low atomic.Int64
		r.packets = func(l *Link, in []Packet) {
			for _, p := range in {
				if out := l.Reply(p.ID, 10_000); out != nil {
					fill(out, p.ID)
				}
				waits := int64(l.pending + l.s.Out.Len())
				worst.Store(max(worst.Load(), waits))
				low.Store(min(low.Load(), int64(l.Room())))
			}
		}
		_, ln := listening(t, b, small(LoopConfig{HighWater: highWater, HardCap: hardCap}), r)
		c := login(t, ln, 8<<10)
		l := r.link(0)
		var in []byte
		for id := range uint32(50) {
			in = append(in, c.ilp(btp.TypeMessage, id, []byte("prepare"))...)
		}
		for { // it sends and never reads
			if _, err := c.conn.Write(in); err != nil {
				break
			}
			select {
			case <-l.Done():
			default:
				continue
			}
			break
		}
		if f := r.fall(l); !errors.Is(f.reason, ErrOutboundLimit) || len(f.unsent) != 0 {
			t.Fatalf("end: %+v", f)
		}
		if worst.Load() > hardCap || worst.Load() < highWater {
			t.Errorf("up to %d octets waited, the cap is %d", worst.Load(), hardCap)
		}
		if low.Load() > highWater-hardCap+20_000 {
			t.Errorf("room went down to %d only", low.Load())
		}
	})
}

func TestAStalledPeerIsClosed(t *testing.T) {
	onBackends(t, func(t *testing.T, b Backend) {
		r := newRecorder(t)
		lp, ln := listening(t, b, small(LoopConfig{StallTimeout: 150 * time.Millisecond}), r)
		c := login(t, ln, 8<<10)
		l := r.link(0)
		var began int64
		r.do(lp, func() {
			began = lp.Now()
			for id := range uint32(40) { // over what the kernel takes, under the cap
				fill(l.Request(id, 50_000), id)
			}
		})
		f := r.fall(l)
		if !errors.Is(f.reason, ErrStalled) {
			t.Fatalf("reason %v", f.reason)
		}
		if waited := time.Now().UnixNano() - began; waited < int64(140*time.Millisecond) {
			t.Errorf("closed after %v", time.Duration(waited))
		}
		_ = c
	})
}

// A slow peer is no stalled one: as long as something leaves the link lives, and
// everything arrives, in order.
func TestASlowPeerGetsEverythingInOrder(t *testing.T) {
	onBackends(t, func(t *testing.T, b Backend) {
		const packets, size = 100, 40_000
		r := newRecorder(t)
		lp, ln := listening(t, b, LoopConfig{SocketBuffer: 64 << 10, HighWater: 256 << 10}, r)
		c := login(t, ln, 0)
		l := r.link(0)
		next := uint32(0)
		step := func() {
			for next < packets && l.Room() > size {
				fill(l.Request(next, size), next)
				next++
			}
			if next < packets {
				lp.WakeAt(lp.Now() + int64(time.Millisecond))
			}
		}
		r.do(lp, func() { r.wake = step; step() })
		for id := range uint32(packets) {
			p := c.next()
			packet, _ := p.ILP()
			if p.RequestID() != id || len(packet) != size || !filled(packet, id) {
				t.Fatalf("packet %d came as %d, %d octets", id, p.RequestID(), len(packet))
			}
		}
		r.do(lp, func() {
			if out := l.Stats().OctetsOut; out < packets*size {
				t.Errorf("%d octets out", out)
			}
		})
	})
}

// What LinkDown calls unsent has not reached the peer, not even in part; the rest
// may have.
func TestUnsentRequestsNeverReachedThePeer(t *testing.T) {
	onBackends(t, func(t *testing.T, b Backend) {
		const packets, size = 100, 15_000
		r := newRecorder(t)
		lp, ln := listening(t, b, small(LoopConfig{}), r)
		c := login(t, ln, 8<<10)
		l := r.link(0)
		// Fill the pipe; what follows stays in the link's own output, or in the
		// queue of the backend.
		r.do(lp, func() {
			for id := range uint32(packets) {
				fill(l.Request(id, size), id)
			}
		})
		written := uint32(packets)
		r.do(lp, func() {
			fill(l.Request(written, 100), written)
			written++
			lp.drop(l, ErrStalled)
		})
		unsent := r.fall(l).unsent
		if len(unsent) == 0 || unsent[len(unsent)-1] != written-1 || !slices.IsSorted(unsent) {
			t.Fatalf("unsent are %v of %d", unsent, written)
		}
		got := c.drain(btp.TypeMessage)
		for _, id := range got {
			if slices.Contains(unsent, id) {
				t.Errorf("request %d arrived and is called unsent", id)
			}
		}
		for i, id := range got {
			if id != uint32(i) {
				t.Fatalf("request %d arrived in place %d", id, i)
			}
		}
	})
}
