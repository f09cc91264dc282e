//go:build linux && (amd64 || arm64)

package engine

import (
	"bytes"
	"math/rand/v2"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func mustLender(t *testing.T, ready int) *lender {
	t.Helper()
	l, ok := newLender(ready)
	if !ok {
		t.Fatal("no memory")
	}
	return l.(*lender)
}

// TestLentMemoryIsZeroedAndApart: whatever went back in between, and whose page the system took.
func TestLentMemoryIsZeroedAndApart(t *testing.T) {
	const octets = 331_776 // of 1,024 connections
	l := mustLender(t, 3*hugePage)
	r := rand.New(rand.NewPCG(1, 2))
	var out [][]byte
	most := 0
	for turn := range 3000 {
		n := []int{octets, 24 << 10, 100}[turn%3]
		if grow := turn/500%2 == 0; len(out) > 0 && r.IntN(10) > 7 == grow {
			k := r.IntN(len(out))
			b := out[k]
			out[k] = out[len(out)-1]
			out = out[:len(out)-1]
			mark := b[0]
			for _, at := range []int{1, len(b) / 2, len(b) - 1} {
				if b[at] != mark {
					t.Fatalf("turn %d: somebody else has written here", turn)
				}
			}
			clear(b)
			l.Return(b)
			continue
		}
		b := l.Lend(n)[:n]
		for i := 0; i < n; i += 63 {
			if b[i] != 0 {
				t.Fatalf("turn %d: not zeroed at %d", turn, i)
			}
		}
		for i := range b {
			b[i] = byte(turn | 1)
		}
		out = append(out, b)
		most = max(most, len(out))
	}
	for _, b := range out {
		clear(b)
		l.Return(b)
	}
	gone, resident := 0, 0
	for g, pages := range l.pages {
		for k, p := range pages {
			if p.lent != 0 {
				t.Fatalf("%d octets of page %d are lent", p.lent, k)
			}
			if p.gone {
				gone++
			}
			if g >= l.kept && isResident(t, l.memory.grown[g][k*hugePage:][:hugePage]) {
				resident++
			}
		}
	}
	if gone < 5 || resident > 2 { // one may have been made ready, and what is next
		t.Errorf("%d pages are gone, and %d are there", gone, resident)
	}
	for k := range 3 {
		if !isResident(t, l.memory.grown[0][k*hugePage:][:hugePage]) && unix.Madvise(l.memory.grown[0][:hugePage], unix.MADV_POPULATE_WRITE) == nil {
			t.Errorf("page %d that was reserved is gone", k)
		}
	}
	l.Return(make([]byte, 64)) // none of its own
	if len(l.back[64]) != 0 {
		t.Error("it lends what is not its own")
	}
}

// TestPageThatWentIsMadeReady: who borrows does not wait for the system to clear it.
func TestPageThatWentIsMadeReady(t *testing.T) {
	l := mustLender(t, 0)
	var out [][]byte
	for range 40 {
		out = append(out, l.Lend(hugePage/2))
		out[len(out)-1][0] = 1
	}
	if unix.Madvise(l.memory.free[:hugePage], unix.MADV_POPULATE_WRITE) != nil {
		t.Skip("this system cannot")
	}
	for _, b := range out {
		b[0] = 0
		l.Return(b)
	}
	first := out[len(out)-1]
	if isResident(t, first) {
		t.Fatal("it is not gone")
	}
	if b := l.Lend(hugePage / 2); &b[0] != &first[0] {
		t.Fatal("what was returned last is not lent first")
	}
	next := out[len(out)-4] // the page after the next: half of the next is in the one that is used now
	l.Lend(hugePage / 2)
	l.Lend(hugePage / 2)
	for deadline := time.Now().Add(10 * time.Second); !isResident(t, next); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the next is not made ready")
		}
	}
	if isResident(t, out[0]) {
		t.Error("the last is there, too")
	}
	if !bytes.Equal(next, make([]byte, len(next))) {
		t.Error("it is not zeroed")
	}
}
