package sim

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/millrace-ilp/millrace/engine/stream"
)

// An owner that breaks the machine's contract is found out, in few worlds.
func TestMistakesOfAnOwnerAreNoticed(t *testing.T) {
	power := Faults(1<<Crash | 1<<SyncFails | 1<<WriteLost | 1<<Torn)
	for _, c := range []struct {
		name    string
		mistake mistake
		faults  Faults
		want    string // one of these
	}{
		// Whether what was paid or what was fulfilled is first seen to be missing on the disk is chance.
		{"goes on after a failed sync", goesOn, power, "M3 M4"},
		{"tells of a commit that was not synced", neverSyncs, power, "M3"},
		{"seeds every process alike", sameSeed, power, "C1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			others := map[string]int{}
			for seed := uint64(1); seed <= 300; seed++ {
				r := Run(Config{Seed: seed, Faults: c.faults, mistake: c.mistake})
				if r.Violation == nil {
					continue
				}
				if strings.Contains(c.want, r.Violation.Name) {
					t.Logf("%s after %d seeds: %s; others before: %v", r.Violation.Name, seed, r.Violation.Detail, others)
					return
				}
				others[r.Violation.Name]++
			}
			t.Errorf("not noticed by %s; others: %v", c.want, others)
		})
	}
}

func TestDiskKeepsWhatWasSyncedAndNoHalfRecord(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	least, most := 100, 0
	for range 1000 {
		for _, how := range []Fault{Crash, SyncFails, WriteLost, Torn} {
			var d disk
			for i := range 40 {
				d.write(&stream.Credit{Sequence: stream.Sequence(i), Amount: 7, Void: i%2 == 1})
			}
			d.sync(10)
			d.crash(how, r)
			all := d.recover()
			if len(all) < 10 || how == Crash && len(all) != 40 || len(d.image) != len(all)*recordLen {
				t.Fatalf("%v: %d records are left, in %d octets", how, len(all), len(d.image))
			}
			for i, x := range all {
				if x.sequence != uint64(i) || x.amount != 7 || x.void != (i%2 == 1) {
					t.Fatalf("%v: record %d is %+v", how, i, x)
				}
			}
			if how == Torn {
				least, most = min(least, len(all)), max(most, len(all))
			}
		}
	}
	if least != 10 || most != 40 {
		t.Errorf("a torn write leaves %d to %d records", least, most)
	}
}
