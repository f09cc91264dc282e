package aesni

import (
	"os"
	"syscall"
	"testing"
)

// fence is memory between two pages that nobody may touch.
type fence struct{ pages []byte }

func newFence(t *testing.T, pages int) *fence {
	t.Helper()
	size := os.Getpagesize()
	all, err := syscall.Mmap(-1, 0, (pages+2)*size, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Munmap(all) })
	for _, guard := range [][]byte{all[:size], all[len(all)-size:]} {
		if err := syscall.Mprotect(guard, syscall.PROT_NONE); err != nil {
			t.Fatal(err)
		}
	}
	return &fence{all[size : len(all)-size]}
}

// front and back are n octets at the one fence and at the other.
func (f *fence) front(n int) []byte { return f.pages[:n:n] }
func (f *fence) back(n int) []byte  { return f.pages[len(f.pages)-n:] }

// Masked loads make it easy to read too far and not to notice.
func TestNothingIsTouchedBeyondTheBuffers(t *testing.T) {
	texts, envelopes := newFence(t, 9), newFence(t, 9)
	d := newDiffer(t, secret(4))
	lengths := make([]int, 0, 1200)
	for n := range 1101 {
		lengths = append(lengths, n)
	}
	for _, n := range append(lengths, 4095, 4096, 20_000, 32739) {
		for _, at := range []func(*fence, int) []byte{(*fence).front, (*fence).back} {
			text, data := at(texts, n), at(envelopes, n+Overhead)
			copy(text, pattern(n, byte(n)))
			d.check([12]byte(pattern(12, byte(n))), text, data)
			d.forge(data, text, n)
		}
	}
}

// One packet of sixteen, four or two lies at a fence, the others anywhere.
func TestTheLanesTouchNothingBeyondTheirPackets(t *testing.T) {
	front, back := newFence(t, 2), newFence(t, 2)
	std := twoSlots(func() *Keys { return newKeys(implementation{}) })
	eachTier(t, func(t *testing.T, newKeys func() *Keys) {
		keys := twoSlots(newKeys)
		for n := range 400 {
			for _, count := range []int{2, 4, 16} {
				ops := make([]Op, count)
				for i := range ops {
					ops[i].Data = pattern(n, byte(i))
				}
				ops[n%count].Data = front.front(n)
				ops[(n+1)%count].Data = back.back(n)
				keys.ProveVector(ops)
				for i := range ops {
					want := Op{Data: ops[i].Data}
					std.Prove(&want)
					if want.Fulfillment != ops[i].Fulfillment || want.Condition != ops[i].Condition {
						t.Fatalf("%d octets, lane %d of %d", n, i, count)
					}
				}
			}
		}
	})
}
