package stream

import (
	"bytes"
	"testing"

	"github.com/millrace-ilp/millrace/codec/frame"
	"github.com/millrace-ilp/millrace/codec/ilp"
	"github.com/millrace-ilp/millrace/pool/slab"
)

// A new address where nobody knows the secret is tried and not used.
func TestAddressWhereNobodyAnswersIsNotUsed(t *testing.T) {
	w := newWorld(t, Options{ReceiveMax: maxAmount}, Config{})
	c, _ := w.pay(Options{}, 10)
	h := w.b.expect(EventAccepted).Conn
	before, _ := w.b.m.ConnInfo(h)
	peerBefore := string(before.Peer)
	secret, _ := w.a.m.SharedSecret(c)
	thief := newPeer(t, secret[:]) // even one who has stolen the secret once
	var tried []string
	w.refuse = func(from *node, p *ilp.Prepare) []byte {
		if from == w.b {
			tried = append(tried, string(p.Destination()))
			return must(ilp.AppendReject(nil, ilp.F02, []byte("test.hub"), nil, nil))
		}
		return nil
	}
	data := thief.seal(streamText(ilp.TypePrepare, 1000, 0, frame.ConnectionNewAddress{Address: []byte("test.thief.x")}))
	_, condition := thief.prove(data)
	info, _ := w.a.m.ConnInfo(c)
	packet := prepare(string(info.Peer), 0, condition, w.now+30*second, data)
	w.b.m.Handle(w.now, []Entry{{Kind: Prepare, Link: w.b.link, Request: 99, Packet: packet}}, &recorderOne{})
	w.run(second)
	if len(tried) != 1 || tried[0] != "test.thief.x" {
		t.Fatalf("tried %q", tried)
	}
	if after, _ := w.b.m.ConnInfo(h); string(after.Peer) != peerBefore {
		t.Fatalf("the peer is at %s now", after.Peer)
	}
}

// moving is a world in which the peer of b's connection tells b new addresses at
// will, by the hand of one who has its secret.
func moving(t *testing.T) (w *world, server ConnHandle, tell func(address string)) {
	w = newWorld(t, Options{ReceiveMax: maxAmount}, Config{})
	c, _ := w.pay(Options{}, 10)
	secret, _ := w.a.m.SharedSecret(c)
	p := newPeer(t, secret[:])
	sequence := uint64(1000)
	info, _ := w.a.m.ConnInfo(c)
	to := string(info.Peer)
	tell = func(address string) {
		sequence++
		data := p.seal(streamText(ilp.TypePrepare, sequence, 0, frame.ConnectionNewAddress{Address: []byte(address)}))
		_, condition := p.prove(data)
		packet := prepare(to, 0, condition, w.now+30*second, data)
		w.b.m.Handle(w.now, []Entry{{Kind: Prepare, Link: w.b.link, Request: uint32(sequence), Packet: packet}}, &recorderOne{})
	}
	return w, w.b.expect(EventAccepted).Conn, tell
}

// The trial of an address that the peer has taken back is not repeated, though
// its link is lost: there is nothing left to try.
func TestTrialOfAnAddressThatWasTakenBackIsNotRepeated(t *testing.T) {
	w, h, tell := moving(t)
	before, _ := w.b.m.ConnInfo(h)
	home := string(before.Peer)
	tried := 0
	w.hook = func(from *node, e *Entry) bool {
		if from != w.b || e.Kind != Prepare {
			return true
		}
		p, err := ilp.ParsePrepare(e.Packet)
		if err != nil {
			t.Fatalf("a prepare that does not parse: %v", err)
		}
		if string(p.Destination()) != "test.elsewhere.x" {
			return true
		}
		tried++
		return false
	}
	tell("test.elsewhere.x")
	w.run(second)
	tell(home)
	w.b.m.LinkLost(w.now, w.b.link)
	w.b.m.LinkUp(w.now, w.b.link)
	w.run(second)
	if after, _ := w.b.m.ConnInfo(h); tried != 1 || string(after.Peer) != home {
		t.Errorf("tried %d times, the peer is at %s", tried, after.Peer)
	}
}

// An answer vouches for the address that it came from, not for one that was told
// while it was on its way.
func TestAnswerVouchesForNoLaterAddress(t *testing.T) {
	w, h, tell := moving(t)
	w.refuse = func(from *node, p *ilp.Prepare) []byte {
		if string(p.Destination()) == "test.elsewhere.x" {
			return must(ilp.AppendReject(nil, ilp.F02, []byte("test.hub"), nil, nil))
		}
		return nil
	}
	tried := false
	w.hook = func(from *node, e *Entry) bool {
		if p, err := ilp.ParsePrepare(e.Packet); from == w.b && e.Kind == Prepare && err == nil && !tried &&
			bytes.HasPrefix(p.Destination(), []byte("test.hub.alicia.")) {
			tried = true
			tell("test.elsewhere.x")
			w.b.m.Transmit(w.now, w.b.link, w.b)
		}
		return true
	}
	l, _ := w.a.m.links.Get(slab.Handle(w.a.link))
	w.a.m.setAddress(slab.Handle(w.a.link).Index(), l, []byte("test.hub.alicia"))
	w.run(second)
	if after, _ := w.b.m.ConnInfo(h); !tried || string(after.Peer) == "test.elsewhere.x" {
		t.Errorf("tried: %v; the peer is at %s, where nobody has answered", tried, after.Peer)
	}
}

// While the peer moves, packets are refused at the address that it has left. That is
// no reason to end a connection whose new address answers.
func TestConnectionOutlivesTheAddressThatItsPeerHasLeft(t *testing.T) {
	for _, probing := range []bool{false, true} {
		w := newWorld(t, Options{ReceiveMax: 1000}, Config{})
		c, s := w.pay(Options{}, 10)
		h := w.b.expect(EventAccepted).Conn
		refused := 0
		w.refuse = func(from *node, p *ilp.Prepare) []byte {
			if from == w.b && bytes.HasPrefix(p.Destination(), []byte("test.hub.alice.")) {
				refused++
				return must(ilp.AppendReject(nil, ilp.F02, []byte("test.hub"), nil, nil))
			}
			return nil
		}
		l, _ := w.a.m.links.Get(slab.Handle(w.a.link))
		w.a.m.setAddress(slab.Handle(w.a.link).Index(), l, []byte("test.hub.alicia"))
		w.hook = func(from *node, e *Entry) bool { // something to say, as the news of the address arrives
			if from == w.a && e.Kind == Prepare && w.hook != nil {
				w.hook = nil
				for _, x := range w.b.m.Streams(h, nil) {
					if probing {
						_ = w.b.m.SetSendMax(w.now, x, 5)
					} else {
						_ = w.b.m.SetReceiveMax(w.now, x, 2000)
					}
				}
				for link, ok := w.b.m.PollReady(); ok; link, ok = w.b.m.PollReady() {
					w.b.m.Transmit(w.now, link, w.b)
				}
			}
			return true
		}
		w.run(10 * second)
		server, _ := w.b.m.ConnInfo(h)
		if refused == 0 || server.Closed || !bytes.HasPrefix(server.Peer, []byte("test.hub.alicia.")) {
			t.Errorf("probing %v: %d refused, closed %v %q, the peer is at %s", probing, refused, server.Closed, server.CloseMessage, server.Peer)
		}
		_ = w.a.m.SetSendMax(w.now, s, 20)
		w.run(10 * second)
		if info, _ := w.a.m.ConnInfo(c); info.Sent != 20 || info.Closed {
			t.Errorf("probing %v: sent %d, closed %v", probing, info.Sent, info.Closed)
		}
	}
}
