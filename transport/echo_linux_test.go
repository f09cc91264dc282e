package transport

import (
	"encoding/binary"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/millrace-ilp/millrace/internal/nullengine"
)

// The ILP packets with which requests and answers are exactly as long on the wire
// as the null engine's: 280 and 220 octets with BTP and the WebSocket header.
const (
	echoRequest = 255
	echoAnswer  = 200
	echoMark    = 0x5A // last octet of every request, as the null engine's
)

// TestEchoIsAsLongAsTheNullEnginesMessages keeps BenchmarkEcho comparable.
func TestEchoIsAsLongAsTheNullEnginesMessages(t *testing.T) {
	e := startEcho(t, GNet, 1, 4)
	r := e.run(t, time.Millisecond)
	if in, n := float64(r.octetsIn), float64(r.messages); in != n*nullengine.RequestLen || float64(r.octetsOut) != n*nullengine.AnswerLen {
		t.Errorf("%d messages are %d octets of requests and %d of answers", r.messages, r.octetsIn, r.octetsOut)
	}
}

// BenchmarkEcho is the transport without a protocol above it, beside the null
// engine: the same links, window, lengths and CPU accounting, run in turns. What
// the handlers do with a packet is what the null engine does. Medians of the turns:
//
//	server-ns/msg    CPU of the loop that answers, per message
//	client-ns/msg    CPU of the loop that asks
//	server+ns, client+ns, both+ns    the same less the null engine's of the same turn
//	null-ns/msg      the null engine's, both ends
//	frames/write     of the server's
//	calls/packet     reads, writes and an upper bound of epoll_waits, both ends, by
//	                 packets, of which a message has two
func BenchmarkEcho(b *testing.B) {
	for _, shape := range []struct{ links, window int }{{8, 256}, {1, 256}, {8, 64}} {
		b.Run(fmt.Sprintf("links=%d/window=%d", shape.links, shape.window), func(b *testing.B) {
			const turn = 250 * time.Millisecond
			e := startEcho(b, GNet, shape.links, shape.window)
			e.run(b, turn/5)
			null, err := nullengine.Serve(b.Context(), "127.0.0.1:0")
			if err != nil {
				b.Fatal(err)
			}
			var turns [8][]float64
			note := func(i int, v float64) { turns[i] = append(turns[i], v) }
			for b.Loop() {
				before := null.CPU()
				asked, err := nullengine.RunClient(null.Addr(), nullengine.Config{Links: shape.links, Window: shape.window, Duration: turn})
				if err != nil {
					b.Fatal(err)
				}
				n := float64(asked.Messages)
				nullServer, nullClient := float64(null.CPU()-before)/n, float64(asked.ClientCPU)/n
				r := e.run(b, turn)
				n = float64(r.messages)
				server, client := float64(r.serverCPU)/n, float64(r.clientCPU)/n
				note(0, server)
				note(1, client)
				note(2, server-nullServer)
				note(3, client-nullClient)
				note(4, server+client-nullServer-nullClient)
				note(5, nullServer+nullClient)
				note(6, r.framesPerWrite)
				note(7, float64(r.calls)/(2*n))
			}
			_ = null.Close()
			for i, unit := range []string{
				"server-ns/msg", "client-ns/msg", "server+ns", "client+ns", "both+ns", "null-ns/msg", "frames/write", "calls/packet",
			} {
				slices.Sort(turns[i])
				b.ReportMetric(turns[i][len(turns[i])/2], unit)
			}
			b.ReportMetric(0, "ns/op")
		})
	}
}

// echoLoops are two loops, one of which asks and the other answers.
type echoLoops struct {
	client *echoClient
	server *echoServer
	window int
}

func startEcho(tb testing.TB, b Backend, links, window int) *echoLoops {
	e := &echoLoops{
		client: &echoClient{up: make(chan struct{}, links), idle: make(chan struct{}, 1)},
		server: &echoServer{},
		window: window,
	}
	e.server.loop = startLoop(tb, b, LoopConfig{OneThread: true}, e.server)
	e.client.loop = startLoop(tb, b, LoopConfig{OneThread: true}, e.client)
	ln := startListener(tb, e.server.loop, ListenConfig{})
	for range links {
		dialTo(tb, e.client.loop, ln, DialConfig{})
		<-e.client.up
	}
	return e
}

// echoResult is what one run did.
type echoResult struct {
	messages, calls      uint64
	octetsIn, octetsOut  uint64 // of the server
	framesPerWrite       float64
	serverCPU, clientCPU time.Duration
}

// run keeps the window of every link full for d, and waits for what is due.
func (e *echoLoops) run(tb testing.TB, d time.Duration) echoResult {
	tb.Helper()
	s, c := settled(e.server.loop), settled(e.client.loop)
	sCPU, cCPU := e.server.cpu(), e.client.cpu()
	e.client.stopping.Store(false)
	e.client.start.Store(int64(e.window))
	e.client.loop.Wake()
	select {
	case <-time.After(d):
	case <-e.client.idle:
		tb.Fatal("the links fell idle")
	}
	e.client.stopping.Store(true)
	select {
	case <-e.client.idle:
	case <-time.After(patience):
		tb.Fatal("answers are missing")
	}
	if n := e.client.wrong.Load() + e.server.wrong.Load(); n > 0 {
		tb.Fatalf("%d packets were not what was due", n)
	}
	s2, c2 := settled(e.server.loop), settled(e.client.loop)
	calls := func(from, to LoopStats) uint64 {
		// The backend waits once more than it is woken before it sleeps.
		return to.Reads - from.Reads + to.Writes - from.Writes + 2*(to.Wakes-from.Wakes)
	}
	return echoResult{
		messages: s2.FramesOut - s.FramesOut,
		calls:    calls(s, s2) + calls(c, c2),
		octetsIn: s2.OctetsIn - s.OctetsIn, octetsOut: s2.OctetsOut - s.OctetsOut,
		framesPerWrite: float64(s2.FramesOut-s.FramesOut) / float64(s2.Writes-s.Writes),
		serverCPU:      e.server.cpu() - sCPU, clientCPU: e.client.cpu() - cCPU,
	}
}

// settled is the statistics of a loop whose last wake-up is published.
func settled(lp *Loop) LoopStats {
	for {
		s := lp.Stats()
		time.Sleep(time.Millisecond)
		if lp.Stats() == s {
			return s
		}
	}
}

// loopThread is the thread of a loop.
type loopThread struct {
	loop  *Loop
	tid   atomic.Int64
	wrong atomic.Uint64
}

func (t *loopThread) note() { t.tid.Store(int64(unix.Gettid())) }

// cpu is the CPU time of the thread so far. The clock of another thread is numbered
// as the kernel's CPUCLOCK_SCHED with the per-thread bit; see clock_getcpuclockid(3).
func (t *loopThread) cpu() time.Duration {
	const sched, perThread = 2, 4
	var ts unix.Timespec
	if err := unix.ClockGettime(int32(^t.tid.Load()<<3|sched|perThread), &ts); err != nil {
		return 0
	}
	return time.Duration(ts.Nano())
}

// echoServer answers each request with its first octets.
type echoServer struct{ loopThread }

func (s *echoServer) LinkUp(*Link)                    { s.note() }
func (s *echoServer) LinkDown(*Link, []uint32, error) {}
func (s *echoServer) Wake()                           {}

// echoFiller is what every answer is copied from.
var echoFiller [echoAnswer]byte

func (s *echoServer) Packets(l *Link, in []Packet) {
	for i := range in {
		p := &in[i]
		if p.Kind != Request || len(p.ILP) != echoRequest || p.ILP[echoRequest-1] != echoMark {
			s.wrong.Add(1)
			continue
		}
		b := l.Reply(p.ID, echoAnswer)
		if b == nil {
			s.wrong.Add(1)
			continue
		}
		copy(b, echoFiller[:])
		binary.LittleEndian.PutUint64(b, binary.LittleEndian.Uint64(p.ILP))
	}
}

// echoClient turns answers into requests.
type echoClient struct {
	loopThread
	links    []*Link
	next     []uint32 // by Link.Tag: id of the next request, and of the next answer
	due      []uint32
	inFlight int
	up       chan struct{}
	idle     chan struct{}
	start    atomic.Int64
	stopping atomic.Bool
}

func (c *echoClient) LinkUp(l *Link) {
	c.note()
	l.Tag = uint64(len(c.links))
	c.links, c.next, c.due = append(c.links, l), append(c.next, 0), append(c.due, 0)
	c.up <- struct{}{}
}

func (c *echoClient) LinkDown(*Link, []uint32, error) {}

func (c *echoClient) Wake() {
	for n := c.start.Swap(0); n > 0; n-- {
		for _, l := range c.links {
			c.ask(l)
		}
	}
}

func (c *echoClient) ask(l *Link) {
	id := c.next[l.Tag]
	c.next[l.Tag]++
	b := l.Request(id, echoRequest)
	if b == nil {
		c.wrong.Add(1)
		return
	}
	// As in the null engine nothing else is written anew.
	binary.LittleEndian.PutUint64(b, l.Tag<<32|uint64(id))
	b[echoRequest-1] = echoMark
	c.inFlight++
}

func (c *echoClient) Packets(l *Link, in []Packet) {
	stopping := c.stopping.Load()
	for i := range in {
		p, id := &in[i], c.due[l.Tag]
		c.due[l.Tag]++
		if p.Kind != Response || p.ID != id || len(p.ILP) != echoAnswer || binary.LittleEndian.Uint64(p.ILP) != l.Tag<<32|uint64(id) {
			c.wrong.Add(1)
		}
		if c.inFlight--; !stopping {
			c.ask(l)
		}
	}
	if c.inFlight == 0 {
		c.idle <- struct{}{}
	}
}
