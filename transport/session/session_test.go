package session

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/millrace-ilp/millrace/codec/btp"
	"github.com/millrace-ilp/millrace/transport/ws"
)

func TestSessionPassesUpRequestsResponsesAndFailures(t *testing.T) {
	s, p := upServer(t, Config{})
	in := slices.Concat(
		p.ilp(btp.TypeMessage, 1, "prepare"),
		p.ilp(btp.TypeResponse, 2, "fulfill"),
		p.message(btp.AppendResponse(nil, 3)),
		p.message(btp.AppendError(nil, 4, btp.ErrorFields{Code: btp.CodeUnreachable})),
		p.message(btp.AppendResponse(nil, 5, btp.SubProtocol{Name: []byte("ilp")})),
		p.message(btp.AppendMessage(nil, 6, btp.SubProtocol{Name: []byte("x")}, btp.SubProtocol{Name: []byte("ilp"), ContentType: 1, Data: []byte("late")})),
	)
	all := []string{
		`request 1 "prepare"`, `response 2 "fulfill"`, `failure 3 ""`, `failure 4 ""`, `failure 5 ""`, `request 6 "late"`,
	}
	want(t, "packets", read(s, 0, slices.Clone(in)), all...)
	want(t, "said", p.said(s))
	for cut := range in { // split anywhere, it says the same
		b := slices.Clone(in)
		want(t, fmt.Sprint("cut at ", cut), append(read(s, 0, b[:cut]), read(s, 0, b[cut:])...), all...)
	}
}

func TestSessionAnswersWhatAnswersItself(t *testing.T) {
	s, p := upServer(t, Config{})
	got := read(s, 0, slices.Concat(
		p.message(btp.AppendMessage(nil, 1)),
		p.auth(2),
		p.message(btp.AppendTransfer(nil, 3, 100)),
		p.message(btp.AppendMessage(nil, 4, btp.SubProtocol{Name: []byte("foo"), Data: []byte("x")})),
	))
	want(t, "packets", got)
	want(t, "said", p.said(s), "Response 1", "Response 2",
		`Error 3 F00 NotAcceptedError "`+noSettlement+`"`, "Response 4")
	if s.State() != Up {
		t.Fatalf("state %d", s.State())
	}
}

func TestSessionClosesOnAPacketItCannotReadAndNeverAnswersIt(t *testing.T) {
	for name, bad := range map[string][]byte{
		"empty": {}, "garbage": {0xff, 0xff}, "type 3": {3, 0, 0, 0, 8, 2, 1, 0}, "truncated": {6, 0, 0, 0, 8, 200},
	} {
		t.Run(name, func(t *testing.T) {
			s, p := upServer(t, Config{})
			got := read(s, 0, slices.Concat(p.ilp(btp.TypeMessage, 1, "before"), p.message(bad), p.ilp(btp.TypeMessage, 2, "after")))
			want(t, "packets", got, `request 1 "before"`)
			want(t, "said", p.said(s), "close 1002")
			if !errors.Is(s.Err(), ErrUnreadable) {
				t.Fatalf("error %v", s.Err())
			}
		})
	}
}

func TestVectorsAreCutAtTheirLengthAndAt256KiB(t *testing.T) {
	s, p := upServer(t, Config{})
	var in []byte
	for i := range 200 {
		in = append(in, p.ilp(btp.TypeMessage, uint32(i), "x")...)
	}
	for i := range 12 {
		in = append(in, p.ilp(btp.TypeMessage, uint32(1000+i), strings.Repeat("y", 60_000))...)
	}
	s.Feed(0, in)
	vec, count := make([]Packet, 0, 64), 0
	for {
		if vec = s.Packets(vec[:0]); len(vec) == 0 {
			break
		}
		octets := 0
		for _, q := range vec {
			octets += len(q.ILP)
		}
		if len(vec) > 64 || octets > 256<<10 {
			t.Fatalf("a vector of %d packets and %d octets", len(vec), octets)
		}
		count += len(vec)
	}
	if count != 212 {
		t.Fatalf("%d packets came out", count)
	}
}

// A vector must not hold two messages that were put together in the same memory.
func TestFragmentedMessagesDoNotOverwriteEachOther(t *testing.T) {
	s, p := upServer(t, Config{})
	var in []byte
	for i := range 5 {
		m := make([]byte, btp.ILPLen(100))
		copy(btp.PutILP(m, btp.TypeMessage, uint32(i), 100), strings.Repeat(string(rune('a'+i)), 100))
		for at := 0; at < len(m); at += 50 {
			f := p.frame(ws.Continuation, m[at:min(len(m), at+50)])
			if at == 0 {
				f[0] = byte(ws.Binary)
			} else if at+50 < len(m) {
				f[0] = 0
			}
			in = append(in, f...)
		}
	}
	var all []string
	for i := range 5 {
		all = append(all, fmt.Sprintf("request %d %q", i, strings.Repeat(string(rune('a'+i)), 100)))
	}
	want(t, "packets", read(s, 0, in), all...)
}

func TestOnlyTheLastPingOfAReadIsAnswered(t *testing.T) {
	s, p := upServer(t, Config{})
	in := slices.Concat(p.frame(ws.Ping, []byte("one")), p.ilp(btp.TypeMessage, 1, "x"), p.frame(ws.Ping, []byte("two")))
	want(t, "packets", read(s, 0, in), `request 1 "x"`)
	want(t, "said", p.said(s), `pong "two"`)
	read(s, 0, p.ilp(btp.TypeMessage, 2, "x"))
	want(t, "said later", p.said(s))
}

func TestTooManyControlFramesInASecondCloseTheSession(t *testing.T) {
	s, p := upServer(t, Config{MaxControl: 10})
	ping := p.frame(ws.Ping, nil)
	for range 3 { // ten a second are fine
		for range 10 {
			read(s, s.now, slices.Clone(ping))
		}
		s.now += second
	}
	if s.State() != Up {
		t.Fatalf("error %v", s.Err())
	}
	p.said(s)
	for range 11 {
		read(s, s.now, slices.Clone(ping))
	}
	if said := p.said(s); !errors.Is(s.Err(), ErrControlFlood) || said[len(said)-1] != "close 1008" {
		t.Fatalf("error %v, said %q", s.Err(), said)
	}
}

func TestSilenceIsAskedAboutAndThenEndsTheSession(t *testing.T) {
	s, p := upServer(t, Config{PingInterval: 25 * time.Second, DeadTimeout: 75 * time.Second})
	at := func(sec int64) int64 { return sec * second }
	if s.NextTick() != at(25) {
		t.Fatalf("first tick at %d", s.NextTick())
	}
	s.Tick(at(24))
	want(t, "at 24s", p.said(s))
	s.Tick(at(25))
	want(t, "at 25s", p.said(s), `ping ""`)
	read(s, at(26), p.frame(ws.Pong, nil)) // it lives
	if s.NextTick() != at(51) {
		t.Fatalf("next tick at %ds", s.NextTick()/second)
	}
	for _, sec := range []int64{51, 76} {
		s.Tick(at(sec))
		want(t, "ping", p.said(s), `ping ""`)
	}
	if s.NextTick() != at(101) {
		t.Fatalf("last tick at %ds", s.NextTick()/second)
	}
	s.Tick(at(101))
	if !errors.Is(s.Err(), ErrDead) {
		t.Fatalf("error %v", s.Err())
	}
	want(t, "said", p.said(s), "close 1001")
}

func TestClosingStillTakesAnswersAndNothingElse(t *testing.T) {
	s, p := upClient(t, Config{})
	copy(s.Request(1, 4), "last")
	s.Close(nil)
	if s.Request(2, 4) != nil || s.Reply(2, 4) != nil {
		t.Fatal("a closing session takes packets")
	}
	s.Close(ErrDead) // the first one counts
	want(t, "said", p.said(s), `Message 1 ilp "last"`, "close 1000")
	got := read(s, 0, slices.Concat(
		p.ilp(btp.TypeMessage, 7, "prepare"), p.message(btp.AppendMessage(nil, 8)), p.message(btp.AppendTransfer(nil, 9, 1)),
		p.frame(ws.Ping, nil), p.ilp(btp.TypeResponse, 1, "fulfill"),
	))
	want(t, "packets", got, `response 1 "fulfill"`)
	want(t, "said while closing", p.said(s))
	read(s, 0, p.frame(ws.Close, nil))
	if s.State() != Closed || s.Err() != nil {
		t.Fatalf("state %d, error %v", s.State(), s.Err())
	}
	want(t, "said in the end", p.said(s))
}

func TestTheirCloseIsEchoedOnce(t *testing.T) {
	s, p := upServer(t, Config{})
	in := p.frame(ws.Close, ws.AppendCloseBody(nil, 4000, "so long"))
	read(s, 0, slices.Concat(in, in, p.ilp(btp.TypeMessage, 1, "after")))
	want(t, "said", p.said(s), "close 4000")
	var closed *CloseError
	if !errors.As(s.Err(), &closed) || closed.Code != 4000 || closed.Reason != "so long" || s.State() != Closed {
		t.Fatalf("state %d, error %v", s.State(), s.Err())
	}
}

func TestOutputDoesNotMoveAndCanBeCut(t *testing.T) {
	s, p := upServer(t, Config{})
	var places [][]byte
	for i := range 40 {
		places = append(places, s.Reply(uint32(i), 20_000))
	}
	for i, b := range places {
		for j := range b {
			b[j] = byte(i)
		}
	}
	mark := s.Out.Len()
	copy(s.Request(99, 60_000), "void")
	copy(s.Request(100, 60_000), "void")
	s.Out.Cut(mark)
	if s.Out.Len() != mark {
		t.Fatalf("%d octets after the cut, not %d", s.Out.Len(), mark)
	}
	said := p.said(s)
	if len(said) != 40 {
		t.Fatalf("%d frames", len(said))
	}
	for i, line := range said {
		if line != fmt.Sprintf("Response %d ilp %q", i, strings.Repeat(string([]byte{byte(i)}), 20_000)) {
			t.Fatalf("frame %d is damaged", i)
		}
	}
	copy(s.Reply(7, 2), "ok") // and the output goes on
	want(t, "said", p.said(s), `Response 7 ilp "ok"`)
}

// One BTP frame in and one out, on both sides of a link: the cost of a packet.
func TestAPacketThroughASessionDoesNotAllocate(t *testing.T) {
	server, asServer := upServer(t, Config{})
	client, _ := upClient(t, Config{})
	_ = asServer
	keys := rand.NewChaCha8([32]byte{})
	vec, chunks := make([]Packet, 0, 64), server.Out.Take(nil)
	carry := func(from, to *Session) {
		chunks = from.Out.Take(chunks[:0])
		for i, c := range chunks {
			from.MaskOut(c.B, keys)
			to.Feed(1, c.B)
			for {
				if vec = to.Packets(vec[:0]); len(vec) == 0 {
					break
				}
				for _, q := range vec {
					if q.Kind == Request {
						copy(to.Reply(q.ID, 220), q.ILP)
					}
				}
			}
			to.EndRead()
			c.Release()
			chunks[i] = nil
		}
	}
	id := uint32(0)
	if n := testing.AllocsPerRun(500, func() {
		id++
		client.Request(id, 280)
		carry(client, server)
		carry(server, client)
	}); n != 0 && !pooledAllocates {
		t.Fatalf("%v allocations a round trip", n)
	}
	if client.FramesIn() < 500 {
		t.Fatalf("%d answers", client.FramesIn())
	}
}

// FuzzSessionReadsTheSameHoweverItIsSplit: no octets of a peer make a session
// panic, and where they are cut changes nothing but pongs.
func FuzzSessionReadsTheSameHoweverItIsSplit(f *testing.F) {
	p := newPeer(f, ws.Client)
	f.Add(slices.Concat(p.ilp(btp.TypeMessage, 1, "x"), p.auth(3), p.message([]byte{9})), uint16(20))
	f.Add(p.frame(ws.Close, nil), uint16(1))
	f.Fuzz(func(t *testing.T, in []byte, cut uint16) {
		at := int(cut) % (len(in) + 1)
		whole, p1 := upServer(t, Config{})
		parts, p2 := upServer(t, Config{})
		a := read(whole, 0, slices.Clone(in))
		b := append(read(parts, 0, slices.Clone(in[:at])), read(parts, 0, slices.Clone(in[at:]))...)
		want(t, "packets", b, a...)
		noPong := func(s []string) []string {
			return slices.DeleteFunc(s, func(x string) bool { return strings.HasPrefix(x, "pong") })
		}
		want(t, "said", noPong(p2.said(parts)), noPong(p1.said(whole))...)
		if whole.State() != parts.State() {
			t.Fatalf("states %d and %d", whole.State(), parts.State())
		}
	})
}

func BenchmarkRoundTripThroughSessions(b *testing.B) {
	server, _ := upServer(b, Config{})
	client, _ := upClient(b, Config{})
	keys := rand.NewChaCha8([32]byte{})
	vec, chunks := make([]Packet, 0, 64), server.Out.Take(nil)
	b.ReportAllocs()
	for n := 0; b.Loop(); n++ {
		client.Request(uint32(n), 280)
		if n&63 != 63 {
			continue
		}
		for _, way := range [][2]*Session{{client, server}, {server, client}} {
			from, to := way[0], way[1]
			chunks = from.Out.Take(chunks[:0])
			for _, c := range chunks {
				from.MaskOut(c.B, keys)
				to.Feed(1, c.B)
				for {
					if vec = to.Packets(vec[:0]); len(vec) == 0 {
						break
					}
					for _, q := range vec {
						if q.Kind == Request {
							to.Reply(q.ID, 220)
						}
					}
				}
				c.Release()
			}
		}
	}
}
