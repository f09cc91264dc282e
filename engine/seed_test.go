package engine

import (
	"testing"

	"github.com/millrace-ilp/millrace/engine/stream"
)

// TestSeedIsReplaced: a process that is resumed from a snapshot must not seal with the
// seed that it had, used or not.
func TestSeedIsReplaced(t *testing.T) {
	e, err := New(Config{Loops: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close(t.Context())
	s := e.shards[0]
	for name, elapsed := range map[string]int64{"an hour later": 3600e9, "the clock is set back": -3600e9} {
		if err := s.call(func() { s.seededAt = s.now() - stream.Instant(elapsed) }); err != nil {
			t.Fatal(err)
		}
		if err := s.call(func() {
			if old := s.now() - s.seededAt; old < 0 || old >= 60e9 { // any call wakes the shard
				t.Errorf("%s: the seed of %d ns ago is still in use", name, old)
			}
		}); err != nil {
			t.Fatal(err)
		}
	}
}
