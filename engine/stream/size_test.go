package stream

import (
	"testing"

	"github.com/millrace-ilp/millrace/codec/ilp"
)

// A connector that tells a tiny limit once does not slow a connection for ever.
func TestMomentaryLimitIsOutgrown(t *testing.T) {
	var p packetSize
	p.init(maxAmount)
	p.tooLarge(1_000_000, ilp.AppendTooLarge(nil, 1_000_000, 1), maxAmount)
	if p.test != 1 {
		t.Fatalf("tries %d", p.test)
	}
	packets := 0
	for ; p.test < 1_000_000 && packets < 1000; packets++ {
		p.fulfilled(p.test, maxAmount)
	}
	if p.test < 1_000_000 {
		t.Fatalf("tries %d after %d packets", p.test, packets)
	}
}

// A true limit costs few refusals: each one makes the next rarer.
func TestTrueLimitIsSeldomDoubted(t *testing.T) {
	var p packetSize
	p.init(maxAmount)
	refused := 0
	for range 1_000_000 {
		if p.test > 1000 {
			refused++
			p.tooLarge(p.test, ilp.AppendTooLarge(nil, p.test, 1000), maxAmount)
		} else {
			p.fulfilled(p.test, maxAmount)
		}
	}
	if refused < 2 || refused > 10 {
		t.Fatalf("%d refusals in a million packets", refused)
	}
}
