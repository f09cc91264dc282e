package engine

import (
	"slices"
	"testing"
)

// TestLaterRunsInPieces: each piece runs after the one that asked for it, on the loop, and
// the loop does other things in between.
func TestLaterRunsInPieces(t *testing.T) {
	onBackends(t, func(t *testing.T, cfg Config) {
		w := newWorld(t, cfg, ServerConfig{})
		var order []int
		done := make(chan struct{})
		var others int
		var piece func(lp *OnLoop)
		piece = func(lp *OnLoop) {
			order = append(order, len(order))
			if len(order) == 5 {
				close(done)
				return
			}
			lp.Later(piece)
			if len(order) != 1 {
				return
			}
			lp.Later(func(*OnLoop) { others = len(order) })
		}
		if err := w.link.Do(piece); err != nil {
			t.Fatal(err)
		}
		<-done
		if err := w.link.Do(func(*OnLoop) {
			if !slices.Equal(order, []int{0, 1, 2, 3, 4}) || others != 2 {
				t.Errorf("pieces %v; the other ran after %d of them", order, others)
			}
		}); err != nil {
			t.Fatal(err)
		}
	})
}

// TestLaterForEverLetsOthersIn: work without an end holds up neither calls nor money, and
// ends with the engine.
func TestLaterForEverLetsOthersIn(t *testing.T) {
	onBackends(t, func(t *testing.T, cfg Config) {
		w := newWorld(t, cfg, ServerConfig{})
		var again func(lp *OnLoop)
		again = func(lp *OnLoop) { lp.Later(again) }
		if err := w.link.Do(again); err != nil {
			t.Fatal(err)
		}
		for range 100 {
			if err := w.link.Do(func(*OnLoop) {}); err != nil {
				t.Fatal(err)
			}
		}
		closeEngine(t, w.child)
	})
}
