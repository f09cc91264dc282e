package stream

import (
	"crypto/sha256"
	"testing"

	"github.com/millrace-ilp/millrace/codec/echo"
	"github.com/millrace-ilp/millrace/codec/ilp"
)

// echoed is a machine that answers echo requests, and what it writes.
type echoed struct {
	t    *testing.T
	m    *Machine
	link LinkHandle
	now  Instant
	room int
	out  []Entry
}

func (w *echoed) Room(LinkHandle) int { return w.room }
func (w *echoed) Reply(l LinkHandle, request uint32, n int) []byte {
	w.out = append(w.out, Entry{Kind: Fulfill, Link: l, Request: request, Packet: make([]byte, n)})
	return w.out[len(w.out)-1].Packet
}

func (w *echoed) Request(l LinkHandle, request uint32, n int) []byte {
	w.out = append(w.out, Entry{Kind: Prepare, Link: l, Request: request, Packet: make([]byte, n)})
	return w.out[len(w.out)-1].Packet
}
func (w *echoed) Forward(int, Entry) { panic("no other shard") }

var (
	echoFulfillment = [32]byte{1, 2, 3}
	echoCondition   = sha256.Sum256(echoFulfillment[:])
)

func newEchoed(t *testing.T, cfg LinkConfig) *echoed {
	w := &echoed{t: t, m: New(Config{Seed: seeded(1)}), now: 1_700_000_000_000_000_000, room: 1 << 20}
	cfg.Address, cfg.Account = []byte("test.hub.node"), 1
	var err error
	if w.link, err = w.m.AddLink(cfg); err != nil {
		t.Fatal(err)
	}
	return w
}

// ask hands in an echo request of 500 units that expires in 30 seconds.
func (w *echoed) ask(request uint32) {
	w.askWith(request, "test.hub.node", must(echo.AppendRequestData(nil, []byte("test.sender"))), w.now+30*second)
}

func (w *echoed) askWith(request uint32, destination string, data []byte, expires Instant) {
	w.handle(Entry{Kind: Prepare, Request: request, Packet: prepare(destination, 500, echoCondition, expires, data)})
}

func (w *echoed) handle(e Entry) {
	e.Link = w.link
	w.m.Handle(w.now, []Entry{e}, w)
}

// wrote is the one packet that the machine has written since it was last asked.
func (w *echoed) wrote() Entry {
	w.t.Helper()
	if len(w.out) != 1 {
		w.t.Fatalf("%d packets are written, want 1", len(w.out))
	}
	e := w.out[0]
	w.out = nil
	return e
}

func (w *echoed) wroteReject(request uint32, code ilp.Code) {
	w.t.Helper()
	e := w.wrote()
	r, err := ilp.ParseReject(e.Packet)
	if err != nil || e.Request != request || r.Code() != code {
		w.t.Fatalf("request %d is answered with %v (%v), want %v to %d", e.Request, r.Code(), err, code, request)
	}
}

func TestEchoRequestGoesBackToItsSource(t *testing.T) {
	w := newEchoed(t, LinkConfig{Echo: true})
	w.ask(7)
	e := w.wrote()
	p, err := ilp.ParsePrepare(e.Packet)
	if err != nil || e.Kind != Prepare {
		t.Fatalf("%v is written, %v", e.Kind, err)
	}
	if string(p.Destination()) != "test.sender" || p.Amount() != 500 || [32]byte(p.Condition()) != echoCondition || !echo.IsResponse(p.Data()) {
		t.Errorf("the prepare is for %s, %d units, data %q", p.Destination(), p.Amount(), p.Data())
	}
	if want := (w.now + 29*second).unixMs(); p.ExpiryUnixMs() != want {
		t.Errorf("it expires at %d, want %d: before the request", p.ExpiryUnixMs(), want)
	}
	if n := w.m.Stats().InFlight; n != 1 {
		t.Errorf("%d in flight, want 1", n)
	}
	fulfill := must(ilp.AppendFulfill(nil, &echoFulfillment, []byte("data")))
	w.handle(Entry{Kind: Fulfill, Request: e.Request, Packet: fulfill})
	if back := w.wrote(); back.Request != 7 || string(back.Packet) != string(fulfill) {
		t.Errorf("request %d is answered with %x, want 7 with %x", back.Request, back.Packet, fulfill)
	}
	if i, _ := w.m.LinkInfo(w.link); i.InFlight != 0 || w.m.Stats().InFlight != 0 {
		t.Errorf("%d and %d in flight, want none", i.InFlight, w.m.Stats().InFlight)
	}
	w.handle(Entry{Kind: Fulfill, Request: e.Request, Packet: fulfill})
	if len(w.out) != 0 {
		t.Error("a second answer is passed on")
	}
}

func TestWhatAnEchoIsRefusedWithAnswersTheRequest(t *testing.T) {
	reject := must(ilp.AppendReject(nil, ilp.T04, []byte("test.hub"), []byte("no money"), nil))
	wrong := [32]byte{9}
	for _, c := range []struct {
		name   string
		answer Entry
		want   ilp.Code
	}{
		{"reject", Entry{Kind: Reject, Packet: reject}, ilp.T04},
		{"failure", Entry{Kind: Failure}, ilp.T00},
		{"no ILP packet", Entry{Kind: Reject, Packet: []byte("none")}, ilp.T00},
		{"no ILP fulfill", Entry{Kind: Fulfill, Packet: []byte("none")}, ilp.F05},
		{"wrong fulfillment", Entry{Kind: Fulfill, Packet: must(ilp.AppendFulfill(nil, &wrong, nil))}, ilp.F05},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newEchoed(t, LinkConfig{Echo: true})
			w.ask(7)
			c.answer.Request = w.wrote().Request
			w.handle(c.answer)
			w.wroteReject(7, c.want)
		})
	}
}

func TestEchoThatNobodyAnswersIsAnsweredBeforeTheRequestExpires(t *testing.T) {
	w := newEchoed(t, LinkConfig{Echo: true})
	w.ask(7)
	w.wrote()
	w.now += 29*second + 10e6 // a tick of the timers
	w.m.HandleTimeout(w.now, w)
	w.wroteReject(7, ilp.R00)
	if n := w.m.Stats().InFlight; n != 0 {
		t.Errorf("%d in flight, want none", n)
	}
	if e, ok := w.m.PollEvent(); ok {
		t.Errorf("event %v", e.Kind)
	}
}

func TestEchoesOfALostLinkAreForgotten(t *testing.T) {
	w := newEchoed(t, LinkConfig{Echo: true})
	for i := range uint32(maxEchoes) {
		w.ask(i)
	}
	w.m.LinkLost(w.now, w.link)
	w.m.LinkUp(w.now, w.link)
	w.out = nil
	w.ask(7)
	if e := w.wrote(); e.Kind != Prepare {
		t.Errorf("an echo on the link that is back is answered with %v", e.Kind)
	}
	if e, ok := w.m.PollEvent(); ok {
		t.Errorf("event %v", e.Kind)
	}
}

func TestEchoesThatWaitAreBounded(t *testing.T) {
	w := newEchoed(t, LinkConfig{Echo: true})
	for i := range uint32(maxEchoes) {
		w.ask(i)
	}
	first := w.out[0].Request
	w.out = nil
	w.ask(100)
	w.wroteReject(100, ilp.T03)
	w.handle(Entry{Kind: Failure, Request: first})
	w.wroteReject(0, ilp.T00)
	w.ask(101)
	if e := w.wrote(); e.Kind != Prepare {
		t.Errorf("with room again an echo is answered with %v", e.Kind)
	}
}

func TestEchoRequestsThatCannotBeServedAreRefused(t *testing.T) {
	good := must(echo.AppendRequestData(nil, []byte("test.sender")))
	for _, c := range []struct {
		name        string
		link        LinkConfig
		destination string
		data        []byte
		expires     Instant
		room        int
		want        ilp.Code
	}{
		{"not enabled", LinkConfig{}, "test.hub.node", good, 30 * second, 1 << 20, ilp.F02},
		{"for an address below", LinkConfig{Echo: true}, "test.hub.node.x", good, 30 * second, 1 << 20, ilp.F02},
		{"a response", LinkConfig{Echo: true}, "test.hub.node", echo.AppendResponseData(nil), 30 * second, 1 << 20, ilp.F02},
		{"without source", LinkConfig{Echo: true}, "test.hub.node", good[:echo.ResponseLen], 30 * second, 1 << 20, ilp.F01},
		{"about to expire", LinkConfig{Echo: true}, "test.hub.node", good, second, 1 << 20, ilp.R02},
		{"no room", LinkConfig{Echo: true}, "test.hub.node", good, 30 * second, 100, ilp.T03},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newEchoed(t, c.link)
			w.room = c.room
			w.askWith(7, c.destination, c.data, w.now+c.expires)
			w.wroteReject(7, c.want)
		})
	}
}

func TestEchoesHaveAWindowOfMoneyOfTheirOwn(t *testing.T) {
	w := newEchoed(t, LinkConfig{Echo: true, WindowAmount: 900})
	w.ask(1)
	w.wrote()
	w.ask(2)
	w.wroteReject(2, ilp.T04)
}

// Nobody pays for an echo that is never fulfilled: it must not keep us from paying.
func TestEchoesLeaveOurWindowsAlone(t *testing.T) {
	for _, c := range []struct {
		name   string
		link   LinkConfig
		amount Amount
		n      uint32
	}{
		{"one of everything", LinkConfig{Echo: true}, maxAmount, 1},
		{"as many as the window has packets", LinkConfig{Echo: true, Window: 32}, 1, 32},
		{"all the money of the window", LinkConfig{Echo: true, WindowAmount: 100}, 100, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newEchoed(t, c.link)
			for i := range c.n {
				data := must(echo.AppendRequestData(nil, []byte("test.sender")))
				w.handle(Entry{Kind: Prepare, Request: i, Packet: prepare("test.hub.node", c.amount, echoCondition, w.now+30*second, data)})
			}
			if uint32(len(w.out)) != c.n || w.out[0].Kind != Prepare {
				t.Fatalf("%d packets for %d echoes", len(w.out), c.n)
			}
			w.out = nil
			conn, err := w.m.Connect(w.now, ConnectConfig{Link: w.link, Destination: []byte("test.shop.x"), Options: Options{RateNum: 1, RateDen: 1}})
			if err != nil {
				t.Fatal(err)
			}
			s, err := w.m.OpenStream(w.now, conn)
			if err != nil {
				t.Fatal(err)
			}
			_ = w.m.SetSendMax(w.now, s, 5)
			if w.m.Transmit(w.now, w.link, w) == 0 {
				t.Error("our own connection sends nothing while strangers' echoes wait")
			}
		})
	}
}

func TestLoadBeyondEverythingForgetsNothing(t *testing.T) {
	var l load
	mine, most := &slot{amount: 100}, &slot{amount: maxAmount}
	l.add(mine)
	l.add(most)
	if !l.full(10, 10, maxAmount) || l.room(maxAmount) != 0 {
		t.Error("there is room beyond 2^64-1")
	}
	l.remove(most)
	if l.money != 100 || l.above != 0 {
		t.Errorf("%d in flight (%d times 2^64 above), want 100", l.money, l.above)
	}
}
