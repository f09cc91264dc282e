package stream

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/millrace-ilp/millrace/codec/frame"
	"github.com/millrace-ilp/millrace/codec/ilp"
	"github.com/millrace-ilp/millrace/internal/vectors"
)

// serverDifferences are the answers that we deliberately give otherwise than
// the reference server. Sections are those of IL-RFC 0029.
var serverDifferences = vectors.Differences{
	"money after giving an address":                "§4.3.1: with nothing to send but a limit, the reference probes the rate back and fails when nobody answers; we send the limit alone and bear the refusal",
	"money with no StreamMoney frame":              "§5.3.8: money that no stream takes would be lost; it is refused",
	"StreamMoney frame but amount 0":               "§5.3.8: no money, no money event",
	"total shares 0 with an amount":                "§5.3.8: refused as a receiver refuses, with an encrypted F99 and not with F00",
	"total shares 0 and amount 0":                  "§5.3.8: shares of nothing are nothing; the packet is fulfilled",
	"shares that do not divide evenly":             "§5.3.8: the remainder goes to the lowest stream; the reference lets it vanish",
	"shares overflowing 64 bits":                   "§5.3.8: refused as a receiver refuses, with an encrypted F99 and not with F00",
	"same stream twice":                            "§5.3.8: both parts are credited; the events of one stream are added up",
	"client uses an even stream id":                "§4.4.1: after its own ConnectionClose the connection is over, also for us",
	"stream id 0":                                  "§4.4.1: after its own ConnectionClose the connection is over, also for us",
	"stream id 21 of 20":                           "§4.4.1: after its own ConnectionClose the connection is over, also for us",
	"same data twice, then more":                   "§5.3.11: duplicates are dropped, and what follows is delivered",
	"data in an unfulfillable packet is delivered": "§5.3.11: octets that come again in another frame are no error",
	"overlapping data":                             "§5.3.11: the first copy of an octet stays, and what is new is taken",
	"data beyond the stream window (16384)":        "§5.3.11: the answer itself refuses, with FlowControlError",
	"data beyond the connection window":            "§5.3.3: every client assumes 65,534 octets, so a smaller window is not to be had",
	"ConnectionClose without error":                "§5.3.1: a packet that closes is refused, which ends it as well; and a closed connection is remembered: late packets get F02",
	"ConnectionClose together with money":          "§5.3.1: the money is refused as there; StreamClose frames after a ConnectionClose say nothing",
	"same sequence twice":                          "§5.2: a repeated sequence gets F99 and has no effect; the reference pays twice",
	"sequence 0 and a very large one":              "§5.1.3: no more than 2^31 packets under one key",
	"STREAM type says Fulfill inside a Prepare":    "§5.2: such a packet opens no connection",
	"peer address":                                 "IL-RFC 0031: peer.config, asked of somebody who is no parent, is an invalid packet",
	"receipts on a stream id above 255":            "IL-RFC 0039: such a stream has no receipts; its money is taken all the same",
	"large total does not overflow early":          "§5.3.8: the sum is below 2^64; the reference counts some of it twice",
	"garbage instead of a Prepare":                 "IL-RFC 0027: what is no packet is F01",
	"a Fulfill instead of a Prepare":               "IL-RFC 0027: what is no prepare is F01",
}

// probeServer is a server of ours under one probe.
type probeServer struct {
	t       *testing.T
	m       *Machine
	link    LinkHandle
	now     Instant
	decline bool
	paused  bool
	answers bool // the client answers what we send

	peer     *peer
	token    string
	conn     ConnHandle
	last     []byte // the answer
	requests []Entry
	sent     []string
	happened []string // in the words of the reference's events
	octets   map[uint64][]byte
	told     map[string]string // what the client knows of our limits
	closes   []string          // closing frames of this answer
	receipts int               // of this answer
}

func (s *probeServer) Room(LinkHandle) int { return 1 << 20 }
func (s *probeServer) Reply(_ LinkHandle, _ uint32, n int) []byte {
	s.last = make([]byte, n)
	return s.last
}

func (s *probeServer) Request(_ LinkHandle, id uint32, n int) []byte {
	b := make([]byte, n)
	s.requests = append(s.requests, Entry{Link: s.link, Request: id, Packet: b})
	return b
}
func (s *probeServer) Forward(int, Entry) {}

func newProbeServer(t *testing.T, name string) *probeServer {
	s := &probeServer{t: t, now: 1_700_000_000 * second, octets: map[uint64][]byte{}, told: map[string]string{}}
	o := Options{ReceiveMax: maxAmount, StreamWindow: 16384, ConnectionWindow: 65534}
	switch {
	case strings.HasPrefix(name, "receive limit 0"):
		o.ReceiveMax = 0
	case strings.HasPrefix(name, "receive limit 100,"):
		o.ReceiveMax = 100
	case strings.HasPrefix(name, "receive limit 30,"):
		o.ReceiveMax = 30
	case name == "session", name == "receipts":
		o.ReceiveMax = 1000
	case strings.HasPrefix(name, "receive limit 10,"):
		o.ReceiveMax = 10
	case strings.HasPrefix(name, "data beyond"):
		s.paused = true
	case strings.HasPrefix(name, "receipts on a stream id above 255"):
		o.MaxRemoteStreams = 1000
	case name == "padding enabled":
		o.Padding = true
	case name == "application declines":
		s.decline = true
	}
	s.m = New(Config{Seed: seeded(3), Decide: s.decline})
	var secret [32]byte
	for i := range secret {
		secret[i] = byte(i)
	}
	tokens, err := NewTokens(secret[:])
	if err != nil {
		t.Fatal(err)
	}
	id, err := s.m.AddServer(ServerConfig{Tokens: tokens, Options: o})
	if err != nil {
		t.Fatal(err)
	}
	s.link, err = s.m.AddLink(LinkConfig{Address: []byte("test.server"), AssetCode: []byte("USD"), AssetScale: 2, Account: 1, Server: id})
	if err != nil {
		t.Fatal(err)
	}
	var credentials CredentialOptions
	if strings.HasPrefix(name, "receipts") {
		credentials.ReceiptNonce, credentials.ReceiptSecret = secret[:16], secret[:]
	}
	token, shared, err := tokens.Issue(&[30]byte{1, 2, 3}, credentials)
	if err != nil {
		t.Fatal(err)
	}
	s.token, s.peer = token, newPeer(t, shared[:])
	return s
}

// send hands a step's prepare to the machine, and whatever follows.
func (s *probeServer) send(name string, step *vectors.ServerStep) (data []byte) {
	packet := []byte(step.Request.Hex)
	if packet == nil {
		text := step.Request.Plaintext
		switch {
		case text.Cut: // the only long one
			data = s.peer.seal(streamText(ilp.TypePrepare, 1, 0, frame.StreamData{StreamID: 1, Data: make([]byte, 2001)}))
		case text.Octets != nil:
			data = s.peer.seal(text.Octets)
		case name != "empty data":
			data = bytes.Repeat([]byte{1}, 40)
		}
		_, condition := s.peer.prove(data)
		if !step.Request.Fulfillable {
			condition[0]++
		}
		destination := strings.Replace(step.Request.Destination, "<token>", s.token, 1)
		packet = prepare(destination, Amount(*step.Request.Amount), condition, s.now+30*second, data)
	}
	s.last, s.closes, s.sent, s.happened, s.receipts = nil, nil, nil, nil, 0
	s.m.Handle(s.now, []Entry{{Kind: Prepare, Link: s.link, Request: 1, Packet: packet}}, s)
	for end := s.now + second/2; s.now < end; s.now += second / 50 {
		s.settle()
		s.m.HandleTimeout(s.now, s)
	}
	s.settle()
	return data
}

// settle takes events, lets the machine send, and refuses what it sends.
func (s *probeServer) settle() {
	for {
		for e, ok := s.m.PollEvent(); ok; e, ok = s.m.PollEvent() {
			s.note(e)
		}
		link, ok := s.m.PollReady()
		if !ok {
			return
		}
		s.m.Transmit(s.now, link, s)
		for _, e := range s.requests {
			_, slot := s.m.slotOf(e.Request)
			s.sent = append(s.sent, fmt.Sprintf("%d to %s", slot.amount, s.m.peerOf(s.m.conns.At(slot.conn))))
			e.Kind, e.Packet = s.answer(e.Packet)
			s.m.Handle(s.now, []Entry{e}, s)
		}
		s.requests = nil
	}
}

// answer is what the client answers to a prepare of the server's.
func (s *probeServer) answer(prepare []byte) (Kind, []byte) {
	p, err := ilp.ParsePrepare(prepare)
	if err != nil {
		s.t.Fatal(err)
	}
	packet, ok := s.peer.open(p.Data())
	if !s.answers || !ok {
		return Reject, must(ilp.AppendReject(nil, ilp.F02, []byte("test.connector"), nil, nil))
	}
	s.known(packet)
	fulfillment, condition := s.peer.prove(p.Data())
	if bytes.Equal(condition[:], p.Condition()) {
		data := s.peer.seal(streamText(ilp.TypeFulfill, packet.Sequence, p.Amount()))
		return Fulfill, must(ilp.AppendFulfill(nil, &fulfillment, data))
	}
	data := s.peer.seal(streamText(ilp.TypeReject, packet.Sequence, p.Amount()))
	return Reject, must(ilp.AppendReject(nil, ilp.F99, []byte("test.client"), nil, data))
}

// note puts an event into the reference's words.
func (s *probeServer) note(e Event) {
	say := func(format string, args ...any) { s.happened = append(s.happened, fmt.Sprintf(format, args...)) }
	info, _ := s.m.StreamInfo(e.Stream)
	switch e.Kind {
	case EventAccepted:
		s.conn = e.Conn
		say("server: connection")
	case EventStreamOpened:
		say("connection: stream %d", info.ID)
	case EventMoneyReceived:
		say("stream %d: money %d", info.ID, e.Amount)
	case EventStreamClosed:
		say("stream %d: close", info.ID)
	case EventClosed:
		say("connection: close")
	case EventReadable:
		var b [4096]byte
		for !s.paused {
			n, _ := s.m.Read(s.now, e.Stream, b[:])
			if n == 0 {
				break
			}
			s.octets[info.ID] = append(s.octets[info.ID], b[:n]...)
		}
	case EventHold:
		if err := s.m.Decide(s.now, e.Hold, Decline, s); err != nil {
			s.t.Error(err)
		}
	}
}

// known notes what an answer tells, and lists how it closes.
func (s *probeServer) known(packet frame.Packet) {
	for it := packet.Frames(); it.Next(); {
		switch it.Type() {
		case frame.TypeConnectionClose:
			f, _ := frame.ParseConnectionClose(it.Body())
			s.closes = append(s.closes, fmt.Sprintf("ConnectionClose %d", f.Code))
		case frame.TypeStreamClose:
			f, _ := frame.ParseStreamClose(it.Body())
			s.closes = append(s.closes, fmt.Sprintf("StreamClose %d %d", f.StreamID, f.Code))
		case frame.TypeStreamReceipt:
			s.receipts++
		case frame.TypeStreamMaxMoney:
			f, _ := frame.ParseStreamMaxMoney(it.Body())
			s.told[fmt.Sprintf("StreamMaxMoney %d", f.StreamID)] = fmt.Sprint(f.ReceiveMax, f.TotalReceived)
		case frame.TypeConnectionMaxStreamID:
			f, _ := frame.ParseConnectionMaxStreamID(it.Body())
			s.told["ConnectionMaxStreamId"] = fmt.Sprint(f.MaxStreamID)
		case frame.TypeConnectionAssetDetails:
			f, _ := frame.ParseConnectionAssetDetails(it.Body())
			s.told["ConnectionAssetDetails"] = fmt.Sprint(string(f.AssetCode), f.Scale)
		case frame.TypeConnectionMaxData:
			f, _ := frame.ParseConnectionMaxData(it.Body())
			if f.MaxOffset < assumedConnWindow {
				s.t.Errorf("ConnectionMaxData %d", f.MaxOffset)
			}
		}
	}
}

// compare says how the answer to a step differs from the reference's. Windows
// are not compared: they are configured, and ours are told less often.
func (s *probeServer) compare(step *vectors.ServerStep, data []byte) string {
	want := &step.Reply
	if got := uint8(ilp.PeekType(s.last)); got != want.Type {
		return fmt.Sprintf("answered with type %d, not %d", got, want.Type)
	}
	var sealed []byte
	if want.Type == 13 {
		f, err := ilp.ParseFulfill(s.last)
		if err != nil {
			return err.Error()
		}
		if full, _ := s.peer.prove(data); !bytes.Equal(f.Fulfillment(), full[:]) {
			return "wrong fulfillment"
		}
		sealed = f.Data()
	} else {
		r, err := ilp.ParseReject(s.last)
		if err != nil {
			return err.Error()
		}
		if r.Code().String() != want.Code || string(r.TriggeredBy()) != want.TriggeredBy {
			return fmt.Sprintf("%s by %s, not %s by %s", r.Code(), r.TriggeredBy(), want.Code, want.TriggeredBy)
		}
		sealed = r.Data()
	}
	packet, readable := s.peer.open(sealed)
	if readable != (want.Stream != nil) {
		return fmt.Sprintf("a STREAM packet in the answer: %v", readable)
	}
	if !readable {
		return ""
	}
	s.known(packet)
	theirs := &want.Stream.StreamPacket
	if packet.Sequence != uint64(theirs.Sequence) || uint8(packet.PacketType) != theirs.ILPPacketType || packet.PrepareAmount != Amount(theirs.PrepareAmount) {
		return fmt.Sprintf("header %d %d %d", packet.Sequence, packet.PacketType, packet.PrepareAmount)
	}
	if padded := want.Stream.EncryptedLength == 32767; padded != (len(sealed) == 32767) {
		return fmt.Sprintf("%d octets of data", len(sealed))
	}
	return s.compareFrames(theirs.Frames)
}

// compareFrames says whether the client knows now what the reference told it,
// and was closed in the same way.
func (s *probeServer) compareFrames(frames []vectors.StreamFrame) string {
	var closes []string
	want := map[string]string{}
	for _, f := range frames {
		key, value := f.Name, ""
		switch f.Name {
		case "ConnectionClose":
			closes = append(closes, fmt.Sprintf("ConnectionClose %d", f.ErrorCode))
			continue
		case "StreamClose":
			closes = append(closes, fmt.Sprintf("StreamClose %d %d", f.StreamID, f.ErrorCode))
			continue
		case "StreamMaxMoney":
			key, value = fmt.Sprintf("StreamMaxMoney %d", f.StreamID), fmt.Sprint(f.ReceiveMax, f.TotalReceived)
		case "ConnectionMaxStreamId":
			value = fmt.Sprint(f.MaxStreamID)
		case "ConnectionAssetDetails":
			value = fmt.Sprint(f.SourceAssetCode, f.SourceAssetScale)
		default:
			continue
		}
		want[key] = value // the last one counts
	}
	for key, value := range want {
		if s.told[key] != value {
			return fmt.Sprintf("%s: told %q, not %q", key, s.told[key], value)
		}
	}
	if !slices.Equal(closes, s.closes) {
		return fmt.Sprintf("closes with %q, not %q", s.closes, closes)
	}
	return ""
}

// compareEvents says how what happened in a step differs from the reference's
// events.
func (s *probeServer) compareEvents(p *vectors.ServerProbe, step int, octets map[uint64][]byte) string {
	var want []string
	for _, e := range p.Events {
		if e.Step != step {
			continue
		}
		var id uint64
		switch {
		case e.Event == "connection: stream":
			want = append(want, fmt.Sprintf("connection: stream %v", e.Detail))
		case strings.HasSuffix(e.Event, ": money"):
			want = append(want, fmt.Sprintf("%s %v", e.Event, e.Detail))
		case strings.HasSuffix(e.Event, ": data"):
			if _, err := fmt.Sscanf(e.Event, "stream %d:", &id); err != nil {
				s.t.Fatal(err)
			}
			more, err := hex.DecodeString(e.Detail.(string))
			if err != nil {
				s.t.Fatal(err)
			}
			octets[id] = append(octets[id], more...)
		case e.Event == "server: connection", strings.HasSuffix(e.Event, ": close"):
			want = append(want, e.Event)
		}
	}
	if !slices.Equal(slices.Sorted(slices.Values(want)), slices.Sorted(slices.Values(s.happened))) {
		return fmt.Sprintf("events %q, not %q", s.happened, want)
	}
	if !maps.EqualFunc(octets, s.octets, bytes.Equal) {
		return fmt.Sprintf("data %x, not %x", s.octets, octets)
	}
	return ""
}

func TestServerAnswersAsTheReference(t *testing.T) {
	check := serverDifferences.Check(t)
	probes := vectors.Load[vectors.ServerProbes](t, "stream_server_probes.json").Probes
	if len(probes) != 65 {
		t.Fatalf("%d probes", len(probes))
	}
	for i := range probes {
		p := &probes[i]
		s := newProbeServer(t, p.Name)
		octets := map[uint64][]byte{}
		difference := ""
		for k := range p.Steps {
			data := s.send(p.Name, &p.Steps[k])
			d := s.compare(&p.Steps[k], data)
			if d == "" {
				d = s.compareEvents(p, k+1, octets)
			}
			if d == "" && !slices.Equal(s.sent, p.Steps[k].ServerSentPackets) {
				d = fmt.Sprintf("sent %q, not %q", s.sent, p.Steps[k].ServerSentPackets)
			}
			if d != "" && difference == "" {
				difference = fmt.Sprintf("step %d: %s", k+1, d)
			}
		}
		check.Case(p.Name, difference)
	}
}
