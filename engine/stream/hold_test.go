package stream

import (
	"math/rand/v2"
	"testing"
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
