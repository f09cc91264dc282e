package stream

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"
)

// TestNamesAreWhatWasGiven: whatever addresses begin with, and however many different
// beginnings there are, they come back, and what is shared of them is bounded and let go.
func TestNamesAreWhatWasGiven(t *testing.T) {
	l := newLane(t, 1, 1)
	m := l.a
	free := len(m.prefixes.index)
	r := rand.New(rand.NewPCG(7, 8))
	type names struct {
		c                *conn
		peer, local, tag []byte
		token            int
	}
	address := func() []byte {
		switch b := fmt.Appendf(nil, "test.c%d", r.IntN(3*maxPrefixes)); r.IntN(4) {
		case 0:
			return []byte("test.all") // in common
		case 1:
			return append(b, bytes.Repeat([]byte("x"), r.IntN(900))...)
		default:
			return b
		}
	}
	check := func(n names) {
		t.Helper()
		peer, local := bytes.Clone(m.peerOf(n.c)), m.localOf(n.c)
		if !bytes.Equal(peer, n.peer) || !bytes.Equal(local, n.local) || !bytes.Equal(m.tagOf(n.c), n.tag) {
			t.Fatalf("%q, %q and %q came back as %q, %q and %q", n.peer, n.local, n.tag, peer, local, m.tagOf(n.c))
		}
		token, _, _ := bytes.Cut(n.local[n.token:], []byte{'.'})
		if m.tokenOf(n.c) != m.tokenHash(token) {
			t.Fatalf("the token of %q is another", n.local)
		}
	}
	give := func(n *names) {
		*n = names{c: n.c, local: append(address(), '.'), tag: bytes.Repeat([]byte("t"), r.IntN(3)*r.IntN(200))}
		n.token = len(n.local)
		n.local = fmt.Appendf(n.local, "token%d", r.IntN(1000))
		if r.IntN(3) == 0 {
			n.local = append(n.local, ".and.more"...)
		}
		if r.IntN(4) > 0 {
			n.peer = append(append(address(), '.'), "tail"...)
		}
		m.setNames(n.c, n.peer, n.local, n.token, n.tag)
	}
	all := make([]names, 2*maxPrefixes)
	for i := range all {
		all[i].c = new(conn)
		give(&all[i])
	}
	if len(m.prefixes.index) != maxPrefixes {
		t.Errorf("%d beginnings are shared, at most %d may be", len(m.prefixes.index), maxPrefixes)
	}
	for range 4 * len(all) {
		n := &all[r.IntN(len(all))]
		check(*n)
		if r.IntN(2) == 0 {
			give(n)
			continue
		}
		n.peer = append(address(), ".moved"...)
		m.setPeer(n.c, n.peer)
	}
	for _, n := range all {
		check(n)
		m.freeNames(n.c)
	}
	if len(m.prefixes.index) != free || len(m.prefixes.entries) > maxPrefixes+1 {
		t.Errorf("%d beginnings are shared in the end, %d at first; %d entries", len(m.prefixes.index), free, len(m.prefixes.entries))
	}
}
