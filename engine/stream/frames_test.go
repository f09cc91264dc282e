package stream

import (
	"strings"
	"testing"

	"github.com/millrace-ilp/millrace/codec/frame"
	"github.com/millrace-ilp/millrace/codec/ilp"
)

func TestDataBeyondEveryOffsetEndsTheConnection(t *testing.T) {
	h := newHand(t, Options{}, Config{})
	h.closed(h.send(0, frame.StreamData{StreamID: 1, Offset: 1<<64 - 1, Data: []byte("xy")}), frame.FrameFormatError)
}

func TestDataBeyondTheConnectionWindowEndsTheConnection(t *testing.T) {
	h := newHand(t, Options{ConnectionWindow: 65534}, Config{})
	for id := uint64(1); id < 5; id += 2 {
		if a := h.send(0, frame.StreamData{StreamID: id, Data: make([]byte, 30_000)}); !a.fulfilled {
			t.Fatalf("stream %d is within both windows: %+v", id, a)
		}
	}
	h.closed(h.send(0, frame.StreamData{StreamID: 5, Data: make([]byte, 5_535)}), frame.FlowControlError)
}

func TestDataBehindItsStreamsCloseDoesNotShrinkTheWindow(t *testing.T) {
	h := newHand(t, Options{ConnectionWindow: 65534}, Config{})
	for id := uint64(1); id < 7; id += 2 {
		a := h.send(0, frame.StreamMaxMoney{StreamID: id}, frame.StreamClose{StreamID: id}, frame.StreamData{StreamID: id, Data: make([]byte, 30_000)})
		if !a.fulfilled {
			t.Fatalf("stream %d: %+v", id, a)
		}
		if info, _ := h.m.StreamInfo(h.stream(id)); !info.Closed || info.Readable != 0 {
			t.Fatalf("%+v", info)
		}
	}
	// The same again takes nothing twice, and the whole window is there for others.
	for id := uint64(7); id < 11; id += 2 {
		if a := h.send(0, frame.StreamData{StreamID: id, Data: make([]byte, 32_000)}); !a.fulfilled {
			t.Fatalf("stream %d: %+v", id, a)
		}
	}
}

func TestClosedStreamRefusesMoneyAndDataAndIgnoresTheRest(t *testing.T) {
	h := newHand(t, Options{ReceiveMax: maxAmount}, Config{})
	if a := h.send(10, frame.StreamMoney{StreamID: 1, Shares: 1}, frame.StreamClose{StreamID: 1}); a.fulfilled {
		t.Fatal("money in the packet that closes its stream")
	}
	for _, released := range []bool{false, true} {
		if released {
			h.m.ReleaseStream(h.stream(1))
			if n := h.m.Stats().Streams; n != 0 {
				t.Fatalf("%d streams are left", n)
			}
		}
		h.events()
		for _, f := range []appender{frame.StreamMoney{StreamID: 1, Shares: 1}, frame.StreamData{StreamID: 1, Data: []byte("x")}} {
			a := h.send(10, f)
			if a.fulfilled || a.code != ilp.F99 || len(a.frames(frame.TypeStreamClose)) != 1 {
				t.Fatalf("released %v, %T: %+v", released, f, a)
			}
			if c, _ := frame.ParseStreamClose(a.frames(frame.TypeStreamClose)[0]); c.StreamID != 1 || c.Code != frame.StreamStateError {
				t.Fatalf("%+v", c)
			}
		}
		if a := h.send(0, frame.StreamMaxMoney{StreamID: 1, ReceiveMax: 5}, frame.StreamMaxData{StreamID: 1, MaxOffset: 1 << 20}); !a.fulfilled {
			t.Fatalf("released %v: limits of a closed stream: %+v", released, a)
		}
		if n := count(h.events(), EventStreamOpened); n != 0 || h.info().Received != 0 || h.info().Closed {
			t.Fatalf("released %v: %d streams opened, %+v", released, n, h.info())
		}
	}
}

func TestEndingConnectionTakesNoNewStreams(t *testing.T) {
	h := newHand(t, Options{ReceiveMax: maxAmount}, Config{})
	h.send(0, frame.StreamMaxMoney{StreamID: 1})
	// What is written can not leave: the client has told no address. So the end waits.
	if _, err := h.m.Write(h.now, h.stream(1), []byte("hello")); err != nil {
		t.Fatal(err)
	}
	if err := h.m.CloseConn(h.now, h.conn()); err != nil {
		t.Fatal(err)
	}
	h.events()
	a := h.send(10, frame.StreamMoney{StreamID: 3, Shares: 1})
	if a.fulfilled || len(a.frames(frame.TypeStreamClose)) != 1 {
		t.Fatalf("money for a new stream: %+v", a)
	}
	if a = h.send(0, frame.StreamMaxMoney{StreamID: 5}); !a.fulfilled {
		t.Fatalf("a limit of a new stream: %+v", a)
	}
	if n := count(h.events(), EventStreamOpened); n != 0 || h.m.Stats().Streams != 1 {
		t.Fatalf("%d streams were opened, there are %d", n, h.m.Stats().Streams)
	}
	// The stream that ends takes no money either, but its data goes on.
	if a = h.send(10, frame.StreamMoney{StreamID: 1, Shares: 1}); a.fulfilled || h.info().Received != 0 {
		t.Fatalf("%+v, received %d", a, h.info().Received)
	}
	if a = h.send(0, frame.StreamData{StreamID: 1, Data: []byte("x")}); !a.fulfilled {
		t.Fatalf("%+v", a)
	}
}

func TestMachineWithoutRoomForAStreamEndsTheConnection(t *testing.T) {
	for name, cfg := range map[string]Config{"streams": {MaxStreams: 1}, "events": {MaxEvents: 2}} {
		h := newHand(t, Options{ReceiveMax: maxAmount}, cfg)
		if a := h.send(10, frame.StreamMoney{StreamID: 1, Shares: 1}); !a.fulfilled {
			t.Fatalf("%s: %+v", name, a)
		}
		h.closed(h.send(10, frame.StreamMoney{StreamID: 3, Shares: 1}), frame.EndpointBusy)
		if h.info().Received != 10 {
			t.Fatalf("%s: received %d", name, h.info().Received)
		}
	}
}

func TestOpeningMoreStreamsThanTheMachineHoldsIsAnError(t *testing.T) {
	w := newWorld(t, Options{}, Config{MaxStreams: 1})
	c := w.connect(Options{})
	w.run(second)
	if _, err := w.a.m.OpenStream(w.now, c); err != nil {
		t.Fatal(err)
	}
	if _, err := w.a.m.OpenStream(w.now, c); err != ErrTooMany {
		t.Fatalf("a second one: %v", err)
	}
}

func TestMoneyForMoreStreamsThanOnePacketServesIsRefused(t *testing.T) {
	h := newHand(t, Options{ReceiveMax: maxAmount, MaxRemoteStreams: 100}, Config{})
	var frames []appender
	for k := range maxParts + 1 {
		frames = append(frames, frame.StreamMoney{StreamID: uint64(2*k + 1), Shares: 1})
	}
	if a := h.send(6500, frames...); a.fulfilled || a.code != ilp.F99 || h.info().Received != 0 {
		t.Fatalf("%+v, received %d", a, h.info().Received)
	}
	if a := h.send(6400, frames[:maxParts]...); !a.fulfilled || h.info().Received != 6400 {
		t.Fatalf("as many as are served: %+v, received %d", a, h.info().Received)
	}
}

func TestAssetMayBeToldAgainAndNotChanged(t *testing.T) {
	h := newHand(t, Options{}, Config{})
	for range 2 {
		if a := h.send(0, frame.ConnectionAssetDetails{AssetCode: []byte("XRP"), Scale: 9}); !a.fulfilled {
			t.Fatalf("%+v", a)
		}
	}
	h.closed(h.send(0, frame.ConnectionAssetDetails{AssetCode: []byte("XRP"), Scale: 6}), frame.ProtocolViolation)
	if info := h.info(); info.AssetScale != 9 {
		t.Fatalf("the asset is %s with scale %d now", info.AssetCode, info.AssetScale)
	}
}

func TestStreamIDBeyond32BitsIsAboveEveryLimit(t *testing.T) {
	h := newHand(t, Options{ReceiveMax: maxAmount}, Config{})
	h.send(1, frame.StreamMoney{StreamID: 1, Shares: 1})
	// Its low half is a stream that is there.
	h.closed(h.send(1, frame.StreamMoney{StreamID: 1<<32 + 1, Shares: 1}), frame.StreamIDError)
	if h.info().Received != 1 {
		t.Fatalf("received %d", h.info().Received)
	}
}

func TestSecondCloseInOnePacketSaysNothing(t *testing.T) {
	h := newHand(t, Options{ReceiveMax: maxAmount}, Config{})
	h.send(1, frame.StreamMoney{StreamID: 1, Shares: 1})
	h.events()
	h.send(0, frame.StreamClose{StreamID: 1, Code: frame.ApplicationError, Message: []byte("first")}, frame.StreamClose{StreamID: 1, Code: frame.InternalError, Message: []byte("second")})
	info, _ := h.m.StreamInfo(h.stream(1))
	if info.Code != frame.ApplicationError || info.CloseMessage != "first" || count(h.events(), EventStreamClosed) != 1 {
		t.Fatalf("%+v", info)
	}
	h.send(0, frame.ConnectionClose{Code: frame.NoError, Message: []byte("first")}, frame.ConnectionClose{Code: frame.InternalError, Message: []byte("second")})
	if info := h.info(); info.CloseCode != frame.NoError || string(info.CloseMessage) != "first" || count(h.events(), EventClosed) != 1 {
		t.Fatalf("%+v", info)
	}
}

func TestReplyTellsAsManyStreamsAsItHolds(t *testing.T) {
	h := newHand(t, Options{MaxRemoteStreams: 30}, Config{})
	var frames []appender
	for k := range 20 {
		frames = append(frames, frame.StreamMaxMoney{StreamID: uint64(2*k + 1)})
	}
	h.send(0, frames...)
	// The client has told no address, so that only answers can tell it anything.
	for _, s := range h.m.Streams(h.conn(), nil) {
		if err := h.m.DestroyStream(h.now, s, frame.ApplicationError, strings.Repeat("x", MaxCloseMessage)); err != nil {
			t.Fatal(err)
		}
		h.m.ReleaseStream(s)
	}
	told, answers := map[uint64]bool{}, 0
	for len(told) < 20 && answers < 10 {
		answers++
		for _, b := range h.send(0).frames(frame.TypeStreamClose) {
			f, _ := frame.ParseStreamClose(b)
			if f.Code != frame.ApplicationError || len(f.Message) != MaxCloseMessage || told[f.StreamID] {
				t.Fatalf("%+v in answer %d", f, answers)
			}
			told[f.StreamID] = true
		}
		if n := h.m.Stats().Streams; n != 20-len(told) {
			t.Fatalf("%d streams were told closed, %d records are left of 20", len(told), n)
		}
	}
	if len(told) != 20 || answers < 2 {
		t.Fatalf("%d streams were told closed in %d answers", len(told), answers)
	}
}

func TestNewerAddressOfThePeerIsTriedInItsTurn(t *testing.T) {
	h := newHand(t, Options{}, Config{})
	transmit := func() (destination string, e Entry) {
		h.requests = nil
		for link, ok := h.m.PollReady(); ok; link, ok = h.m.PollReady() {
			h.m.Transmit(h.now, link, h)
		}
		if len(h.requests) != 1 {
			t.Fatalf("%d packets", len(h.requests))
		}
		p, err := ilp.ParsePrepare(h.requests[0].Packet)
		if err != nil {
			t.Fatal(err)
		}
		packet, ok := h.peer.open(p.Data())
		if !ok {
			t.Fatal("it does not open")
		}
		data := h.peer.seal(streamText(ilp.TypeReject, packet.Sequence, 0))
		return string(p.Destination()), Entry{Kind: Reject, Link: h.link, Request: h.requests[0].Request, Packet: must(ilp.AppendReject(nil, ilp.F99, []byte("test.client"), nil, data))}
	}
	h.send(0, frame.ConnectionNewAddress{Address: []byte("test.client.a")})
	h.send(0, frame.ConnectionNewAddress{Address: []byte("test.client.b")})
	to, answerB := transmit()
	if to != "test.client.b" {
		t.Fatalf("tried %s", to)
	}
	h.send(0, frame.ConnectionNewAddress{Address: []byte("test.client.c")})
	h.give(answerB)
	if at := string(h.info().Peer); at != "test.client.a" {
		t.Fatalf("what answered is not the newest address any more, and yet the peer is at %s", at)
	}
	to, answerC := transmit()
	h.give(answerC)
	if at := string(h.info().Peer); to != "test.client.c" || at != "test.client.c" {
		t.Fatalf("tried %s, the peer is at %s", to, at)
	}
}

// However its packets are cut into vectors, one that has ended is unreachable.
func TestExpiredPacketBehindTheEndOfItsConnectionIsUnreachable(t *testing.T) {
	for _, together := range []bool{true, false} {
		h := newHand(t, Options{ReceiveMax: maxAmount}, Config{})
		h.send(0)
		end := h.prepare(0, frame.ConnectionClose{Code: frame.NoError})
		late := h.prepare(5)
		p, err := ilp.ParsePrepare(late.Packet)
		if err != nil {
			t.Fatal(err)
		}
		expired := ilp.MakeTimestamp(h.now.unixMs() + 1)
		p.SetExpiry(&expired)
		if together {
			h.give(end, late)
		} else {
			h.give(end)
			h.give(late)
		}
		if r, err := ilp.ParseReject(h.last); err != nil || r.Code() != ilp.F02 {
			t.Errorf("together %v: answered with %v (%v), want F02", together, r.Code(), err)
		}
	}
}
