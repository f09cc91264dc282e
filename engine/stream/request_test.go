package stream

import (
	"testing"

	"github.com/millrace-ilp/millrace/pool/slab"
)

// A peer may answer a request of the process before on a link of this one.
func TestRequestsOfTwoProcessesHaveOtherIDs(t *testing.T) {
	a, b := New(Config{Seed: seeded(1)}), New(Config{Seed: seeded(2)})
	if h := slab.Handle(1<<32 | 1); a.requestID(h) == b.requestID(h) {
		t.Errorf("the first request has id %#x in both", a.requestID(h))
	}
}
