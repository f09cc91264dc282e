package stream

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/millrace-ilp/millrace/codec/frame"
	"github.com/millrace-ilp/millrace/codec/ildcp"
	"github.com/millrace-ilp/millrace/codec/ilp"
)

// child adds a link without an address, whose parent can tell it one.
func (h *hand) child() LinkHandle {
	h.t.Helper()
	link, err := h.m.AddLink(LinkConfig{Account: 7})
	if err != nil {
		h.t.Fatal(err)
	}
	return link
}

// ask asks the parent of a link for its address and returns the request.
func (h *hand) ask(link LinkHandle) Entry {
	h.t.Helper()
	h.requests = nil
	if err := h.m.AskConfig(h.now, link, h); err != nil {
		h.t.Fatal(err)
	}
	return h.requests[0]
}

// configAnswer is the parent's answer to a request.
func configAnswer(e Entry, address string) Entry {
	packet := must(ildcp.AppendResponse(nil, ildcp.Config{Address: []byte(address), AssetCode: []byte("EUR"), AssetScale: 4}))
	return Entry{Kind: Fulfill, Link: e.Link, Request: e.Request, Packet: packet}
}

func TestChildLearnsItsAddressFromItsParent(t *testing.T) {
	parent, h := newHand(t, Options{}, Config{}), newHand(t, Options{}, Config{})
	down, err := parent.m.AddLink(LinkConfig{Address: []byte("test.parent"), Child: []byte("test.parent.child"), AssetCode: []byte("EUR"), AssetScale: 4})
	if err != nil {
		t.Fatal(err)
	}
	link := h.child()
	if _, err := h.m.Connect(h.now, ConnectConfig{Link: link, Destination: []byte("test.server.x")}); err != ErrNoAddress {
		t.Fatalf("before: %v", err)
	}
	for range 2 { // it may ask again
		request := h.ask(link)
		if info, _ := h.m.LinkInfo(link); info.InFlight != 1 {
			t.Fatalf("%d in flight", info.InFlight)
		}
		parent.give(Entry{Kind: Prepare, Link: down, Request: 9, Packet: request.Packet})
		answer := Entry{Kind: Fulfill, Link: link, Request: request.Request, Packet: parent.last}
		h.give(answer, answer)
		if events := h.events(); len(events) != 1 || events[0].Kind != EventLinkConfigured || events[0].Link != link {
			t.Fatalf("%+v", events)
		}
		info, ok := h.m.LinkInfo(link)
		if !ok || string(info.Address) != "test.parent.child" || string(info.AssetCode) != "EUR" || info.AssetScale != 4 || !info.Up || info.InFlight != 0 {
			t.Fatalf("%v %+v", ok, info)
		}
	}
	if _, err := h.m.Connect(h.now, ConnectConfig{Link: link, Destination: []byte("test.server.x")}); err != nil {
		t.Fatalf("after: %v", err)
	}
}

func TestParentAnswersOnlyWhatItShould(t *testing.T) {
	h := newHand(t, Options{}, Config{})
	link, _ := h.m.AddLink(LinkConfig{Address: []byte("test.parent"), Child: []byte("test.parent.child")})
	request := func(destination string, condition [32]byte, expires Instant) []byte {
		return prepare(destination, 0, condition, expires, nil)
	}
	for name, c := range map[string]struct {
		link   LinkHandle
		packet []byte
		code   ilp.Code
	}{
		"expired":           {link, request("peer.config", ilp.PeerCondition, h.now-second), ilp.F00},
		"another condition": {link, request("peer.config", [32]byte{1}, h.now+second), ilp.F00},
		"another protocol":  {link, request("peer.route", ilp.PeerCondition, h.now+second), ilp.F01},
		"no child":          {h.link, request("peer.config", ilp.PeerCondition, h.now+second), ilp.F01},
	} {
		if a := h.give(Entry{Kind: Prepare, Link: c.link, Request: 1, Packet: c.packet}); a.fulfilled || a.code != c.code {
			t.Errorf("%s: %+v, want %v", name, a, c.code)
		}
	}
}

func TestLinkStaysWithoutAnAddressWhenTheParentDoesNotTell(t *testing.T) {
	for name, refuse := range map[string]func(h *hand, e Entry){
		"refused": func(h *hand, e Entry) {
			h.give(Entry{Kind: Reject, Link: e.Link, Request: e.Request, Packet: must(ilp.AppendReject(nil, ilp.F01, nil, nil, nil))})
		},
		"failed at the link": func(h *hand, e Entry) { h.give(Entry{Kind: Failure, Link: e.Link, Request: e.Request}) },
		"wrong fulfillment": func(h *hand, e Entry) {
			h.give(Entry{Kind: Fulfill, Link: e.Link, Request: e.Request, Packet: must(ilp.AppendFulfill(nil, &[32]byte{1}, nil))})
		},
		"link lost":      func(h *hand, e Entry) { h.m.LinkLost(h.now, e.Link); h.m.LinkUp(h.now, e.Link) },
		"never answered": func(h *hand, _ Entry) { h.now += 66 * second; h.m.HandleTimeout(h.now, h) },
	} {
		h := newHand(t, Options{}, Config{})
		link := h.child()
		refuse(h, h.ask(link))
		if events := h.events(); len(events) != 1 || events[0].Kind != EventLinkRefused || events[0].Link != link {
			t.Errorf("%s: %+v", name, events)
		}
		if info, _ := h.m.LinkInfo(link); len(info.Address) != 0 || info.InFlight != 0 {
			t.Errorf("%s: %+v", name, info)
		}
		h.give(configAnswer(h.ask(link), "test.late"))
		if info, _ := h.m.LinkInfo(link); string(info.Address) != "test.late" {
			t.Errorf("%s: asked again, the address is %q", name, info.Address)
		}
	}
}

// deaf is an output whose links are gone.
type deaf struct{ *hand }

func (deaf) Request(LinkHandle, uint32, int) []byte { return nil }

func TestParentThatCanNotBeAskedIsAnError(t *testing.T) {
	h := newHand(t, Options{}, Config{MaxRequests: 2}) // one request at a time
	link := h.child()
	for range 3 { // nothing is left of it
		if err := h.m.AskConfig(h.now, link, deaf{h}); err != ErrGone {
			t.Fatalf("without a socket: %v", err)
		}
	}
	h.ask(link)
	if err := h.m.AskConfig(h.now, link, h); err == nil || errors.Is(err, ErrGone) {
		t.Fatalf("when all requests are in flight: %v", err)
	}
	h.m.LinkLost(h.now, link)
	if err := h.m.AskConfig(h.now, link, h); err != ErrGone {
		t.Fatalf("while the link is down: %v", err)
	}
}

func TestNewAddressMovesOpenClientConnections(t *testing.T) {
	h := newHand(t, Options{}, Config{})
	link := h.child()
	h.give(configAnswer(h.ask(link), "test.before"))
	connect := func() ConnHandle {
		c, err := h.m.Connect(h.now, ConnectConfig{Link: link, Destination: []byte("test.server.x"), Options: Options{RateNum: 1, RateDen: 1}})
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	local := func(c ConnHandle) string {
		info, ok := h.m.ConnInfo(c)
		if !ok {
			t.Fatal("no connection")
		}
		return string(info.Local)
	}
	released, closed, open := connect(), connect(), connect()
	for _, c := range []ConnHandle{released, closed} {
		if err := h.m.CloseConn(h.now, c); err != nil { // the peer never heard of it
			t.Fatal(err)
		}
	}
	h.m.ReleaseConn(released)
	was := local(open)
	h.give(configAnswer(h.ask(link), "test.after"))
	if now := local(open); now != strings.Replace(was, "test.before.", "test.after.", 1) {
		t.Fatalf("it was %s and is %s", was, now)
	}
	if at := local(closed); !strings.HasPrefix(at, "test.before.") {
		t.Fatalf("a closed connection has moved to %s", at)
	}
	was = local(open)
	h.give(configAnswer(h.ask(link), "test."+strings.Repeat("x", ilp.MaxAddress-10)))
	if now := local(open); now != was {
		t.Fatalf("moved to an address of %d octets", len(now))
	}
	if _, err := h.m.Connect(h.now, ConnectConfig{Link: link, Destination: []byte("test.server.x")}); err == nil {
		t.Fatal("a client has an address that is too long")
	}
}

func TestWhatCanNotBeConnectedIsRefused(t *testing.T) {
	h := newHand(t, Options{}, Config{MaxConnections: 1})
	for name, cfg := range map[string]ConnectConfig{
		"no link":        {Link: 0, Destination: []byte("test.server.x")},
		"no destination": {Link: h.link},
		"bad address":    {Link: h.link, Destination: []byte("test.ser ver")},
		"bad options":    {Link: h.link, Destination: []byte("test.server.x"), Options: Options{RateNum: 1}},
	} {
		if _, err := h.m.Connect(h.now, cfg); err == nil {
			t.Errorf("%s: connected", name)
		}
	}
	good := ConnectConfig{Link: h.link, Destination: []byte("test.server.x")}
	if _, err := h.m.Connect(h.now, good); err != nil {
		t.Fatal(err)
	}
	if _, err := h.m.Connect(h.now, good); err != ErrTooMany {
		t.Errorf("one more than there may be: %v", err)
	}
	if _, err := h.m.AddLink(LinkConfig{Address: []byte("no address")}); err == nil {
		t.Error("a link has a bad address")
	}
	if _, err := h.m.AddServer(ServerConfig{Options: Options{RateNum: 1}}); !errors.Is(err, ErrConfig) {
		t.Errorf("a server with bad options: %v", err)
	}
}

func TestLinkWithoutAServerTakesNoConnection(t *testing.T) {
	h := newHand(t, Options{ReceiveMax: maxAmount}, Config{})
	if err := h.m.SetServer(h.link, 0); err != nil {
		t.Fatal(err)
	}
	if a := h.send(10, frame.StreamMoney{StreamID: 1, Shares: 1}); a.code != ilp.F02 || h.m.Stats().Connections != 0 {
		t.Fatalf("%+v", a)
	}
	if err := h.m.SetServer(h.link, h.server); err != nil {
		t.Fatal(err)
	}
	if a := h.send(10, frame.StreamMoney{StreamID: 1, Shares: 1}); !a.fulfilled {
		t.Fatalf("%+v", a)
	}
	h.m.CloseServer(h.now, 99) // there is none
	if a := h.send(10, frame.StreamMoney{StreamID: 1, Shares: 1}); !a.fulfilled {
		t.Fatalf("%+v", a)
	}
}

func TestConnectionIsServedOnlyToItsAccount(t *testing.T) {
	h := newHand(t, Options{ReceiveMax: maxAmount}, Config{})
	h.send(10, frame.StreamMoney{StreamID: 1, Shares: 1})
	stranger, second := h.addLink("test.server", 2), h.addLink("test.server", 1)
	e := h.prepare(10, frame.StreamMoney{StreamID: 1, Shares: 1})
	e.Link = stranger
	if a := h.give(e); a.code != ilp.F02 || h.info().Received != 10 {
		t.Fatalf("from another account: %+v", a)
	}
	e.Link = second
	if a := h.give(e); !a.fulfilled || h.info().Received != 20 {
		t.Fatalf("from another link of its account: %+v", a)
	}
}

func TestRemovedLinkTakesItsConnectionsAlong(t *testing.T) {
	w := newWorld(t, Options{ReceiveMax: maxAmount}, Config{})
	closed, c := w.connect(Options{}), w.connect(Options{Expiry: 10e9})
	w.run(second)
	_ = w.a.m.CloseConn(w.now, closed)
	w.run(second)
	s, _ := w.a.m.OpenStream(w.now, c)
	_ = w.a.m.SetSendMax(w.now, s, 1000)
	w.a.drain()
	w.a.queue = nil // it is lost
	_, _ = w.a.m.Write(w.now, s, []byte("still to be sent"))
	gone := w.a.link
	w.a.m.RemoveLink(w.now, gone)
	w.a.drain()
	info, _ := w.a.m.ConnInfo(c)
	if !info.Closed || info.Held != 1000 || info.Unknown != 1000 || info.Link != 0 {
		t.Fatalf("%+v", info)
	}
	w.run(20 * second)
	if info, _ = w.a.m.ConnInfo(c); info.Held != 0 || info.Sent != 0 {
		t.Fatalf("after its expiry: %+v", info)
	}
	w.a.expect(EventSettled)
	if n := count(w.a.events, EventClosed); n != 2 {
		t.Fatalf("%d connections were closed", n)
	}

	m := w.a.m
	m.RemoveLink(w.now, gone)
	m.LinkLost(w.now, gone)
	m.LinkUp(w.now, gone)
	if _, ok := m.LinkInfo(gone); ok {
		t.Error("LinkInfo knows it")
	}
	if err := m.SetServer(gone, 1); err != ErrGone {
		t.Errorf("SetServer: %v", err)
	}
	if err := m.AskConfig(w.now, gone, w.a); err != ErrGone {
		t.Errorf("AskConfig: %v", err)
	}
	if n := m.Transmit(w.now, gone, w.a); n != 0 || !m.LinkIdle(gone) {
		t.Errorf("Transmit: %d", n)
	}
	m.Handle(w.now, []Entry{{Kind: Prepare, Link: gone, Packet: prepare("test.hub.alice.x", 0, [32]byte{}, w.now+second, nil)}}, w.a)
	if len(w.a.queue) != 0 {
		t.Error("a packet of a link that is gone is answered")
	}
}

func TestAnswerOfARemovedLinkNeverReachesTheOneInItsPlace(t *testing.T) {
	h := newHand(t, Options{}, Config{})
	gone := h.child()
	h.m.RemoveLink(h.now, gone)
	link := h.child()
	request := h.ask(link)
	if uint32(gone) != uint32(link) {
		t.Fatal("the place was not taken again")
	}
	stale := configAnswer(request, "test.evil")
	stale.Link = gone
	h.give(stale)
	if info, _ := h.m.LinkInfo(link); len(info.Address) != 0 || info.InFlight != 1 {
		t.Fatalf("%+v", info)
	}
	h.give(configAnswer(request, "test.good"))
	if info, _ := h.m.LinkInfo(link); string(info.Address) != "test.good" || info.InFlight != 0 {
		t.Fatalf("the answer itself: %+v", info)
	}
}

func TestLinksWindowsBoundWhatIsInFlight(t *testing.T) {
	for name, cfg := range map[string]LinkConfig{"money": {WindowAmount: 250}, "packets": {Window: 3}, "octets": {WindowOctets: 1}} {
		w := newWorld(t, Options{ReceiveMax: maxAmount}, Config{})
		cfg.Address, cfg.Account = []byte("test.hub.alice"), 1
		var err error
		if w.a.link, err = w.a.m.AddLink(cfg); err != nil {
			t.Fatal(err)
		}
		c := w.connect(Options{MaxPacketAmount: 100, RateNum: 1, RateDen: 1})
		s, _ := w.a.m.OpenStream(w.now, c)
		_ = w.a.m.SetSendMax(w.now, s, 1000)
		w.a.drain()
		want := map[string]Amount{"money": 250, "packets": 300, "octets": 100}[name]
		if info, _ := w.a.m.ConnInfo(c); info.Held != want {
			t.Errorf("%s: %d in flight, want %d", name, info.Held, want)
		}
		w.run(second)
		if info, _ := w.a.m.ConnInfo(c); info.Sent != 1000 {
			t.Errorf("%s: sent %d", name, info.Sent)
		}
	}
}

// What one connection leaves of a link's money is less than the least that the other
// can send. It waits in the link's queue, and goes on when there is room.
func TestConnectionThatWaitsForOthersMoneyIsNotForgotten(t *testing.T) {
	w := newWorld(t, Options{ReceiveMax: maxAmount}, Config{})
	var err error
	if w.a.link, err = w.a.m.AddLink(LinkConfig{Address: []byte("test.hub.alice"), Account: 1, WindowAmount: 100}); err != nil {
		t.Fatal(err)
	}
	var conns []ConnHandle
	var streams []StreamHandle
	for _, rateDen := range []uint64{1, 2} { // one unit of the second's would be nothing
		c := w.connect(Options{RateNum: 1, RateDen: rateDen})
		s, _ := w.a.m.OpenStream(w.now, c)
		for sent := range Amount(2) { // with the second packet all is told
			_ = w.a.m.SetSendMax(w.now, s, 2*sent+2)
			w.run(second)
		}
		conns, streams = append(conns, c), append(streams, s)
	}
	for k, amount := range []Amount{4 + 99, 4 + 10} {
		_ = w.a.m.SetSendMax(w.now, streams[k], amount)
		w.a.drain()
	}
	if info, _ := w.a.m.ConnInfo(conns[1]); info.Held != 0 || !w.a.m.LinkIdle(w.a.link) {
		t.Fatalf("%d is in flight, idle %v", info.Held, w.a.m.LinkIdle(w.a.link))
	}
	w.run(Instant(10e6))
	for k, want := range []Amount{4 + 99, 4 + 10} {
		if info, _ := w.a.m.ConnInfo(conns[k]); info.Sent != want {
			t.Errorf("connection %d: sent %d, want %d", k, info.Sent, want)
		}
	}
}

func TestOwnExpiryOfAConnection(t *testing.T) {
	w := newWorld(t, Options{}, Config{})
	to := []byte("test.hub.bob.x")
	var at Instant
	asked := 0
	_, err := w.a.m.Connect(w.now, ConnectConfig{Link: w.a.link, Destination: to, Options: Options{Expiry: 7e9, IdleTimeout: -1}, Expiry: func(_ Instant, destination []byte) Instant {
		if asked++; !bytes.Equal(destination, to) {
			t.Errorf("asked about %s", destination)
		}
		return at
	}})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ says, want Instant }{
		{w.now + 3*second, w.now + 3*second},
		{w.now - 1, w.now + 7*second},                    // the past gives way
		{w.now + 900*second + 1_234, w.now + 900*second}, // digits are milliseconds
	} {
		at = c.says
		w.a.drain()
		if len(w.a.queue) == 0 {
			t.Fatal("nothing was sent")
		}
		for _, e := range w.a.queue {
			if p, _ := ilp.ParsePrepare(e.Packet); p.ExpiryUnixMs() != c.want.unixMs() {
				t.Errorf("expires at %d, want %d", p.ExpiryUnixMs(), c.want.unixMs())
			}
		}
		w.a.queue = nil
		w.a.m.LinkLost(w.now, w.a.link) // so that all of it goes out again
		w.a.m.LinkUp(w.now, w.a.link)
	}
	if asked != 3*len(firstVolley) {
		t.Errorf("asked %d times", asked)
	}
}
