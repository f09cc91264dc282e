package sim

import (
	"bytes"
	"fmt"
	"os/exec"
	"testing"
	"time"
)

// same are the seeds that every build must play alike. Their worlds are cut
// short: a difference shows within the first packets, or in those of any later
// seed.
const (
	same      = 50
	sameNs    = int64(25e9)
	sameSeeds = "1-50"
)

func TestASeedGivesTheSameRunTwice(t *testing.T) {
	for seed := uint64(1); seed <= same; seed++ {
		cfg := Config{Seed: seed, Faults: AllFaults, MaxSafety: sameNs}
		a, b := Run(cfg), Run(cfg)
		if a.Hash != b.Hash || a.Packets != b.Packets || a.Events != b.Events {
			t.Errorf("seed %d: %#x after %d events, then %#x after %d", seed, a.Hash, a.Events, b.Hash, b.Events)
		}
	}
	if a, b := Run(Config{Seed: 1}), Run(Config{Seed: 2}); a.Hash == b.Hash {
		t.Error("two seeds give the same run")
	}
}

// TestASeedGivesTheSameRunWithoutAssembly has the command, built with the tag
// purego, play the seeds that this build plays too. There is no file of hashes to
// keep: they change with every change of the machine, and must agree all the same.
func TestASeedGivesTheSameRunWithoutAssembly(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the command")
	}
	goTool, err := exec.LookPath("go")
	if err != nil {
		t.Skip("there is no go command to build the other build with")
	}
	var stderr bytes.Buffer
	cmd := exec.Command(goTool, "run", "-tags", "purego", "./cmd", "-seeds", sameSeeds, "-hashes", "-safety", fmt.Sprint(time.Duration(sameNs)))
	cmd.Stderr = &stderr
	var want bytes.Buffer
	for seed := uint64(1); seed <= same; seed++ {
		r := Run(Config{Seed: seed, Faults: AllFaults, MaxSafety: sameNs})
		fmt.Fprintf(&want, "%d %016x\n", seed, r.Hash)
	}
	got, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, &stderr)
	}
	a, b := bytes.Split(want.Bytes(), []byte("\n")), bytes.Split(got, []byte("\n"))
	if len(a) != len(b) {
		t.Fatalf("%d seeds, then %d without assembly", len(a)-1, len(b)-1)
	}
	for i := range a {
		if !bytes.Equal(a[i], b[i]) {
			t.Errorf("seed and hash: %s, without assembly %s", a[i], b[i])
		}
	}
}
