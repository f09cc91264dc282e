package stream

import (
	"slices"
	"testing"

	"github.com/millrace-ilp/millrace/codec/frame"
	"github.com/millrace-ilp/millrace/codec/ilp"
)

// hand is a server of ours under a client by hand, which sends whatever frames
// a test makes up.
type hand struct {
	t        testing.TB
	m        *Machine
	server   ServerID
	link     LinkHandle
	now      Instant
	peer     *peer
	token    string
	sequence Sequence
	full     bool      // the link has no room
	last     []byte    // the newest answer, or nil
	answers  int       // how many there were
	requests []Entry   // what the server has sent, unanswered
	forwards []forward // what it has handed on
}

// forward is an entry that a machine gave to another shard.
type forward struct {
	shard int
	entry Entry
}

func newHand(t testing.TB, o Options, cfg Config) *hand {
	t.Helper()
	h := &hand{t: t, now: 1_700_000_000 * second}
	cfg.Seed = seeded(5)
	h.m = New(cfg)
	tokens, err := NewTokens(testSecret[:])
	if err != nil {
		t.Fatal(err)
	}
	if h.server, err = h.m.AddServer(ServerConfig{Tokens: tokens, Options: o}); err != nil {
		t.Fatal(err)
	}
	h.link = h.addLink("test.server", 1)
	h.newClient(1)
	return h
}

func (h *hand) addLink(address string, account uint32) LinkHandle {
	h.t.Helper()
	link, err := h.m.AddLink(LinkConfig{Address: []byte(address), AssetCode: []byte("USD"), AssetScale: 2, Account: account, Server: h.server})
	if err != nil {
		h.t.Fatal(err)
	}
	return link
}

// newClient makes what follows come from another client, who knows other
// credentials.
func (h *hand) newClient(n byte) {
	tokens, _ := NewTokens(testSecret[:])
	token, secret, err := tokens.Issue(&[30]byte{n}, CredentialOptions{})
	if err != nil {
		h.t.Fatal(err)
	}
	h.token, h.peer, h.sequence = token, newPeer(h.t, secret[:]), 0
}

func (h *hand) Room(LinkHandle) int {
	if h.full {
		return 0
	}
	return 1 << 20
}

func (h *hand) Reply(_ LinkHandle, _ uint32, n int) []byte {
	h.last = make([]byte, n)
	h.answers++
	return h.last
}

func (h *hand) Request(link LinkHandle, id uint32, n int) []byte {
	b := make([]byte, n)
	h.requests = append(h.requests, Entry{Kind: Prepare, Link: link, Request: id, Packet: b})
	return b
}

func (h *hand) Forward(shard int, e Entry) {
	e.Packet = slices.Clone(e.Packet)
	h.forwards = append(h.forwards, forward{shard, e})
}

// prepare is the client's next packet, one that can be fulfilled.
func (h *hand) prepare(amount Amount, frames ...appender) Entry {
	h.sequence++
	data := h.peer.seal(streamText(ilp.TypePrepare, h.sequence, 0, frames...))
	_, condition := h.peer.prove(data)
	return Entry{Kind: Prepare, Link: h.link, Request: uint32(h.sequence), Packet: prepare("test.server."+h.token, amount, condition, h.now+30*second, data)}
}

// handAnswer is what the server said to one packet.
type handAnswer struct {
	fulfilled bool
	code      ilp.Code // when it was not
	opened    bool     // it has a STREAM packet
	packet    frame.Packet
}

// frames are the answer's frames of a type.
func (a handAnswer) frames(t frame.Type) (bodies [][]byte) {
	for it := a.packet.Frames(); it.Next(); {
		if it.Type() == t {
			bodies = append(bodies, slices.Clone(it.Body()))
		}
	}
	return bodies
}

// give hands entries to the server and reads the newest answer.
func (h *hand) give(in ...Entry) handAnswer {
	h.t.Helper()
	h.last = nil
	h.m.Handle(h.now, in, h)
	return h.read()
}

// read is the newest answer.
func (h *hand) read() (a handAnswer) {
	h.t.Helper()
	if h.last == nil {
		return a
	}
	var data []byte
	if f, err := ilp.ParseFulfill(h.last); err == nil {
		a.fulfilled, data = true, f.Data()
	} else if r, err := ilp.ParseReject(h.last); err == nil {
		a.code, data = r.Code(), r.Data()
	} else {
		h.t.Fatalf("the answer is neither: %x", h.last)
	}
	a.packet, a.opened = h.peer.open(data)
	return a
}

// send sends an amount and frames and returns the answer.
func (h *hand) send(amount Amount, frames ...appender) handAnswer {
	h.t.Helper()
	return h.give(h.prepare(amount, frames...))
}

// events are what has happened since the last call.
func (h *hand) events() (all []Event) {
	for e, ok := h.m.PollEvent(); ok; e, ok = h.m.PollEvent() {
		all = append(all, e)
	}
	return all
}

// conn is the server's first connection.
func (h *hand) conn() ConnHandle { return ConnHandle(h.m.connPlaces.Handle(1)) }

func (h *hand) info() ConnInfo {
	h.t.Helper()
	info, ok := h.m.ConnInfo(h.conn())
	if !ok {
		h.t.Fatal("there is no connection")
	}
	return info
}

// stream is the server's end of a stream.
func (h *hand) stream(id uint64) StreamHandle {
	h.t.Helper()
	for _, s := range h.m.Streams(h.conn(), nil) {
		if info, _ := h.m.StreamInfo(s); info.ID == id {
			return s
		}
	}
	h.t.Fatalf("there is no stream %d", id)
	return 0
}

// closed checks that the connection ends with a code, and that the client is told.
func (h *hand) closed(a handAnswer, code frame.ErrorCode) {
	h.t.Helper()
	bodies := a.frames(frame.TypeConnectionClose)
	if len(bodies) != 1 {
		h.t.Fatalf("%d ConnectionClose frames in the answer %+v", len(bodies), a)
	}
	if f, err := frame.ParseConnectionClose(bodies[0]); err != nil || f.Code != code {
		h.t.Fatalf("the client hears %v %q, want %v", f.Code, f.Message, code)
	}
	if info := h.info(); !info.Closed || info.CloseCode != code {
		h.t.Fatalf("closed %v with %v", info.Closed, info.CloseCode)
	}
}

func count(events []Event, kind EventKind) (n int) {
	for _, e := range events {
		if e.Kind == kind {
			n++
		}
	}
	return n
}
