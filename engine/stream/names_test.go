package stream

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/millrace-ilp/millrace/codec/frame"
	"github.com/millrace-ilp/millrace/codec/ilp"
	"github.com/millrace-ilp/millrace/pool/slab"
	"pgregory.net/rapid"
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

// TestConnectTakesAnAddressThatConnInfoGave: nothing of it is overwritten before it is kept.
func TestConnectTakesAnAddressThatConnInfoGave(t *testing.T) {
	w := newWorld(t, Options{ReceiveMax: maxAmount}, Config{})
	c, _ := w.pay(Options{}, 10)
	server := w.b.expect(EventAccepted).Conn
	secret, _ := w.a.m.SharedSecret(c)
	for name, address := range map[string]func() []byte{
		"Local": func() []byte { i, _ := w.a.m.ConnInfo(c); return i.Local },
		"Peer":  func() []byte { i, _ := w.a.m.ConnInfo(c); return i.Peer },
	} {
		want := string(address())
		other, err := w.a.m.Connect(w.now, ConnectConfig{Link: w.a.link, Destination: address(), SharedSecret: secret})
		if err != nil {
			t.Fatal(err)
		}
		if i, _ := w.a.m.ConnInfo(other); string(i.Peer) != want {
			t.Errorf("%s: %s was asked for, and it sends to %s", name, want, i.Peer)
		}
	}
	if i, _ := w.b.m.ConnInfo(server); i.Received != 10 {
		t.Errorf("%d received", i.Received)
	}
}

// TestTombstoneIsWhereTheTokenWas: what a connection's names say of its token is what its
// packets are found by, whatever stands behind the token, and whatever our address was
// then and is now.
func TestTombstoneIsWhereTheTokenWas(t *testing.T) {
	for _, now := range []string{"", "test.other.longer.than.that", "test.o", "test.server.x"} {
		for _, behind := range []string{"", ".a.b"} {
			h := newHand(t, Options{ReceiveMax: maxAmount}, Config{})
			index := slab.Handle(h.link).Index()
			if now != "" {
				h.m.setAddress(index, h.m.linkOf(h.link), []byte(now))
			}
			token := h.m.tokenHash([]byte(h.token))
			send := func(frames ...appender) handAnswer {
				h.sequence++
				data := h.peer.seal(streamText(ilp.TypePrepare, h.sequence, 0, frames...))
				_, condition := h.peer.prove(data)
				return h.give(Entry{Kind: Prepare, Link: h.link, Request: uint32(h.sequence), Packet: prepare("test.server."+h.token+behind, 0, condition, h.now+30*second, data)})
			}
			send()
			conn := h.m.tokens.Get(token)
			if conn == 0 || conn&graveBit != 0 {
				t.Fatalf("at %q, %q behind the token: no connection", now, behind)
			}
			handle := ConnHandle(h.m.connPlaces.Handle(conn))
			send(frame.ConnectionClose{})
			h.m.ReleaseConn(handle)
			if v := h.m.tokens.Get(token); v&graveBit == 0 {
				t.Errorf("at %q, %q behind the token: it leads to %d after the connection's end", now, behind, v)
			}
			if a := send(); a.fulfilled || a.code != ilp.F02 || h.m.conns.Len() != 0 {
				t.Errorf("at %q, %q behind the token: a late packet gets %s, and there are %d connections", now, behind, a.code, h.m.conns.Len())
			}
		}
	}
}

// The same of a client that has moved.
func TestTombstoneOfAClientThatMovedIsWhereItsTokenIs(t *testing.T) {
	w := newWorld(t, Options{ReceiveMax: maxAmount}, Config{})
	c, _ := w.pay(Options{}, 10)
	server := w.b.expect(EventAccepted).Conn
	info, _ := w.a.m.ConnInfo(c)
	local := string(info.Local)
	token := w.a.m.tokenHash([]byte(local[strings.LastIndexByte(local, '.')+1:]))
	l := w.a.m.linkOf(w.a.link)
	w.a.m.setAddress(slab.Handle(w.a.link).Index(), l, []byte("test.hub.alicia"))
	w.run(second)
	if v := w.a.m.tokens.Get(token); v != slab.Handle(c).Index() {
		t.Fatalf("its token leads to %d", v)
	}
	if err := w.a.m.DestroyConn(w.now, c, frame.NoError, ""); err != nil {
		t.Fatal(err)
	}
	w.run(100 * second)
	w.a.m.ReleaseConn(c)
	w.b.m.ReleaseConn(server)
	if v := w.a.m.tokens.Get(token); v&graveBit == 0 {
		t.Errorf("its token leads to %d after its end", v)
	}
	if w.a.m.conns.Len() != 0 || w.a.m.tokens.Len() != w.a.m.graves.Len() {
		t.Errorf("%d connections, %d tokens, %d tombstones", w.a.m.conns.Len(), w.a.m.tokens.Len(), w.a.m.graves.Len())
	}
}

// TestNamesHeadHoldsTheLongest: every number and length that there may be, beside any other.
func TestNamesHeadHoldsTheLongest(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		upTo := func(what string, most int) int { return rapid.IntRange(0, most).Draw(t, what) }
		peerPrefix, localPrefix := uint16(upTo("peerPrefix", maxPrefixes)), uint16(upTo("localPrefix", maxPrefixes))
		peer, local, tag, token := upTo("peer", ilp.MaxAddress), upTo("local", ilp.MaxAddress), upTo("tag", maxTag), upTo("token", ilp.MaxAddress)
		h := makeNamesHead(peerPrefix, localPrefix, peer, local, tag, token)
		if h.peerPrefix() != peerPrefix || h.localPrefix() != localPrefix || h.peer() != peer || h.local() != local || h.tag() != tag || h.token() != token {
			t.Fatalf("%x of %d, %d, %d, %d, %d, %d", uint64(h), peerPrefix, localPrefix, peer, local, tag, token)
		}
	})
}
