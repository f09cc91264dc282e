package sim

import "testing"

func TestWorldsWithoutFaultsComeToRest(t *testing.T) {
	for seed := uint64(1); seed <= 40; seed++ {
		if r := Run(Config{Seed: seed}); r.Violation != nil {
			t.Error(r.Violation)
		}
	}
}

func TestASeedGivesTheSameRunTwice(t *testing.T) {
	for seed := uint64(1); seed <= 20; seed++ {
		a, b := Run(Config{Seed: seed, Faults: AllFaults}), Run(Config{Seed: seed, Faults: AllFaults})
		if a.Hash != b.Hash || a.Packets != b.Packets {
			t.Errorf("seed %d: %#x after %d packets, then %#x after %d", seed, a.Hash, a.Packets, b.Hash, b.Packets)
		}
	}
}
