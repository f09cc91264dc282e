//go:build plant

package sim

import (
	"flag"
	"testing"
	"time"

	"github.com/millrace-ilp/millrace/engine/stream"
)

var firstSeed = flag.Uint64("first-seed", 0, "where the search for planted bugs begins; 0 means anywhere")

// caughtBy names the check that notices each planted bug.
var caughtBy = map[stream.Bug]string{
	stream.LostCredit:     "M3",
	stream.EarlyFulfill:   "M4",
	stream.LateFulfill:    "T1",
	stream.ReplayTop:      "M5",
	stream.AnswerTwice:    "T2",
	stream.NoMinimum:      "M6",
	stream.ForgedCounts:   "C2",
	stream.NarrowShares:   "M7",
	stream.DropRest:       "M3",
	stream.AnyFulfillment: "M1",
	stream.AnySequence:    "M8",
	stream.OnlyReadable:   "M1",
	stream.SameIV:         "C1",
	stream.SameSequence:   "C1",
	stream.EarlyReceipt:   "R2",
	stream.NoPromise:      "M9",
	stream.LowerMaximum:   "M7",
	stream.LostOctet:      "D1",
	stream.PastWindow:     "D3",
	stream.NoVoid:         "M3",
	stream.NoTombstone:    "M5",
	stream.LostEvent:      "M11",
	stream.NoWake:         "L1",
	stream.PastTimer:      "T3",
	stream.Leak:           "L4",
	stream.HastyClose:     "D1",
	stream.LostIsFailed:   "M1",
	stream.UntriedAddress: "C5",
	stream.SameRequests:   "M1",
	stream.OwnTaken:       "C2",
	stream.DoubtIsFree:    "M12",
}

// TestEveryPlantedBugIsCaught searches seeds that nobody chose until the check
// that a bug is for notices it.
func TestEveryPlantedBugIsCaught(t *testing.T) {
	first := *firstSeed
	if first == 0 {
		first = uint64(time.Now().UnixNano()) % 1e12
	}
	for _, bug := range stream.Bugs() {
		t.Run(bug.String(), func(t *testing.T) {
			want, others, began := caughtBy[bug], map[string]int{}, time.Now()
			for seed := first; time.Since(began) < time.Minute; seed++ {
				r := Run(Config{Seed: seed, Faults: AllFaults, prepare: func(m *stream.Machine) { m.Plant(bug) }})
				if r.Violation == nil {
					continue
				}
				if r.Violation.Name == want {
					t.Logf("%s after %d seeds: %s; others before: %v", want, seed-first+1, r.Violation.Detail, others)
					return
				}
				others[r.Violation.Name]++
			}
			t.Errorf("not caught by %s in a minute from seed %d; others: %v", want, first, others)
		})
	}
}
