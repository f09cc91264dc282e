package stream

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/millrace-ilp/millrace/codec/ilp"
)

// carries has one stream carry octets over a path for a while: written whenever there
// is room, read in pieces of so many octets whenever there are some, at most perStep of
// them each millisecond. It answers how many were read.
func (p *hose) carries(s StreamHandle, d Instant, piece, perStep int) (octets int) {
	p.t.Helper()
	block := pattern(1 << 16)
	into := make([]byte, piece)
	for end := p.now + d; p.now < end; {
		for n, err := 1, error(nil); n > 0; {
			if n, err = p.a.m.Write(p.now, s, block); err != nil {
				p.t.Fatal(err)
			}
		}
		p.step(ms)
		e, ok := p.b.find(EventStreamOpened)
		for left := perStep; ok && left > 0; {
			n, err := p.b.m.Read(p.now, e.Stream, into)
			if err != nil {
				p.t.Fatal(err)
			}
			if n == 0 {
				break
			}
			octets, left = octets+n, left-n
		}
		p.b.drain()
		p.sendOff(p.b)
	}
	return octets
}

func (p *hose) flows(o Options) StreamHandle {
	p.t.Helper()
	o.RateNum, o.RateDen = 1, 1
	s, err := p.a.m.OpenStream(p.now, p.connect(o))
	if err != nil {
		p.t.Fatal(err)
	}
	return s
}

// windows is the receiver's windows of the stream and of its connection, and what the
// sender's buffer may hold.
func (p *hose) windows(s StreamHandle) (stream, connection uint64, buffer int) {
	e := p.b.expect(EventStreamOpened)
	in := p.b.m.streams.At(uint32(e.Stream))
	return p.b.m.data.At(in.data).window, p.b.m.coldOf(p.b.m.conns.At(in.conn)).dataWindow, p.a.m.data.At(p.a.m.streams.At(uint32(s)).data).room
}

func TestDataFillsALongPath(t *testing.T) {
	for _, x := range []struct {
		roundTrip, opens Instant // how long it takes until all is open
		piece            int
		rate             int // octets a second from then on
	}{
		{50 * ms, second, 1 << 20, 200e6},
		{50 * ms, second, 4096, 200e6},
		{50 * ms, second, 1000, 200e6},
		{600 * ms, 8 * second, 1 << 20, 20e6}, // maxWindow each 0.6 s is 28 MB/s
		{600 * ms, 8 * second, 4096, 20e6},
		{second, 14 * second, 1 << 20, 12e6},
	} {
		t.Run(fmt.Sprintf("%d ms, reads of %d", x.roundTrip/ms, x.piece), func(t *testing.T) {
			p := newHose(t, x.roundTrip, 100_000) // 32 KiB each 0.1 ms: 327 MB/s
			s := p.flows(Options{})
			p.carries(s, x.opens, x.piece, 1<<30)
			spell := max(second, 2*x.roundTrip)
			if rate := p.carries(s, spell, x.piece, 1<<30) * 1000 / int(spell/ms); rate < x.rate {
				t.Errorf("%d octets a second", rate)
			}
			if in, conn, out := p.windows(s); in > maxWindow || conn > maxWindow || out > maxWindow {
				t.Errorf("windows of %d and %d, buffer of %d octets", in, conn, out)
			}
		})
	}
}

// A window is for what is on its way: a sender of little needs none that is large,
// however long it goes on and however quick the reader is.
func TestWindowsOfDataDoNotGrowForASlowSender(t *testing.T) {
	p := newHose(t, 50*ms, 16*ms) // 2 MB/s: 100 KB are on the way
	s := p.flows(Options{})
	p.carries(s, 20*second, 4096, 1<<30)
	if in, conn, _ := p.windows(s); in > 1<<20 || conn > 2<<20 {
		t.Errorf("windows of %d and %d octets", in, conn)
	}
}

// The shortest round trip that was seen must not keep a window small for ever.
func TestWindowsOfDataFindALongerPath(t *testing.T) {
	p := newHose(t, 5*ms, 1*ms) // 32 MB/s: 160 KB are on the way
	s := p.flows(Options{SendBuffer: maxWindow})
	p.carries(s, second, 4096, 1<<30)
	before, _, _ := p.windows(s)
	p.oneWay = 150 * ms // the route has changed: 10 MB
	p.carries(s, 20*second, 4096, 1<<30)
	rate := p.carries(s, second, 4096, 1<<30)
	if after, _, _ := p.windows(s); before > 4<<20 || after < 8<<20 || rate < 12e6 {
		t.Errorf("a window of %d octets, then one of %d: %d octets a second", before, after, rate)
	}
}

func TestWindowsOfDataGrowNoFurtherThanOptionsSay(t *testing.T) {
	w := newWorld(t, Options{MaxStreamWindow: 1 << 20, ConnectionWindow: 2 << 20}, Config{})
	p := &hose{world: w, oneWay: 25 * ms}
	s := p.flows(Options{SendBuffer: 1 << 20, MaxSendBuffer: 3 << 20})
	p.carries(s, 3*second, 1<<20, 1<<30)
	if in, conn, out := p.windows(s); in != 1<<20 || conn != 2<<20 || out > 3<<20 {
		t.Errorf("windows of %d and %d, buffer of %d octets", in, conn, out)
	}
}

func TestWindowsOfDataDoNotGrowForASlowReader(t *testing.T) {
	p := newHose(t, 2*ms, 0)
	s := p.flows(Options{})
	p.carries(s, 2*second, 10_000, 10_000) // 10 MB/s, and as much could come
	if in, conn, _ := p.windows(s); in > 128<<10 || conn > 2<<20 {
		t.Errorf("windows of %d and %d octets", in, conn)
	}
}

func TestWindowsOfDataDoNotGrowWhenMemoryIsShort(t *testing.T) {
	w := newWorld(t, Options{}, Config{MaxBuffered: 1 << 20})
	p := &hose{world: w, oneWay: 25 * ms}
	s := p.flows(Options{})
	if n := p.carries(s, 3*second, 1<<20, 1<<30); n == 0 {
		t.Fatal("nothing arrived")
	}
	if in, conn, out := p.windows(s); in > 256<<10 || conn > 1<<20 || out > 256<<10 {
		t.Errorf("windows of %d and %d, buffer of %d octets", in, conn, out)
	}
}

// Where nothing is gained, nothing grows: the buffer of a short path whose slowest
// place has a queue already.
func TestSendBufferStaysSmallOnAShortPath(t *testing.T) {
	p := newHose(t, 100_000, 1*ms) // 32 MB/s
	s := p.flows(Options{})
	p.carries(s, second, 1<<20, 1<<30)
	if _, _, out := p.windows(s); out > 512<<10 {
		t.Errorf("buffer of %d octets", out)
	}
}

// Each outage of the path is a new one when data has arrived since: the pauses that
// follow it begin at the shortest again.
func TestDataThatArrivesEndsThePauses(t *testing.T) {
	w := newWorld(t, Options{}, Config{})
	c := w.connect(Options{})
	w.run(second)
	s, _ := w.a.m.OpenStream(w.now, c)
	for turn := range 10 {
		left := w.refuseNext(1, ilp.T00)
		if _, err := w.a.m.Write(w.now, s, pattern(1000)); err != nil {
			t.Fatal(err)
		}
		w.run(second)
		if n := len(readAll(t, w.b.m, w.now, w.b.expect(EventStreamOpened).Stream)); n != 1000 || *left != 0 {
			t.Fatalf("turn %d: %d octets arrived", turn, n)
		}
	}
}

func TestOctetsThatWrapAroundAreSentAgainAsTheyWere(t *testing.T) {
	w := newWorld(t, Options{}, Config{})
	c := w.connect(Options{SendBuffer: 100_000})
	w.run(second)
	s, _ := w.a.m.OpenStream(w.now, c)
	want := pattern(600_000)
	var got []byte
	left := new(int)
	for sent := 0; len(got) < len(want); {
		n, err := w.a.m.Write(w.now, s, want[sent:min(sent+70_001, len(want))])
		if err != nil {
			info, _ := w.a.m.ConnInfo(c)
			t.Fatalf("%v: %s", err, info.CloseMessage)
		}
		sent += n
		if w.refuse == nil || *left == 0 {
			left = w.refuseNext(3, ilp.T00) // some of each turn are lost
		}
		w.run(second)
		got = append(got, readAll(t, w.b.m, w.now, w.b.expect(EventStreamOpened).Stream)...)
	}
	if !bytes.Equal(got, want) {
		t.Fatal("other octets than were written")
	}
}

// TestWindowOfThePeerOnlyRises: whatever it tells, and in whatever part of the record.
func TestWindowOfThePeerOnlyRises(t *testing.T) {
	for _, told := range [][]uint64{
		{}, {5}, {assumedStreamWindow}, {usualStreamWindow}, {20_000, usualStreamWindow}, {usualStreamWindow, 70_000, 100},
		{100_000, usualStreamWindow}, {usualStreamWindow, 20_000}, {1 << 63, 1<<64 - 1, 1 << 62},
	} {
		w := newWorld(t, Options{}, Config{})
		var s streamRec
		want := uint64(assumedStreamWindow)
		for _, end := range told {
			w.a.m.raiseWindow(&s, end)
			if want = max(want, end); w.a.m.windowRemote(&s) != want {
				t.Errorf("%d: %d, not %d", told, w.a.m.windowRemote(&s), want)
			}
		}
	}
}
