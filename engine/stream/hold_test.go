package stream

import (
	"math/rand/v2"
	"testing"

	"github.com/millrace-ilp/millrace/codec/frame"
	"github.com/millrace-ilp/millrace/codec/ilp"
)

// held opens a connection whose server holds money, and sends an amount in
// packets of 1000.
func held(t *testing.T, cfg Config, receiveMax, amount Amount) (*world, ConnHandle) {
	w := newWorld(t, Options{ReceiveMax: receiveMax}, cfg)
	c := w.connect(Options{MaxPacketAmount: 1000})
	w.run(second)
	s, err := w.a.m.OpenStream(w.now, c)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.a.m.SetSendMax(w.now, s, amount); err != nil {
		t.Fatal(err)
	}
	w.run(second)
	return w, c
}

func (w *world) pendingHolds() (holds []HoldHandle) {
	for _, e := range w.b.events {
		if e.Kind == EventHold {
			holds = append(holds, e.Hold)
		}
	}
	w.b.events = nil
	return holds
}

func TestHeldMoneyIsReleasedByDecisionsInAnyOrder(t *testing.T) {
	w, c := held(t, Config{Decide: true}, maxAmount, 10_000)
	for round := 0; round < 20; round++ {
		holds := w.pendingHolds()
		if round == 0 {
			if len(holds) != 10 || w.taken != 0 {
				t.Fatalf("%d holds, %d taken", len(holds), w.taken)
			}
		}
		rand.Shuffle(len(holds), func(i, j int) { holds[i], holds[j] = holds[j], holds[i] })
		for k, h := range holds {
			d := Accept
			if round == 0 && k%3 == 0 {
				d = Decline
			}
			if err := w.b.m.Decide(w.now, h, d, w.b); err != nil {
				t.Fatal(err)
			}
			if err := w.b.m.Decide(w.now, h, Accept, w.b); err != ErrDecided {
				t.Fatalf("decided twice: %v", err)
			}
		}
		w.run(second)
	}
	ci, _ := w.a.m.ConnInfo(c)
	if ci.Sent != 10_000 || w.taken != 10_000 || w.b.m.Stats().Released != 10_000 || w.b.m.Stats().Holds != 0 {
		t.Fatalf("sent %d, taken %d, released %d", ci.Sent, w.taken, w.b.m.Stats().Released)
	}
}

func TestHoldsCountAgainstTheReceiveMaximum(t *testing.T) {
	w, _ := held(t, Config{Decide: true}, 2500, 10_000)
	holds := w.pendingHolds()
	if len(holds) != 2 {
		t.Fatalf("%d packets of 1000 held under a maximum of 2500", len(holds))
	}
}

func TestUndecidedHoldIsRejectedAtItsDeadline(t *testing.T) {
	w, c := held(t, Config{Decide: true}, maxAmount, 1000)
	if n := len(w.pendingHolds()); n != 1 {
		t.Fatalf("%d holds", n)
	}
	w.run(30 * second)
	ci, _ := w.a.m.ConnInfo(c)
	if w.taken != 0 || ci.Sent != 0 || w.b.m.Stats().Released != 0 || w.b.m.Stats().Expired == 0 {
		t.Fatalf("taken %d sent %d: %+v", w.taken, ci.Sent, w.b.m.Stats())
	}
}

func TestNothingIsFulfilledBeforeItsCommit(t *testing.T) {
	w, c := held(t, Config{Ledger: true}, maxAmount, 10_000)
	staged := append([]Credit(nil), w.b.m.Staged()...)
	if len(staged) != 10 || w.taken != 0 {
		t.Fatalf("%d staged, %d taken", len(staged), w.taken)
	}
	w.b.m.Committed(w.now, staged[3].Seq, w.b)
	w.run(second)
	if w.taken != 4000 {
		t.Fatalf("four records are durable, %d taken", w.taken)
	}
	// The rest comes too late: voided by further records, and never fulfilled.
	w.now += 31 * second
	w.b.m.Committed(w.now, staged[9].Seq, w.b)
	voids := w.b.m.Staged()
	var sum Amount
	for _, v := range voids {
		if v.Void {
			sum += v.Amount
		}
	}
	if sum != 6000 || w.b.m.Stats().Released != 4000 {
		t.Fatalf("voided %d, released %d", sum, w.b.m.Stats().Released)
	}
	ci, _ := w.a.m.ConnInfo(c)
	if ci.Sent != 4000 {
		t.Fatalf("sent %d", ci.Sent)
	}
}

func TestDecidedMoneyStillWaitsForItsCommit(t *testing.T) {
	w, c := held(t, Config{Decide: true, Ledger: true}, maxAmount, 1000)
	if staged := w.b.m.Staged(); len(staged) != 0 {
		t.Fatalf("staged before the decision: %+v", staged)
	}
	if err := w.b.m.Decide(w.now, w.pendingHolds()[0], Accept, w.b); err != nil {
		t.Fatal(err)
	}
	w.run(second)
	staged := w.b.m.Staged()
	if len(staged) != 1 || staged[0].Amount != 1000 || w.taken != 0 {
		t.Fatalf("%d taken, staged %+v", w.taken, staged)
	}
	w.b.m.Committed(w.now, staged[0].Seq, w.b)
	w.run(second)
	if info, _ := w.a.m.ConnInfo(c); info.Sent != 1000 || w.taken != 1000 || w.b.m.Stats().Released != 1000 {
		t.Fatalf("sent %d, taken %d", info.Sent, w.taken)
	}
}

func TestMoreThanAVectorOfFulfillsIsReleasedAtOnce(t *testing.T) {
	for _, padding := range []bool{false, true} {
		w := newWorld(t, Options{ReceiveMax: maxAmount, Padding: padding}, Config{Ledger: true})
		c := w.connect(Options{MaxPacketAmount: 10, RateNum: 1, RateDen: 1})
		w.run(second)
		s, _ := w.a.m.OpenStream(w.now, c)
		for total := Amount(10); total <= 1000; total += 10 { // a packet each, whatever the window
			_ = w.a.m.SetSendMax(w.now, s, total)
			w.idx(c).window.size = 1000
			w.run(second / 1000)
		}
		staged := w.b.m.Staged()
		if len(staged) != 100 {
			t.Fatalf("%d are staged", len(staged))
		}
		w.b.m.Committed(w.now, staged[99].Seq, w.b)
		if n := len(w.b.queue); n != 100 {
			t.Fatalf("%d answers", n)
		}
		w.run(second)
		accepted, _ := w.b.m.ConnInfo(w.b.expect(EventAccepted).Conn)
		if info, _ := w.a.m.ConnInfo(c); info.Sent != 1000 || info.Delivered != 1000 || w.taken != 1000 || accepted.Received != 1000 {
			t.Fatalf("sent %d, delivered %d, taken %d, received %d", info.Sent, info.Delivered, w.taken, accepted.Received)
		}
		if info, _ := w.a.m.StreamInfo(s); info.RemoteReceived != 1000 {
			t.Fatalf("the last answer tells %d", info.RemoteReceived)
		}
	}
}

func TestMoneyThatCanNotBeHeldIsRefusedForNow(t *testing.T) {
	money := []appender{frame.StreamMoney{StreamID: 1, Shares: 1}}
	var many []appender
	for id := uint64(1); id < 20; id += 2 {
		many = append(many, frame.StreamMoney{StreamID: id, Shares: 1})
	}
	for name, c := range map[string]struct {
		cfg    Config
		first  []appender
		second []appender
	}{
		"no more holds": {Config{Decide: true, MaxHolds: 1}, money, money},
		"no more parts": {Config{Decide: true, MaxRequests: 6}, money, many},
	} {
		h := newHand(t, Options{ReceiveMax: maxAmount}, c.cfg)
		h.send(100, c.first...)
		if a := h.send(50, c.second...); a.fulfilled || a.code != ilp.T03 || a.opened {
			t.Fatalf("%s: %+v", name, a)
		}
		if n := h.m.Stats().Holds; n != 1 || h.m.parts.Len() != 0 || h.m.conns.At(1).heldIn != 100 {
			t.Fatalf("%s: %d holds, %d parts, %d held", name, n, h.m.parts.Len(), h.m.conns.At(1).heldIn)
		}
		for _, e := range h.events() {
			if e.Kind == EventHold {
				if err := h.m.Decide(h.now, e.Hold, Accept, h); err != nil {
					t.Fatal(err)
				}
			}
		}
		if a := h.read(); !a.fulfilled || h.info().Received != 100 {
			t.Fatalf("%s: the first: %+v, received %d", name, a, h.info().Received)
		}
	}
}

func TestHoldOfAClosedConnectionIsNeverFulfilled(t *testing.T) {
	for _, d := range []Decision{Accept, Decline} {
		h := newHand(t, Options{ReceiveMax: maxAmount}, Config{Decide: true})
		h.send(100, frame.StreamMoney{StreamID: 1, Shares: 1})
		h.send(0, frame.ConnectionClose{})
		var hold HoldHandle
		for _, e := range h.events() {
			if e.Kind == EventHold {
				hold = e.Hold
			}
		}
		if err := h.m.Decide(h.now, hold, d, h); err != nil {
			t.Fatal(err)
		}
		want := map[Decision]ilp.Code{Accept: ilp.R00, Decline: ilp.F02}[d]
		if a := h.read(); a.fulfilled || a.code != want || a.opened || h.info().Received != 0 || h.m.Stats().Holds != 0 {
			t.Errorf("decision %d: %+v, received %d", d, a, h.info().Received)
		}
	}
}

func TestPacketWithoutRoomForItsReplyHasNoEffect(t *testing.T) {
	h := newHand(t, Options{ReceiveMax: maxAmount}, Config{})
	h.full = true
	e := h.prepare(10, frame.StreamMoney{StreamID: 1, Shares: 1})
	if a := h.give(e); a.fulfilled || a.code != ilp.T03 || h.m.Stats().Connections != 0 {
		t.Fatalf("%+v", a)
	}
	h.full = false
	if a := h.give(e); !a.fulfilled || h.info().Received != 10 {
		t.Fatalf("the same packet when there is room: %+v", a)
	}
}

// The last hold of a quiet connection may be released by the very call that puts the
// connection to sleep.
func TestConnectionSleepsOnlyOnceItsAnswersAreSealed(t *testing.T) {
	h := newHand(t, Options{ReceiveMax: maxAmount, SleepAfter: 5e9}, Config{Ledger: true})
	h.send(100, frame.StreamMoney{StreamID: 1, Shares: 1})
	h.now += 5*second - 1e6
	h.full = true
	h.m.Committed(h.now, h.m.Staged()[0].Seq, h)
	h.full = false
	h.now += 3e6 // both are due: the link is tried again, and the connection is idle for long
	h.m.HandleTimeout(h.now, h)
	if a := h.read(); !a.fulfilled || !a.opened || h.info().Received != 100 {
		t.Fatalf("%+v, received %d", a, h.info().Received)
	}
	if c := h.m.conns.At(1); !c.flags.has(flagAsleep) {
		t.Fatal("it does not sleep: not what this test is about")
	}
	if a := h.send(50, frame.StreamMoney{StreamID: 1, Shares: 1}); a.fulfilled || h.m.Stats().Holds != 1 {
		t.Fatalf("it does not wake: %+v", a)
	}
}
