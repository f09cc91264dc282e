package stream

import "testing"

// lane is two machines whose packets go straight across, in memory that is
// used again: a round trip as the hot path has it, without a connector.
type lane struct {
	a, b     *Machine
	la, lb   LinkHandle
	prepares frames
	answers  frames
	now      Instant
}

// frames is an Output over one reused buffer.
type frames struct {
	entries []Entry
	memory  []byte
	link    LinkHandle // of the machine that reads them
}

func (f *frames) reset() { f.entries, f.memory = f.entries[:0], f.memory[:0] }

func (f *frames) take(kind Kind, request uint32, n int) []byte {
	from := len(f.memory)
	f.memory = f.memory[:from+n]
	region := f.memory[from : from+n : from+n]
	f.entries = append(f.entries, Entry{Kind: kind, Link: f.link, Request: request, Packet: region})
	return region
}

func (f *frames) Room(LinkHandle) int { return 1 << 20 }
func (f *frames) Reply(_ LinkHandle, request uint32, n int) []byte {
	return f.take(Fulfill, request, n)
}
func (f *frames) Request(_ LinkHandle, request uint32, n int) []byte {
	return f.take(Prepare, request, n)
}
func (f *frames) Forward(int, Entry) {}

// newLane opens connections that each have a stream with money without end,
// past their rate probes.
func newLane(tb testing.TB, connections, window int) *lane {
	return newLaneOf(tb, connections, window, false)
}

// newLaneOf is newLane; a quiet one has no events of money, as a busy owner wants it.
func newLaneOf(tb testing.TB, connections, window int, quiet bool) *lane {
	w := newWorld(tb, Options{ReceiveMax: maxAmount, NoMoneyEvents: quiet}, Config{})
	for range connections {
		w.connect(Options{MaxPacketAmount: 1000, IdleTimeout: -1, SleepAfter: -1, NoMoneyEvents: quiet})
	}
	w.run(2 * second)
	l := &lane{a: w.a.m, b: w.b.m, la: w.a.link, lb: w.b.link, now: w.now}
	link := l.a.links.At(uint32(l.la))
	link.sizesItself, link.window = false, uint32(window)
	for _, e := range w.a.events {
		if e.Kind == EventConnected {
			s, err := l.a.OpenStream(l.now, e.Conn)
			if err != nil {
				tb.Fatal(err)
			}
			if err := l.a.SetSendMax(l.now, s, 1<<60); err != nil {
				tb.Fatal(err)
			}
		}
	}
	l.prepares = frames{memory: make([]byte, 0, 1<<22), link: l.lb}
	l.answers = frames{memory: make([]byte, 0, 1<<22), link: l.la}
	for range 200 {
		l.turn(MaxVector)
	}
	return l
}

// transmit has a write what its window allows.
func (l *lane) transmit() {
	l.now += 1000
	l.prepares.reset()
	for h, ok := l.a.PollReady(); ok; h, ok = l.a.PollReady() {
		l.a.Transmit(l.now, h, &l.prepares)
	}
}

func (l *lane) receive(vector int) { give(l.b, l.now, l.prepares.entries, vector, &l.answers) }
func (l *lane) settle(vector int)  { give(l.a, l.now, l.answers.entries, vector, &l.prepares) }

func give(m *Machine, now Instant, in []Entry, vector int, out *frames) {
	out.reset()
	for len(in) > 0 {
		n := min(vector, len(in))
		m.Handle(now, in[:n], out)
		in = in[n:]
	}
	var events [64]Event
	for len(m.PollEvents(events[:0])) > 0 {
	}
}

// turn is one round trip of everything in the window.
func (l *lane) turn(vector int) int {
	l.transmit()
	l.receive(vector)
	n := len(l.answers.entries)
	l.settle(vector)
	return n
}

// A turn is Transmit, Handle with prepares in and fulfills out, and Handle with
// fulfills in, so one figure holds for all three.
func TestHotPathDoesNotAllocate(t *testing.T) {
	for _, c := range []struct{ connections, window, vector, turns int }{
		{100, 32, 1, 200},
		{100, 32, 32, 200},
		{connsNear + 100, 32, 32, 200}, // the memory is asked for what is needed
		{100, slotsNear + 96, 32, 50},  // for requests, too
	} {
		l := newLane(t, c.connections, c.window)
		if n := l.turn(c.vector); n != c.window {
			t.Fatalf("%d packets a turn", n)
		}
		before := l.a.Stats().SentPackets
		if n := testing.AllocsPerRun(c.turns, func() { l.turn(c.vector) }); n != 0 {
			t.Errorf("%+v: %v allocations a turn", c, n)
		}
		sent := l.a.Stats().SentPackets
		if sent < before+uint64(c.turns*c.window) || l.b.Stats().ReleasedPackets != sent {
			t.Fatal("the path that was measured carried no money, or not all of it arrived")
		}
	}
}
