//go:build debug

package pool

import "testing"

func TestReleasedOctetsArePoisoned(t *testing.T) {
	b := Get(100)
	kept := b.B[:cap(b.B)]
	clear(kept)
	b.Release()
	for i, o := range kept {
		if o != poison {
			t.Fatalf("octet %d is %#x after the release", i, o)
		}
	}
}

func TestReleaseThroughAnOldPointerPanicsWhenLentAgain(t *testing.T) {
	b := Get(100)
	b.Release()
	for range 100 { // whoever has the memory now, it is not through b
		defer Get(100).Release()
	}
	defer func() {
		if got := recover(); got != "pool: buffer released twice" {
			t.Errorf("panic is %v", got)
		}
	}()
	b.Release()
}

func TestWritingAfterReleasePanics(t *testing.T) {
	octets := make([]byte, 512)
	checkPoison(octets) // new memory
	for i := range octets {
		octets[i] = poison
	}
	checkPoison(octets) // as released
	for _, at := range []int{0, 1, 511} {
		for _, written := range []byte{0, 1} {
			octets[at] = written
			func() {
				defer func() {
					if got := recover(); got != "pool: buffer written to after its release" {
						t.Errorf("octet %d written %d: panic is %v", at, written, got)
					}
				}()
				checkPoison(octets)
			}()
			octets[at] = poison
		}
	}
}
