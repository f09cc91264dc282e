package stream

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"unsafe"

	"github.com/millrace-ilp/millrace/codec/echo"
	"github.com/millrace-ilp/millrace/codec/frame"
	"github.com/millrace-ilp/millrace/codec/ilp"
)

// everything is all that a pair of machines did: each packet that crossed, each event,
// and what they say of themselves in the end.
type everything struct {
	packets []string
	events  []Event
	infos   []string
	plain   uint64 // packets that took the short way, if it was open
}

// act plays a scenario whose dice are seeded, with or without the short way.
func act(t *testing.T, seed uint64, unplain bool) everything {
	rng := rand.New(rand.NewPCG(seed, 77))
	server := Options{ReceiveMax: Amount(1) << (8 + rng.Uint64N(40)), Padding: rng.IntN(20) == 0, NoMoneyEvents: rng.IntN(8) == 0}
	w := newWorld(t, server, Config{Ledger: rng.IntN(10) == 0})
	w.a.m.unplain, w.b.m.unplain = unplain, unplain
	w.rate = rate{1 + rng.Uint64N(30), 1 + rng.Uint64N(30)}
	w.max = Amount(1) << (10 + rng.Uint64N(20))
	var all everything
	loss := rng.IntN(3) * rng.IntN(8)
	w.hook = func(from *node, e *Entry) bool {
		all.packets = append(all.packets, fmt.Sprintf("%v %d %x", from == w.a, e.Kind, e.Packet))
		return loss == 0 || e.Kind != Fulfill || rng.IntN(100) >= loss
	}
	tokens, _ := NewTokens(testSecret[:])
	var conns []ConnHandle
	for range 1 + rng.IntN(6) {
		var random [30]byte
		binary.LittleEndian.PutUint64(random[:], rng.Uint64())
		segment, secret, err := tokens.Issue(&random, CredentialOptions{ReceiptNonce: nil})
		if err != nil {
			t.Fatal(err)
		}
		o := Options{
			MaxPacketAmount: Amount(rng.Uint64N(2)) * w.max >> rng.Uint64N(4), SlippagePPM: rng.IntN(3) * 400_000,
			Congestion: Congestion(rng.IntN(3)), HideAddress: rng.IntN(4) == 0, MaxInFlightAmount: Amount(rng.Uint64N(2)) * w.max * 4,
		}
		h, err := w.a.m.Connect(w.now, ConnectConfig{Link: w.a.link, Destination: []byte("test.hub.bob." + segment), SharedSecret: secret, Options: o})
		if err != nil {
			t.Fatal(err)
		}
		conns = append(conns, h)
	}
	w.run(second)
	var streams []StreamHandle
	for step := range 12 {
		for _, c := range conns {
			switch rng.IntN(10) {
			case 0, 1, 2:
				if s, err := w.a.m.OpenStream(w.now, c); err == nil {
					streams = append(streams, s)
				}
			case 3:
				if step > 6 {
					_ = w.a.m.CloseConn(w.now, c)
				}
			}
		}
		for _, s := range streams {
			info, _ := w.a.m.StreamInfo(s)
			switch rng.IntN(8) {
			case 0, 1, 2, 3:
				_ = w.a.m.SetSendMax(w.now, s, info.Sent+info.Held+Amount(rng.Uint64N(uint64(w.max)<<rng.Uint64N(8))))
			case 4:
				_, _ = w.a.m.Write(w.now, s, make([]byte, rng.IntN(3000)))
			case 5:
				if rng.IntN(6) == 0 {
					_ = w.a.m.CloseStream(w.now, s)
				}
			}
		}
		for _, e := range w.b.events {
			if e.Kind == EventStreamOpened && rng.IntN(4) == 0 {
				_ = w.b.m.SetReceiveMax(w.now, e.Stream, Amount(rng.Uint64N(1<<50)))
				_ = w.b.m.SetSendMax(w.now, e.Stream, Amount(rng.Uint64N(uint64(w.max)*8)))
			}
		}
		w.run(second)
		for _, n := range []*node{w.a, w.b} {
			n.m.Committed(w.now, 1<<60, n)
		}
	}
	w.run(90 * second)
	all.events = append(append(all.events, w.a.events...), w.b.events...)
	for _, e := range all.events {
		for _, n := range []*node{w.a, w.b} {
			if i, ok := n.m.ConnInfo(e.Conn); ok {
				all.infos = append(all.infos, fmt.Sprintf("%+v", i))
			}
			if i, ok := n.m.StreamInfo(e.Stream); ok {
				all.infos = append(all.infos, fmt.Sprintf("%+v", i))
			}
		}
	}
	for _, n := range []*node{w.a, w.b} {
		all.infos = append(all.infos, fmt.Sprintf("%+v", n.m.Stats()))
		all.plain += n.m.plainPackets
	}
	return all
}

func TestPlainPathDoesWhatTheGeneralOneDoes(t *testing.T) {
	var plain, all uint64
	for seed := range uint64(60) {
		want, got := act(t, seed, true), act(t, seed, false)
		if want.plain != 0 {
			t.Fatal("the short way was taken though it is closed")
		}
		plain += got.plain
		all += uint64(len(got.packets))
		for i := range min(len(want.packets), len(got.packets)) {
			if want.packets[i] != got.packets[i] {
				t.Fatalf("seed %d: packet %d is\n%s, not\n%s", seed, i, got.packets[i], want.packets[i])
			}
		}
		if len(want.packets) != len(got.packets) {
			t.Fatalf("seed %d: %d packets, not %d", seed, len(got.packets), len(want.packets))
		}
		for i := range min(len(want.events), len(got.events)) {
			if want.events[i] != got.events[i] {
				t.Fatalf("seed %d: event %d is %+v, not %+v", seed, i, got.events[i], want.events[i])
			}
		}
		if g, w := strings.Join(got.infos, "\n"), strings.Join(want.infos, "\n"); g != w {
			t.Fatalf("seed %d:\n%s\nnot\n%s", seed, g, w)
		}
	}
	if plain*10 < all {
		t.Fatalf("only %d of %d packets were plain: this shows too little", plain, all)
	}
	t.Logf("%d of %d packets were plain", plain, all)
}

// TestRecordsFillCacheLines: what a packet touches stands in as few lines as it can.
func TestRecordsFillCacheLines(t *testing.T) {
	if unsafe.Alignof(uint64(0)) < 8 {
		t.Skip("records have other lengths where 64 bits need not be aligned")
	}
	for name, size := range map[string]uintptr{"conn": unsafe.Sizeof(conn{}), "stream": unsafe.Sizeof(streamRec{}), "slot": unsafe.Sizeof(slot{})} {
		if size%64 != 0 {
			t.Errorf("a %s has %d octets", name, size)
		}
	}
	var c conn
	var s streamRec
	for name, ends := range map[string][2]uintptr{
		"conn.generation": {unsafe.Offsetof(c.generation), 64},
		"conn.window":     {unsafe.Offsetof(c.window), 128},
		"conn.secret":     {unsafe.Offsetof(c.secret), 256},
		"stream.sendMax":  {unsafe.Offsetof(s.sendMax), 64},
		"slot.amount":     {unsafe.Offsetof(slot{}.amount), 64},
	} {
		if ends[0] != ends[1] {
			t.Errorf("%s is at %d, not %d", name, ends[0], ends[1])
		}
	}
}

// narrow is a hand whose link has so much room and no more.
type narrow struct {
	*hand
	room int
}

func (n *narrow) Room(LinkHandle) int { return n.room }

func (n *narrow) Reply(h LinkHandle, request uint32, size int) []byte {
	n.room -= size
	return n.hand.Reply(h, request, size)
}

// An echo's answer that is passed on between two packets of a vector takes of the room
// that the second one's fulfill needs.
func TestEchoBetweenPlainPacketsTakesRoom(t *testing.T) {
	h := newHand(t, Options{ReceiveMax: 1000}, Config{})
	h.m.linkOf(h.link).echo = true
	money := frame.StreamMoney{StreamID: 1, Shares: 1}
	h.send(1, money)
	h.send(1, money)
	data := must(echo.AppendRequestData(nil, []byte("test.sender")))
	h.give(Entry{Kind: Prepare, Link: h.link, Packet: prepare("test.server", 5, echoCondition, h.now+30*second, data)})
	back := h.requests[len(h.requests)-1]
	back.Kind, back.Link = Fulfill, h.link
	back.Packet = must(ilp.AppendFulfill(nil, &echoFulfillment, make([]byte, 20_000)))

	in := []Entry{h.prepare(1, money), back, h.prepare(1, money)}
	n := &narrow{h, 20_000 + maxReplyText + replyOverhead}
	before := h.m.plainPackets
	h.m.Handle(h.now, in, n)
	if h.m.plainPackets != before+1 || h.info().Received != 3 {
		t.Fatalf("%d plain packets, received %d", h.m.plainPackets-before, h.info().Received)
	}
}
