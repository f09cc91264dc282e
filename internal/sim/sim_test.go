package sim

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"
)

// fixed are the seeds of every test run; the command runs others.
const fixed = 120

func TestWorldsWithoutFaultsComeToRest(t *testing.T) {
	for seed := uint64(1); seed <= 40; seed++ {
		r := Run(Config{Seed: seed})
		if r.Violation != nil {
			t.Error(r.Violation)
		}
		if n := slices.Max(r.Counts[:]); n != 0 {
			t.Errorf("seed %d: %d faults in a world that has none", seed, n)
		}
	}
}

func TestWorldsWithFaultsKeepAllTheirChecks(t *testing.T) {
	var total Report
	for seed := uint64(1); seed <= fixed; seed++ {
		r := Run(Config{Seed: seed, Faults: AllFaults})
		if r.Violation != nil {
			t.Errorf("%v\n  on: %v\n  %s", r.Violation, r.On, strings.Join(r.Violation.Last, "\n  "))
		}
		total.Add(&r)
	}
	if total.Packets < 300_000 || total.Injected() < 10_000 || total.Completed < fixed {
		var b bytes.Buffer
		total.Print(&b, time.Second)
		t.Errorf("these worlds do too little:\n%s", &b)
	}
	if missing := total.Missing(1); len(missing) > 0 {
		t.Errorf("never seen: %v", missing)
	}
}

func TestFaultsAreReadByName(t *testing.T) {
	s, err := ParseFaults(AllFaults.String())
	if err != nil || s != AllFaults {
		t.Errorf("%v, %v", s, err)
	}
	if _, err := ParseFaults("cut,bad luck"); err == nil {
		t.Error("an unknown fault is read")
	}
}
