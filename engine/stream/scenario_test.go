package stream

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/millrace-ilp/millrace/codec/frame"
	"github.com/millrace-ilp/millrace/codec/ilp"
)

var rewrite = flag.Bool("rewrite", false, "write the scenarios' output anew")

// TestScenarios plays the scripts of testdata. A script is a story in commands;
// under "----" stands what they make happen. With -rewrite that is written anew,
// for the author to read.
func TestScenarios(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scenarios: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			script, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := play(t, string(script))
			if *rewrite {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if got != string(script) {
				t.Errorf("%s tells another story now:\n%s", file, firstDifference(string(script), got))
			}
		})
	}
}

func firstDifference(want, got string) string {
	w, g := strings.Split(want, "\n"), strings.Split(got, "\n")
	for i := range min(len(w), len(g)) {
		if w[i] != g[i] {
			return fmt.Sprintf("line %d\n  want %s\n  got  %s", i+1, w[i], g[i])
		}
	}
	return fmt.Sprintf("%d lines, not %d", len(g), len(w))
}

// play runs a script and returns it with the output as it is now.
func play(t *testing.T, script string) string {
	s := &scenario{t: t}
	var out strings.Builder
	for block := range strings.SplitSeq(strings.TrimSpace(script), "\n\n") {
		commands, _, told := strings.Cut(block, "\n----")
		out.WriteString(commands)
		if !told {
			out.WriteString("\n\n") // prose
			continue
		}
		out.WriteString("\n----\n")
		s.out.Reset()
		for line := range strings.SplitSeq(commands, "\n") {
			if line, _, _ = strings.Cut(line, "#"); strings.TrimSpace(line) != "" {
				s.do(strings.Fields(line))
			}
		}
		if s.out.Len() == 0 {
			s.say("nothing")
		}
		out.WriteString(s.out.String() + "\n")
	}
	return strings.TrimRight(out.String(), "\n") + "\n"
}

// scenario is a world under a script. The client is alice, the server bob.
type scenario struct {
	t     *testing.T
	w     *world
	began Instant
	out   strings.Builder
	conn  [2]ConnHandle // alice's and bob's end
	peer  *peer
	wire  bool
	lose  string // what is lost between the connector and alice
}

func (s *scenario) say(format string, args ...any) { fmt.Fprintf(&s.out, format+"\n", args...) }

func (s *scenario) node(name string) (*node, int) {
	switch name {
	case "alice":
		return s.w.a, 0
	case "bob":
		return s.w.b, 1
	}
	s.t.Fatalf("who is %q?", name)
	return nil, 0
}

func (s *scenario) stream(who int, id string) StreamHandle {
	n := [...]*node{s.w.a, s.w.b}[who]
	for _, h := range n.m.Streams(s.conn[who], nil) {
		if info, _ := n.m.StreamInfo(h); strconv.FormatUint(info.ID, 10) == id {
			return h
		}
	}
	s.t.Fatalf("there is no stream %s", id)
	return 0
}

func (s *scenario) number(text string) uint64 {
	if text == "max" {
		return uint64(maxAmount)
	}
	n, err := strconv.ParseUint(strings.ReplaceAll(text, "_", ""), 10, 64)
	if err != nil {
		s.t.Fatal(err)
	}
	return n
}

func (s *scenario) duration(text string) Instant {
	d, err := time.ParseDuration(text)
	if err != nil {
		s.t.Fatal(err)
	}
	return Instant(d)
}

// settings are name=value words.
func (s *scenario) settings(words []string, set func(name, value string) bool) {
	for _, word := range words {
		if name, value, _ := strings.Cut(word, "="); !set(name, value) {
			s.t.Fatalf("there is no setting %q", name)
		}
	}
}

func (s *scenario) options(o *Options, name, value string) bool {
	switch name {
	case "receive-max":
		o.ReceiveMax = Amount(s.number(value))
	case "in-flight":
		o.MaxInFlight = int(s.number(value))
	case "packet":
		o.MaxPacketAmount = Amount(s.number(value))
	case "max-streams":
		o.MaxRemoteStreams = int(s.number(value))
	case "idle":
		o.IdleTimeout = int64(s.duration(value))
	case "sleep":
		o.SleepAfter = int64(s.duration(value))
	case "expiry":
		o.Expiry = int64(s.duration(value))
	case "retry-for":
		o.RetryFor = int64(s.duration(value))
	case "slippage-ppm":
		o.SlippagePPM = int(s.number(value))
	case "money-in-flight":
		o.MaxInFlightAmount = Amount(s.number(value))
	case "octets-in-flight":
		o.MaxInFlightOctets = int(s.number(value))
	case "pace":
		o.PacketsPerSecond = int(s.number(value))
	case "stream-window":
		o.StreamWindow = int(s.number(value))
	case "connection-window":
		o.ConnectionWindow = int(s.number(value))
	default:
		return false
	}
	return true
}

// do plays one command.
func (s *scenario) do(words []string) {
	rest := words[1:]
	switch words[0] {
	case "world":
		s.makeWorld(rest)
	case "path":
		s.settings(rest, s.setPath)
	case "connect":
		var o Options
		s.settings(rest, func(name, value string) bool { return s.options(&o, name, value) })
		s.conn[0] = s.w.connect(o)
		secret, _ := s.w.a.m.SharedSecret(s.conn[0])
		s.peer = newPeer(s.t, secret[:])
		s.run(second)
	case "run":
		s.run(s.duration(rest[0]))
	case "wire":
		s.wire = rest[0] == "on"
	case "cut":
		n, _ := s.node(rest[0])
		s.w.down = true
		n.queue = nil
		n.m.LinkLost(s.w.now, n.link)
	case "restore":
		n, _ := s.node(rest[0])
		s.w.down = false
		n.m.LinkUp(s.w.now, n.link)
	case "lose":
		s.lose = rest[0]
	case "move": // alice's parent gives her another address
		s.w.a.m.setAddress(uint32(s.w.a.link), s.w.a.m.linkOf(s.w.a.link), []byte(rest[0]))
	case "sequence": // as if alice had sent so many
		_, c, err := s.w.a.m.open(s.conn[0])
		if err != nil {
			s.t.Fatal(err)
		}
		c.nextSequence = s.number(rest[0])
	case "refuse":
		s.refuse(rest)
	case "totals":
		s.totals()
	default:
		s.act(words[0], words[1], words[2:])
	}
}

func (s *scenario) makeWorld(words []string) {
	var o Options
	var cfg Config
	s.settings(words, func(name, value string) bool {
		switch name {
		case "decide":
			cfg.Decide = true
		case "max-holds":
			cfg.MaxHolds = int(s.number(value))
		case "max-events":
			cfg.MaxEvents = int(s.number(value))
		default:
			return s.options(&o, name, value)
		}
		return true
	})
	s.w = newWorld(s.t, o, cfg)
	s.began = s.w.now
	s.w.hook = s.see
}

func (s *scenario) setPath(name, value string) bool {
	switch name {
	case "rate":
		num, den, _ := strings.Cut(value, "/")
		s.w.rate = rate{s.number(num), s.number(den)}
	case "max":
		s.w.max = Amount(s.number(value))
	case "f08-data":
		s.w.f08Data = value == "on"
	default:
		return false
	}
	return true
}

// refuse makes the connector refuse the next prepares of alice's.
func (s *scenario) refuse(words []string) {
	code, err := ilp.ParseCode([]byte(words[0]))
	if err != nil {
		s.t.Fatal(err)
	}
	left := uint64(1 << 62)
	if words[1] != "all" {
		left = s.number(words[1])
	}
	s.w.refuse = func(from *node, _ *ilp.Prepare) []byte {
		if from != s.w.a || left == 0 {
			return nil
		}
		left--
		return must(ilp.AppendReject(nil, code, []byte("test.hub"), nil, nil))
	}
}

// act is a command of one of the two: WHO VERB ARGUMENTS.
func (s *scenario) act(who, verb string, words []string) {
	n, k := s.node(who)
	err := error(nil)
	switch verb {
	case "opens":
		var h StreamHandle
		if h, err = n.m.OpenStream(s.w.now, s.conn[k]); err == nil {
			info, _ := n.m.StreamInfo(h)
			s.say("%s opens stream %d", who, info.ID)
		}
	case "sends": // up to a total
		err = n.m.SetSendMax(s.w.now, s.stream(k, words[0]), Amount(s.number(words[1])))
	case "delivers": // up to a total
		err = n.m.SetDeliverMax(s.w.now, s.stream(k, words[0]), Amount(s.number(words[1])))
	case "takes": // up to a total
		err = n.m.SetReceiveMax(s.w.now, s.stream(k, words[0]), Amount(s.number(words[1])))
	case "writes":
		text := []byte(words[1])
		if len(words) > 2 {
			text = bytes.Repeat(text, int(s.number(words[2])))
		}
		var wrote int
		if wrote, err = n.m.Write(s.w.now, s.stream(k, words[0]), text); err == nil && wrote < len(text) {
			s.say("%s writes %d of %d octets", who, wrote, len(text))
		}
	case "reads":
		p := make([]byte, 1<<20)
		var got int
		got, err = n.m.Read(s.w.now, s.stream(k, words[0]), p)
		if got > 40 {
			s.say("%s reads %d octets", who, got)
		} else if err == nil {
			s.say("%s reads %q", who, p[:got])
		}
	case "closes":
		if len(words) > 0 {
			err = n.m.CloseStream(s.w.now, s.stream(k, words[0]))
		} else {
			err = n.m.CloseConn(s.w.now, s.conn[k])
		}
	case "destroys":
		if len(words) > 1 {
			err = n.m.DestroyStream(s.w.now, s.stream(k, words[0]), frame.ApplicationError, words[1])
		} else {
			err = n.m.DestroyConn(s.w.now, s.conn[k], frame.ApplicationError, words[0])
		}
	default:
		s.t.Fatalf("what is it to %q?", verb)
	}
	if err != nil {
		s.say("%s: %v", who, err)
	}
}

// run lets everything happen for a while and tells the events.
func (s *scenario) run(d Instant) {
	s.w.run(d)
	for k, n := range [...]*node{s.w.a, s.w.b} {
		for _, e := range n.events {
			s.tell(k, n, e)
		}
		n.events = nil
	}
}

// see notes a packet on the wire, and loses it if that is its lot.
func (s *scenario) see(from *node, e *Entry) bool {
	if s.wire {
		s.write(from, e)
	}
	switch {
	case s.lose == "prepares" && from == s.w.a && e.Kind == Prepare:
		return false
	case s.lose == "answers" && from == s.w.b && e.Kind != Prepare:
		s.w.settle(from.peer, e) // the connector has it
		return false
	}
	return true
}

// write tells of a packet on the wire.
func (s *scenario) write(from *node, e *Entry) {
	who := "alice"
	if from == s.w.b {
		who = "bob"
	}
	data, what := []byte(nil), ""
	if p, err := ilp.ParsePrepare(e.Packet); err == nil {
		data, what = p.Data(), fmt.Sprintf("prepare %d", p.Amount())
	} else if f, err := ilp.ParseFulfill(e.Packet); err == nil {
		data, what = f.Data(), "fulfill"
	} else if r, err := ilp.ParseReject(e.Packet); err == nil {
		data, what = r.Data(), "reject "+r.Code().String()
	}
	packet, ok := s.peer.open(data)
	if !ok {
		s.say("  %5d ms  %s: %s", (s.w.now-s.began)/1e6, who, what)
		return
	}
	var frames []string
	for it := packet.Frames(); it.Next(); {
		frames = append(frames, it.Type().String())
	}
	s.say("  %5d ms  %s: %s, %d: %s", (s.w.now-s.began)/1e6, who, what, packet.PrepareAmount, strings.Join(frames, " "))
}

func (s *scenario) totals() {
	for k, n := range [...]*node{s.w.a, s.w.b} {
		who := [...]string{"alice", "bob"}[k]
		if c, ok := n.m.ConnInfo(s.conn[k]); ok {
			s.say("%s: sent %d, delivered %d, received %d, held %d, unknown %d", who, c.Sent, c.Delivered, c.Received, c.Held, c.Unknown)
		} else {
			s.say("%s: no connection", who)
		}
	}
	s.say("the connector took %d and gave %d", s.w.taken, s.w.given)
}

// tell puts an event into words.
func (s *scenario) tell(k int, n *node, e Event) {
	who := [...]string{"alice", "bob"}[k]
	info, _ := n.m.StreamInfo(e.Stream)
	by := ""
	if e.Remote {
		by = " by the peer"
	}
	switch e.Kind {
	case EventAccepted:
		s.conn[k] = e.Conn
		s.say("%s: a connection", who)
	case EventConnected:
		c, _ := n.m.ConnInfo(e.Conn)
		s.say("%s: connected, rate %d/%d", who, c.RateNum, c.RateDen)
	case EventPeerAddress:
		if c, _ := n.m.ConnInfo(e.Conn); bytes.HasPrefix(c.Peer, []byte("test.hub.alice.")) {
			s.say("%s: knows the peer's address", who)
		} else {
			s.say("%s: the peer is at %s now", who, c.Peer[:bytes.LastIndexByte(c.Peer, '.')])
		}
	case EventSettled:
		if e.Stream != 0 {
			s.say("%s: stream %d is settled", who, info.ID)
		} else {
			s.say("%s: the connection is settled", who)
		}
	case EventHalfExhausted:
		s.say("%s: half of all sequences are used", who)
	case EventStreamOpened:
		s.say("%s: stream %d opened", who, info.ID)
	case EventMoneyReceived:
		s.say("%s: stream %d received %d in %d packets", who, info.ID, e.Amount, e.Packets)
	case EventMoneySent:
		s.say("%s: stream %d sent %d in %d packets", who, info.ID, e.Amount, e.Packets)
	case EventTotalSent:
		s.say("%s: stream %d sent all", who, info.ID)
	case EventUndeliverable:
		s.say("%s: stream %d: nothing would arrive of what is left; send at least %d", who, info.ID, e.Amount)
	case EventReceiveLimit:
		s.say("%s: stream %d may send up to %d", who, info.ID, info.RemoteMax)
	case EventReadable:
		s.say("%s: stream %d has %d octets to read", who, info.ID, info.Readable)
	case EventWritable:
		s.say("%s: stream %d takes octets again", who, info.ID)
	case EventHold:
		s.say("%s: %d held for a decision", who, e.Amount)
	case EventStreamClosed:
		s.say("%s: stream %d closed%s: %s", who, info.ID, by, strings.TrimSpace(e.Code.String()+" "+info.CloseMessage))
	case EventClosed:
		c, _ := n.m.ConnInfo(e.Conn)
		s.say("%s: connection closed%s: %s %s", who, by, e.Code, c.CloseMessage)
	default:
		s.say("%s: event %d", who, e.Kind)
	}
}
