package stream

import (
	"testing"

	"github.com/millrace-ilp/millrace/codec/frame"
	"github.com/millrace-ilp/millrace/codec/ilp"
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
