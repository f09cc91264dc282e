package stream

import "testing"

// as TestRev15, but the end of the sequence is reached by sending
func TestSequencesEndBySending(t *testing.T) {
	w := newWorld(t, Options{ReceiveMax: maxAmount}, Config{})
	c := w.connect(Options{RateNum: 1, RateDen: 1, MaxPacketAmount: 10, IdleTimeout: -1})
	s, _ := w.a.m.OpenStream(w.now, c)
	w.idx(c).nextSequence = maxSequence - 50
	_ = w.a.m.SetSendMax(w.now, s, 10_000)
	w.run(300 * second)
	i, _ := w.a.m.ConnInfo(c)
	_, told := w.a.find(EventClosed)
	t.Logf("sent %d closed %v %q", i.Sent, i.Closed, i.CloseMessage)
	if !told {
		t.Fatal("silence at the end of the sequence")
	}
}
