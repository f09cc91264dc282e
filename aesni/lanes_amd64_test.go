//go:build amd64 && !purego && gc

package aesni

import "testing"

func TestLanesAreAsManyAsPayAndNeverTooMuchAtOnce(t *testing.T) {
	for _, c := range []struct {
		tier      shaTier
		n, octets int
		want      int
	}{
		{sha16, 1, 100, 1}, {sha16, 2, 100, 4}, {sha16, 6, 100, 4}, {sha16, 7, 100, 16}, {sha16, 64, 100, 16},
		{sha16, 64, maxKernel / 16, 16}, {sha16, 64, maxKernel/16 + 1, 4}, {sha16, 64, maxKernel / 4, 4}, {sha16, 64, maxKernel/4 + 1, 1},
		{sha4, 1, 100, 1}, {sha4, 2, 100, 4}, {sha4, 64, 100, 4}, {sha4, 64, maxKernel/4 + 1, 1},
		{sha2, 1, 100, 1}, {sha2, 2, 100, 2}, {sha2, 64, 100, 2}, {sha2, 64, maxKernel/4 + 1, 1},
	} {
		n := lanes(c.tier, c.n, c.octets)
		if n != c.want {
			t.Errorf("%s: %d packets of %d octets go in %d lanes, want %d", shaNames[c.tier], c.n, c.octets, n, c.want)
		}
		if n > 1 && n*c.octets > maxKernel {
			t.Errorf("%s: %d octets at once", shaNames[c.tier], n*c.octets)
		}
	}
}

// A self-test that can not fail would be none.
func TestSelfTestFindsWhatIsWrong(t *testing.T) {
	if best.sha == shaStdlib {
		t.Skip("this machine has no SHA extensions: there is nothing to break")
	}
	defer func(was [8]uint32) {
		initial = was
		if recover() == nil {
			t.Error("proofs with another initial state pass the self-test")
		}
	}(initial)
	initial[3]++
	selfTest(implementation{gcmStdlib, sha2})
}

// TestLongPacketsAreNotProvedAsTheyStand: sixteen of them at once would be long.
func TestLongPacketsAreNotProvedAsTheyStand(t *testing.T) {
	if best.sha != sha16 {
		t.Skip("this machine does not prove in sixteen lanes")
	}
	keys := twoSlots(NewKeys)
	for octets, want := range map[int]bool{1: true, 45: true, 64*maxAlikeBlocks + 55: true, 64*maxAlikeBlocks + 56: false, 1 << 20: false} {
		var ops [maxLanes]Op
		for i := range ops {
			ops[i].Data = make([]byte, octets)
		}
		if done := keys.proveAlike(&ops); done != want {
			t.Errorf("sixteen packets of %d octets are proved as they stand: %t", octets, done)
		}
	}
}
