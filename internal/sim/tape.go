package sim

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/millrace-ilp/millrace/engine/stream"
)

// tape is every call into one machine, with what came out of it. Played into a
// machine of the same configuration, with the vectors of Handle cut up in
// another way, it must give the same (law V1: any partition of the same input
// into vectors gives the same replies, credits, events and state).
type tape struct {
	make  func() *stream.Machine
	steps []tapeStep
}

type tapeStep struct {
	now     stream.Instant
	in      []stream.Entry // for Handle
	room    int
	again   func(*stream.Machine, stream.Output) // for other calls
	open    func(*stream.Machine) (uint64, error)
	handle  uint64   // that open answered with
	failed  bool     // or that it did not
	out     []uint64 // hashes of the packets
	event   *stream.Event
	noEvent bool
	credits []stream.Credit
	isStage bool
}

// maxTape bounds the steps of a tape; the rest of the run is not on it.
const maxTape = 20_000

func (t *tape) handled(now stream.Instant, in []stream.Entry, n *node) {
	if len(t.steps) >= maxTape {
		return
	}
	s := tapeStep{now: now, room: n.room, out: hashMessages(n.out)}
	for _, e := range in {
		e.Packet = bytes.Clone(e.Packet)
		s.in = append(s.in, e)
	}
	t.steps = append(t.steps, s)
}

func (t *tape) call(room int, out []*message, again func(*stream.Machine, stream.Output)) {
	if len(t.steps) < maxTape {
		t.steps = append(t.steps, tapeStep{room: room, out: hashMessages(out), again: again})
	}
}

func (t *tape) opened(h uint64, err error, open func(*stream.Machine) (uint64, error)) {
	if len(t.steps) < maxTape {
		t.steps = append(t.steps, tapeStep{open: open, handle: h, failed: err != nil})
	}
}

func (t *tape) staged(c []stream.Credit) {
	if len(t.steps) < maxTape {
		t.steps = append(t.steps, tapeStep{isStage: true, credits: append([]stream.Credit(nil), c...)})
	}
}

func (t *tape) event(e stream.Event, ok bool) {
	if len(t.steps) < maxTape {
		t.steps = append(t.steps, tapeStep{event: &e, noEvent: !ok})
	}
}

func hashMessages(out []*message) []uint64 {
	var all []uint64
	for _, m := range out {
		h := uint64(m.request)
		for _, x := range m.buf {
			h = (h ^ uint64(x)) * 0x100000001b3
		}
		all = append(all, h)
	}
	return all
}

// player is the output of a machine that a tape is played into.
type player struct {
	room int
	out  []*message
}

func (p *player) Room(stream.LinkHandle) int { return p.room }
func (p *player) Reply(_ stream.LinkHandle, request uint32, n int) []byte {
	m := &message{request: request, buf: make([]byte, n)}
	p.out = append(p.out, m)
	return m.buf
}

func (p *player) Request(l stream.LinkHandle, request uint32, n int) []byte {
	return p.Reply(l, request, n)
}
func (p *player) Forward(int, stream.Entry) {}

// play plays the tape with vectors of random size and says how the first step
// that comes out differently does so, or "". What is freed during a vector is
// given out again after it, so a handle may name another record when the vectors
// are others; where that happens the tape can not be played further.
func (t *tape) play(r *rand.Rand) string {
	m := t.make()
	p := &player{}
	most := []int{1, 2, 7, 64}[r.IntN(4)]
	for i := range t.steps {
		s := &t.steps[i]
		p.room, p.out = s.room, p.out[:0]
		switch {
		case s.in != nil:
			for in := s.in; len(in) > 0; {
				n := min(1+r.IntN(most), len(in))
				m.Handle(s.now, in[:n], p)
				in = in[n:]
			}
		case s.again != nil:
			s.again(m, p)
		case s.open != nil:
			h, err := s.open(m)
			if (err != nil) != s.failed {
				return fmt.Sprintf("step %d opens with %v, and not so before", i, err)
			}
			if h != s.handle {
				return "" // see play
			}
		case s.isStage:
			got := m.Staged()
			if !slices.Equal(got, s.credits) {
				if slices.EqualFunc(got, s.credits, sameButHandles) {
					return "" // see play
				}
				return fmt.Sprintf("step %d stages %+v, not %+v", i, got, s.credits)
			}
		default:
			e, ok := m.PollEvent()
			if ok == s.noEvent || ok && e != *s.event {
				if was := s.event; ok && !s.noEvent && (e.Conn != was.Conn || e.Stream != was.Stream || e.Hold != was.Hold) {
					return "" // see play
				}
				return fmt.Sprintf("step %d polls %+v (%v), not %+v (%v)", i, e, ok, *s.event, !s.noEvent)
			}
		}
		if s.isStage || s.event != nil || s.open != nil {
			continue
		}
		if got := hashMessages(p.out); !slices.Equal(got, s.out) {
			return fmt.Sprintf("step %d, %d packets in, sends %d packets, not %d: %s", i, len(s.in), len(got), len(s.out), s.difference(p.out, got))
		}
	}
	return ""
}

func sameButHandles(a, b stream.Credit) bool {
	a.Conn, a.Stream, a.Hold = b.Conn, b.Stream, b.Hold
	return a == b
}

// difference describes the first packet that is not as it was.
func (s *tapeStep) difference(out []*message, got []uint64) string {
	k := 0
	for k < len(got) && k < len(s.out) && got[k] == s.out[k] {
		k++
	}
	if k == len(got) {
		return "the rest is missing"
	}
	return fmt.Sprintf("number %d, to request %#x, is now %x", k, out[k].request, out[k].buf[:min(len(out[k].buf), 24)])
}
