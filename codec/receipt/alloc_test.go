package receipt

import (
	"testing"

	"github.com/millrace-ilp/millrace/codec/ilp"
)

func TestReadingAndWritingAllocateNothing(t *testing.T) {
	buf := make([]byte, 0, Len)
	whole := append(AppendUnsigned(nil, new([16]byte), 1, 500), make([]byte, 32)...)
	var total ilp.Amount
	if n := testing.AllocsPerRun(100, func() {
		r, _ := Parse(whole)
		b := AppendUnsigned(buf, &r.Nonce, r.StreamID, r.TotalReceived)
		total += ilp.Amount(len(b))
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
