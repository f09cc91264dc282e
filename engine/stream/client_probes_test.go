package stream

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/millrace-ilp/millrace/codec/frame"
	"github.com/millrace-ilp/millrace/codec/ilp"
	"github.com/millrace-ilp/millrace/internal/vectors"
)

// clientDifferences are the answers that our client deliberately takes
// otherwise than the reference client. Sections are those of IL-RFC 0029.
var clientDifferences = vectors.Differences{
	"fulfill without data":                      "§3.6: the fulfillment proves that the money is spent; the reference counts it never, and may spend it again",
	"F99 without data":                          "§5.2: a refusal that tells nothing is followed by a pause, longer each time; the reference repeats at once for ever",
	"F02 once":                                  "IL-RFC 0027: nobody is there to whom ConnectionClose could be sent",
	"F05 once":                                  "IL-RFC 0027: somebody on the path spoilt one packet; it is borne for a while",
	"R00 once":                                  "IL-RFC 0027: a packet that timed out is no reason to end the connection",
	"R01 once":                                  "§4.4.2: the rate was too low for one packet; it may recover",
	"R02 once":                                  "IL-RFC 0027: a packet that timed out is no reason to end the connection",
	"reply with another sequence":               "§5.2: the fulfillment counts, the frames beside it do not",
	"Fulfill saying it is a Reject":             "§5.2: the fulfillment counts, the frames beside it do not",
	"Reject saying it is a Fulfill":             "§5.2: honest when a connector was too late to pass a fulfill on; the packet failed and is retried",
	"Fulfill with undecryptable data":           "§5.2: the fulfillment counts, the frames beside it do not",
	"F99 with undecryptable data":               "§5.2: anybody on the path can make one; it is taken for a connector's",
	"wrong fulfillment":                         "§6.3: it proves nothing; the money is not spent, and the packet is retried",
	"fulfill claiming less than the minimum":    "§5.2: a receiver that fulfils below the minimum has broken its word; the minimum is what it owes",
	"data: no window frames ever, 100000 bytes": "§5.3.13: the frame goes out once until the window rises",
	"data: stream window 100 advertised":        "§5.3.13: the frame goes out once until the window rises",
	"data: connection window 2000 advertised while probing, stream window large": "§5.3.11: frames are cut to the octet; the reference leaves room for a larger header",
	"data packet rejected with a readable F99 is sent again":                     "§5.3.11: the receiver's own answer tells that it has the data; the reference's receiver fails on a duplicate",
}

// probeReceiver answers the packets of one client by a script.
type probeReceiver struct {
	t        *testing.T
	m        *Machine
	link     LinkHandle
	conn     ConnHandle
	stream   StreamHandle
	now      Instant
	peer     *peer
	script   probeScript
	probing  []appender // what answers to rate probes carry
	tooSmall bool       // answers to rate probes tell nothing
	ready    bool
	n        int
	queue    []Entry
	sent     []string // after the probes
	probes   int
	events   []string
}

// probeScript makes the answer to the nth packet after the probes; nil means
// the ordinary one, and an empty one is lost.
type probeScript func(a *probeAnswer, n int) []byte

// probeAnswer is a packet of the client's and the ways to answer it.
type probeAnswer struct {
	r           *probeReceiver
	request     uint32
	prepare     ilp.Prepare
	packet      frame.Packet
	fulfillment [32]byte
	fulfillable bool
}

func (a *probeAnswer) text(t ilp.PacketType, frames []appender) []byte {
	return a.r.peer.seal(streamText(t, a.packet.Sequence, a.prepare.Amount(), frames...))
}

func (a *probeAnswer) fulfillWith(fulfillment [32]byte, data []byte) []byte {
	return must(ilp.AppendFulfill(nil, &fulfillment, data))
}

func (a *probeAnswer) fulfill(frames ...appender) []byte {
	return a.fulfillWith(a.fulfillment, a.text(ilp.TypeFulfill, frames))
}

func (a *probeAnswer) rejectWith(code ilp.Code, data []byte) []byte {
	return must(ilp.AppendReject(nil, code, []byte("test.connector"), nil, data))
}

func (a *probeAnswer) f99(frames ...appender) []byte {
	return a.rejectWith(ilp.F99, a.text(ilp.TypeReject, frames))
}

func (r *probeReceiver) Room(LinkHandle) int                  { return 1 << 20 }
func (r *probeReceiver) Reply(LinkHandle, uint32, int) []byte { return nil }
func (r *probeReceiver) Forward(int, Entry)                   {}
func (r *probeReceiver) Request(_ LinkHandle, id uint32, n int) []byte {
	b := make([]byte, n)
	r.queue = append(r.queue, Entry{Kind: Prepare, Link: r.link, Request: id, Packet: b})
	return b
}

// answer is the receiver: it takes one packet and answers it.
func (r *probeReceiver) answer(e Entry) {
	p, err := ilp.ParsePrepare(e.Packet)
	if err != nil {
		r.t.Fatal(err)
	}
	a := &probeAnswer{r: r, request: e.Request, prepare: p}
	var ok bool
	if a.packet, ok = r.peer.open(p.Data()); !ok {
		r.t.Fatal("a packet of ours does not open")
	}
	var condition [32]byte
	a.fulfillment, condition = r.peer.prove(p.Data())
	a.fulfillable = bytes.Equal(condition[:], p.Condition())
	var back []byte
	switch {
	case !r.ready && r.tooSmall:
		back = a.rejectWith(ilp.F99, r.peer.seal(streamText(ilp.TypeReject, a.packet.Sequence, 0)))
	case !r.ready:
		r.probes++
		back = a.f99(r.probing...)
	default:
		r.n++
		if r.script != nil {
			back = r.script(a, r.n)
		}
		if said := a.says(); said != "" && len(r.sent) < 20 {
			r.sent = append(r.sent, said)
		}
		if back == nil && a.fulfillable {
			back = a.fulfill()
		} else if back == nil {
			back = a.f99()
		}
	}
	if len(back) == 0 {
		return // the answer is lost
	}
	kind := Reject
	if ilp.PeekType(back) == ilp.TypeFulfill {
		kind = Fulfill
	}
	r.m.Handle(r.now, []Entry{{Kind: kind, Link: r.link, Request: e.Request, Packet: back}}, r)
}

// says is what a packet does, or "" if it only tells limits.
func (a *probeAnswer) says() string {
	var said []string
	for it := a.packet.Frames(); it.Next(); {
		switch it.Type() {
		case frame.TypeStreamMoney:
			said = append(said, fmt.Sprintf("%d of which at least %d", a.prepare.Amount(), a.packet.PrepareAmount))
		case frame.TypeStreamData:
			f, _ := frame.ParseStreamData(it.Body())
			said = append(said, fmt.Sprintf("data %d+%d", f.Offset, len(f.Data)))
		case frame.TypeConnectionClose, frame.TypeStreamMoneyBlocked, frame.TypeStreamDataBlocked, frame.TypeConnectionDataBlocked, frame.TypeConnectionStreamIDBlocked:
			said = append(said, it.Type().String())
		}
	}
	return strings.Join(said, ", ")
}

// theirs is the same of the reference's packet.
func theirs(frames []vectors.ProbeFrame, amount, least vectors.Uint) string {
	var said []string
	for _, f := range frames {
		switch f.Name {
		case "StreamMoney":
			said = append(said, fmt.Sprintf("%d of which at least %d", amount, least))
		case "StreamData":
			said = append(said, fmt.Sprintf("data %d+%d", f.Offset, f.Data.Len))
		case "ConnectionClose", "StreamMoneyBlocked", "StreamDataBlocked", "ConnectionDataBlocked", "ConnectionStreamIdBlocked":
			said = append(said, f.Name)
		}
	}
	return strings.Join(said, ", ")
}

// run lets things happen for a while of virtual time.
func (r *probeReceiver) run(d Instant) {
	for end := r.now + d; r.now < end; r.now += 10e6 {
		r.m.HandleTimeout(r.now, r)
		for range 100 {
			for e, ok := r.m.PollEvent(); ok; e, ok = r.m.PollEvent() {
				r.note(e)
			}
			if link, ok := r.m.PollReady(); ok {
				r.m.Transmit(r.now, link, r)
			}
			if len(r.queue) == 0 {
				break
			}
			e := r.queue[0]
			r.queue = r.queue[1:]
			r.answer(e)
		}
	}
}

func (r *probeReceiver) note(e Event) {
	switch e.Kind {
	case EventConnected:
		r.ready = true
	case EventMoneySent:
		r.events = append(r.events, fmt.Sprintf("stream: outgoing_money %d", e.Amount))
	case EventStreamClosed:
		r.events = append(r.events, "stream: close")
	case EventUnsettled:
		r.events = append(r.events, "stream: unsettled")
	case EventClosed:
		r.events = append(r.events, "connection: close")
	}
}

// probeCase is what a probe's name stands for.
type probeCase struct {
	script   probeScript
	options  Options
	probing  []appender
	tooSmall bool
	pay      Amount
	write    int
	open     int // streams to open beside
}

// once answers the first packet with a connector's code.
func once(code ilp.Code) probeScript {
	return first(func(a *probeAnswer) []byte { return a.rejectWith(code, nil) })
}

// first answers the first packet otherwise than usual.
func first(answer func(*probeAnswer) []byte) probeScript {
	return func(a *probeAnswer, n int) []byte {
		if n > 1 {
			return nil
		}
		return answer(a)
	}
}

// probeCases gives every probe its script, as the generator has it.
func probeCases() map[string]probeCase {
	junk := bytes.Repeat([]byte{7}, 40)
	cases := map[string]probeCase{
		"plain fulfill":                     {pay: 100},
		"fulfill without data":              {pay: 100, script: first(func(a *probeAnswer) []byte { return a.fulfillWith(a.fulfillment, nil) })},
		"F99 without data":                  {pay: 100, script: func(a *probeAnswer, _ int) []byte { return a.rejectWith(ilp.F99, nil) }},
		"slippage 1":                        {pay: 100, options: Options{SlippagePPM: 1_000_000}},
		"slippage 1.01":                     {options: Options{SlippagePPM: 1_010_000}},
		"padding":                           {pay: 100, options: Options{Padding: true}},
		"F08 with zeros":                    {pay: 1000, script: first(func(a *probeAnswer) []byte { return a.rejectWith(ilp.F08, make([]byte, 16)) })},
		"max stream id 1":                   {open: 2, probing: []appender{frame.ConnectionMaxStreamID{MaxStreamID: 1}}},
		"probe replies with too few digits": {tooSmall: true},
		"F99 with data, no frames, twice, then fulfill": {pay: 100, script: func(a *probeAnswer, n int) []byte {
			if n <= 2 {
				return a.f99()
			}
			return nil
		}},
		"F08 without data": {pay: 1000, script: func(a *probeAnswer, _ int) []byte {
			if a.prepare.Amount() > 300 {
				return a.rejectWith(ilp.F08, nil)
			}
			return nil
		}},
		"reply with another sequence": {pay: 100, script: first(func(a *probeAnswer) []byte {
			return a.fulfillWith(a.fulfillment, a.r.peer.seal(streamText(ilp.TypeFulfill, 999, a.prepare.Amount())))
		})},
		"Fulfill saying it is a Reject":   {pay: 100, script: first(func(a *probeAnswer) []byte { return a.fulfillWith(a.fulfillment, a.text(ilp.TypeReject, nil)) })},
		"Reject saying it is a Fulfill":   {pay: 100, script: first(func(a *probeAnswer) []byte { return a.rejectWith(ilp.F99, a.text(ilp.TypeFulfill, nil)) })},
		"Fulfill with undecryptable data": {pay: 100, script: first(func(a *probeAnswer) []byte { return a.fulfillWith(a.fulfillment, junk) })},
		"F99 with undecryptable data":     {pay: 100, script: first(func(a *probeAnswer) []byte { return a.rejectWith(ilp.F99, junk) })},
		"wrong fulfillment": {pay: 100, script: first(func(a *probeAnswer) []byte {
			return a.fulfillWith([32]byte(bytes.Repeat([]byte{9}, 32)), a.text(ilp.TypeFulfill, nil))
		})},
		"fulfill claiming less than the minimum": {pay: 100, script: first(func(a *probeAnswer) []byte {
			return a.fulfillWith(a.fulfillment, a.r.peer.seal(streamText(ilp.TypeFulfill, a.packet.Sequence, 1)))
		})},
		"StreamMaxMoney 0 in F99": {pay: 100, script: first(func(a *probeAnswer) []byte { return a.f99(frame.StreamMaxMoney{StreamID: 1}) })},
		"StreamMaxMoney lowered later": {pay: 100, script: func(a *probeAnswer, n int) []byte {
			switch n {
			case 1:
				return a.f99(frame.StreamMaxMoney{StreamID: 1, ReceiveMax: 60})
			case 2:
				return a.fulfill(frame.StreamMaxMoney{StreamID: 1, ReceiveMax: 10, TotalReceived: 60})
			}
			return nil
		}},
		"StreamClose in a fulfill": {pay: 100, script: first(func(a *probeAnswer) []byte { return a.fulfill(frame.StreamClose{StreamID: 1, Code: frame.NoError}) })},
		"StreamClose with an error in F99": {pay: 100, script: first(func(a *probeAnswer) []byte {
			return a.f99(frame.StreamClose{StreamID: 1, Code: 9, Message: []byte("nope")})
		})},
		"ConnectionClose in a fulfill":              {pay: 100, script: first(func(a *probeAnswer) []byte { return a.fulfill(frame.ConnectionClose{Code: frame.NoError}) })},
		"ConnectionClose with an error in F99":      {pay: 100, script: first(func(a *probeAnswer) []byte { return a.f99(frame.ConnectionClose{Code: 8, Message: []byte("bad")}) })},
		"data: no window frames ever, 100000 bytes": {write: 100000},
		"data: stream window 100 advertised":        {write: 30000, script: func(a *probeAnswer, _ int) []byte { return a.fulfill(frame.StreamMaxData{StreamID: 1, MaxOffset: 100}) }},
		"data: connection window 2000 advertised while probing, stream window large": {write: 100000, probing: []appender{frame.ConnectionMaxData{MaxOffset: 2000}}, script: func(a *probeAnswer, _ int) []byte {
			return a.fulfill(frame.ConnectionMaxData{MaxOffset: 2000}, frame.StreamMaxData{StreamID: 1, MaxOffset: 1_000_000})
		}},
		"data packet rejected with a readable F99 is sent again": {write: 10, script: first(func(a *probeAnswer) []byte { return a.f99() })},
		"data packet rejected by a connector is sent again":      {write: 10, script: once(ilp.T00)},
	}
	for _, code := range []ilp.Code{ilp.F00, ilp.F02, ilp.F05, ilp.F06, ilp.F07, ilp.R00, ilp.R01, ilp.R02, ilp.R99, ilp.T00, ilp.T01, ilp.T02, ilp.T03, ilp.T04, ilp.T05, ilp.T99} {
		cases[code.String()+" once"] = probeCase{pay: 100, script: once(code)}
	}
	return cases
}

// play runs our client through a probe and says how it differs.
func (c *probeCase) play(t *testing.T, want *vectors.ClientProbe) string {
	var secret [32]byte
	for i := range secret {
		secret[i] = byte(i)
	}
	r := &probeReceiver{t: t, m: New(Config{Seed: seeded(5)}), now: 1_700_000_000 * second, peer: newPeer(t, secret[:]), script: c.script, probing: c.probing, tooSmall: c.tooSmall}
	var err error
	if r.link, err = r.m.AddLink(LinkConfig{Address: []byte("test.client"), AssetCode: []byte("XRP"), AssetScale: 9, Account: 1}); err != nil {
		t.Fatal(err)
	}
	c.options.MaxInFlight = 1 // the reference sends one packet after the other
	r.conn, err = r.m.Connect(r.now, ConnectConfig{Link: r.link, Destination: []byte("test.server.token"), SharedSecret: secret, Options: c.options})
	if err != nil {
		if want.CreateConnection == "" {
			return err.Error()
		}
		return ""
	}
	r.run(20 * second)
	if r.ready != (want.CreateConnection == "") {
		return fmt.Sprintf("connected: %v", r.ready)
	}
	if !r.ready {
		return ""
	}
	if r.probes != want.ProbePackets {
		return fmt.Sprintf("%d probes, not %d", r.probes, want.ProbePackets)
	}
	if r.stream, err = r.m.OpenStream(r.now, r.conn); err != nil {
		return err.Error()
	}
	for range c.open - 1 {
		if _, err := r.m.OpenStream(r.now, r.conn); err != ErrStreamIDs {
			return fmt.Sprint(err)
		}
	}
	if c.pay > 0 {
		if err := r.m.SetSendMax(r.now, r.stream, c.pay); err != nil {
			return err.Error()
		}
	}
	if n, err := r.m.Write(r.now, r.stream, make([]byte, c.write)); n != c.write {
		return fmt.Sprint(err)
	}
	r.run(9 * second / 10) // blocked frames are repeated after a second
	return r.compare(want)
}

func (r *probeReceiver) compare(want *vectors.ClientProbe) string {
	var sent, events []string
	for _, p := range want.Sent {
		if said := theirs(p.Frames, p.Amount, p.PrepareAmount); said != "" {
			sent = append(sent, said)
		}
	}
	if !slices.Equal(sent, r.sent) {
		return fmt.Sprintf("sent %q, not %q", r.sent, sent)
	}
	for _, e := range want.Events {
		switch e.Event {
		case "stream: outgoing_money":
			events = append(events, fmt.Sprintf("%s %v", e.Event, e.Detail))
		case "stream: close", "connection: close":
			events = append(events, e.Event)
		}
	}
	if !slices.Equal(events, r.events) {
		return fmt.Sprintf("events %q, not %q", r.events, events)
	}
	info, _ := r.m.ConnInfo(r.conn)
	if info.Sent != Amount(want.Totals.TotalSent) || info.Delivered != Amount(want.Totals.TotalDelivered) {
		return fmt.Sprintf("sent %d and delivered %d", info.Sent, info.Delivered)
	}
	if info.Held != 0 {
		return fmt.Sprintf("%d held", info.Held)
	}
	last := "0"
	if info.LastDen > 0 {
		last = fmt.Sprint(float64(info.LastNum) / float64(info.LastDen))
	}
	if last != want.Totals.LastPacketExchangeRate {
		return fmt.Sprintf("last rate %s, not %s", last, want.Totals.LastPacketExchangeRate)
	}
	return ""
}

func TestClientTakesAnswersAsTheReference(t *testing.T) {
	check := clientDifferences.Check(t)
	probes := vectors.Load[vectors.ClientProbes](t, "stream_client_probes.json").Probes
	cases := probeCases()
	if len(probes) != 45 || len(cases) != 45 {
		t.Fatalf("%d probes, %d cases", len(probes), len(cases))
	}
	for i := range probes {
		c, ok := cases[probes[i].Name]
		if !ok {
			t.Errorf("no script for %q", probes[i].Name)
			continue
		}
		check.Case(probes[i].Name, c.play(t, &probes[i]))
	}
}
