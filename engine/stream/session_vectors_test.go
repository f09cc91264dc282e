package stream

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/millrace-ilp/millrace/aesni"
	"github.com/millrace-ilp/millrace/internal/vectors"
)

// sessionDifferences are recorded connections in which our server, given the
// client's packets, deliberately answers otherwise than the reference's.
var sessionDifferences = vectors.Differences{
	"server pays client": "§5.3.5: the end of a stream that the server opened gives the client no further one",
}

func loadSessions(t *testing.T) []vectors.Session {
	s := vectors.Load[vectors.Sessions](t, "stream_sessions.json").Sessions
	if len(s) != 13 {
		t.Fatalf("%d sessions", len(s))
	}
	return s
}

// plaintext opens an envelope under a recorded secret.
func plaintext(t *testing.T, p *peer, data []byte) []byte {
	t.Helper()
	op := aesni.Op{Data: data, Text: make([]byte, len(data))}
	if p.keys.Open(&op); !op.OK {
		t.Fatal("a recorded packet does not open")
	}
	return op.Text[:len(data)-aesni.Overhead]
}

// Every recorded packet opens, says what was recorded, and is proved by the
// recorded fulfillment.
func TestRecordedSessionsOpenAndProve(t *testing.T) {
	packets := 0
	for _, s := range loadSessions(t) {
		p := newPeer(t, s.SharedSecret)
		for _, r := range s.Packets {
			packets++
			says := func(what string, data []byte, want *vectors.StreamPacket) {
				got, ok := p.open(data)
				if !ok || got.Sequence != uint64(want.Sequence) || uint8(got.PacketType) != want.ILPPacketType || got.PrepareAmount != Amount(want.PrepareAmount) {
					t.Errorf("%s, packet %d: %s: %v %+v", s.Name, r.N, what, ok, got)
				}
				n := 0
				for it := got.Frames(); it.Next(); n++ {
					if uint8(it.Type()) != want.Frames[n].Type {
						t.Errorf("%s, packet %d: %s: frame %d is %v", s.Name, r.N, what, n, it.Type())
					}
				}
				if n != len(want.Frames) {
					t.Errorf("%s, packet %d: %s: %d frames", s.Name, r.N, what, n)
				}
			}
			says("prepare", r.Prepare.Data, &r.Stream)
			fulfillment, condition := p.prove(r.Prepare.Data)
			if bytes.Equal(condition[:], r.Prepare.Condition) != r.Fulfillable {
				t.Errorf("%s, packet %d: fulfillable is %v", s.Name, r.N, r.Fulfillable)
			}
			if r.Reply.Type == 13 && !bytes.Equal(fulfillment[:], r.Reply.Fulfillment) {
				t.Errorf("%s, packet %d: the fulfillment is another", s.Name, r.N)
			}
			if r.Reply.Stream != nil && r.Reply.Data != nil {
				says("reply", r.Reply.Data, r.Reply.Stream)
			}
		}
	}
	if packets < 150 {
		t.Fatalf("only %d packets", packets)
	}
}

// Our server answers the recorded clients' packets as the recorded server did.
func TestRecordedClientsAgainstOurServer(t *testing.T) {
	check := sessionDifferences.Check(t)
	for _, recorded := range loadSessions(t) {
		check.Case(recorded.Name, replaySession(t, &recorded))
	}
}

func replaySession(t *testing.T, recorded *vectors.Session) string {
	name := "session"
	switch {
	case strings.HasPrefix(recorded.Name, "receive limit 30"):
		name = "receive limit 30,"
	case recorded.Name == "receipts":
		name = "receipts"
	case recorded.Name == "data both ways", recorded.Name == "server pays client":
		name = "receive limit 0"
	}
	s := newProbeServer(t, name)
	s.answers = true
	theirs := newPeer(t, recorded.SharedSecret)
	for _, r := range recorded.Packets {
		if r.Direction != "client to server" || r.Reply.TriggeredBy == "test.connector" {
			continue // the server's own, or one that it never saw
		}
		var step vectors.ServerStep
		arrived := r.Prepare.AmountArrived
		step.Request.Destination, step.Request.Amount = r.Prepare.Destination, &arrived
		step.Request.Fulfillable = r.Fulfillable
		step.Request.Plaintext.Octets = plaintext(t, theirs, r.Prepare.Data)
		step.Reply.Type, step.Reply.Code, step.Reply.TriggeredBy = r.Reply.Type, r.Reply.Code, r.Reply.TriggeredBy
		if r.Reply.Stream != nil {
			arrived = r.Reply.Stream.PrepareAmount // after what the connector took
			step.Reply.Stream = &vectors.StreamReply{StreamPacket: *r.Reply.Stream}
		}
		data := s.send(recorded.Name, &step)
		if d := s.compare(&step, data); d != "" {
			return fmt.Sprintf("packet %d: %s", r.N, d)
		}
		if r.Reply.Stream != nil && r.Reply.Type == 13 && receiptsIn(r.Reply.Stream) != s.receipts {
			return fmt.Sprintf("packet %d: %d receipts", r.N, s.receipts)
		}
		if r.N == 5 && recorded.Name == "server pays client" {
			s.pay(40)
		}
	}
	return ""
}

// pay opens a stream of the server's and sends an amount.
func (s *probeServer) pay(amount Amount) {
	h, err := s.m.OpenStream(s.now, s.conn)
	if err == nil {
		err = s.m.SetSendMax(s.now, h, amount)
	}
	if err != nil {
		s.t.Fatal(err)
	}
	s.settle()
}

func receiptsIn(p *vectors.StreamPacket) (n int) {
	for _, f := range p.Frames {
		if f.Name == "StreamReceipt" {
			n++
		}
	}
	return n
}
