package stream

import "testing"

// What a full window kept back while the last money was under way goes out once that has
// arrived, though there is no more money to send.
func TestLastPlainFulfillLetsGoWhatWaitedBehindIt(t *testing.T) {
	for name, say := range map[string]func(m *Machine, now Instant, s StreamHandle) error{
		"data": func(m *Machine, now Instant, s StreamHandle) error {
			_, err := m.Write(now, s, []byte("hello"))
			return err
		},
		"a limit": func(m *Machine, now Instant, s StreamHandle) error { return m.SetReceiveMax(now, s, 1<<50) },
		"a stream's end": func(m *Machine, now Instant, s StreamHandle) error {
			return m.CloseStream(now, s) // which the general path takes
		},
		"a unit": func(m *Machine, now Instant, s StreamHandle) error {
			i, _ := m.StreamInfo(s)
			return m.SetSendMax(now, s, i.Sent+i.Held+1)
		},
		"a stream": func(m *Machine, now Instant, s StreamHandle) error {
			i, _ := m.StreamInfo(s)
			o, err := m.OpenStream(now, i.Conn)
			if err == nil {
				err = m.SetSendMax(now, o, 10)
			}
			return err
		},
	} {
		l := newLane(t, 1, 32)
		c := l.a.conns.At(l.a.conns.Next(0))
		s := l.a.streams.At(c.firstStream)
		h := l.a.streamHandle(s)
		if err := l.a.SetSendMax(l.now, h, s.sent+1000); err != nil {
			t.Fatal(err)
		}
		c.window.size = 1
		l.transmit()
		if c.flight.packets != 1 || s.heldOut == 0 || s.sendMax != s.sent+s.heldOut {
			t.Fatal("the last money is not under way")
		}
		if err := say(l.a, l.now, h); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		plain := l.a.plainPackets
		l.receive(1)
		l.settle(1)
		if l.a.plainPackets == plain && name != "a stream's end" {
			t.Errorf("%s: the fulfill was not a plain one", name)
		}
		if n := l.turn(1); n != 1 {
			t.Errorf("%s: %d packets, want 1", name, n)
		}
	}
}

// A link that was removed is none, also when it was that of the packet before.
func TestNobodyComesInOnARemovedLink(t *testing.T) {
	w := newWorld(t, Options{ReceiveMax: maxAmount}, Config{})
	l := &lane{a: w.a.m, b: w.b.m, la: w.a.link, lb: w.b.link, now: w.now}
	l.prepares = frames{memory: make([]byte, 0, 1<<20), link: l.lb}
	l.answers = frames{memory: make([]byte, 0, 1<<20), link: l.la}
	w.connect(Options{})
	l.transmit()
	l.receive(1)
	if l.b.conns.Len() != 1 {
		t.Fatal("nobody came in on a link that is there")
	}
	w.connect(Options{})
	l.transmit()
	if len(l.prepares.entries) == 0 {
		t.Fatal("there is nothing to hand in")
	}
	l.b.RemoveLink(l.now, l.lb)
	was := l.b.conns.Len()
	l.receive(1)
	if l.b.conns.Len() != was || len(l.answers.entries) != 0 {
		t.Errorf("%d connections, %d before, %d answers", l.b.conns.Len(), was, len(l.answers.entries))
	}
}
