package oer

import "testing"

func TestReadingAndWritingAllocateNothing(t *testing.T) {
	buf := make([]byte, 0, 64)
	octets := make([]byte, 20)
	if n := testing.AllocsPerRun(100, func() {
		b := AppendVarUint(buf, 1<<40)
		b = AppendVarOctets(b, octets)
		_, next, _ := VarUint(b, 0)
		_, _, _ = VarOctets(b, next)
		_, _, _ = VarUint(b[:3], 0) // truncated: an error costs nothing either
		_, _, _ = VarUintSaturating(b, 0)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
