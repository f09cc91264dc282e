package engine

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	mrand "math/rand/v2"
	"net"
	"os"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	upgrade "github.com/gobwas/ws"
	"golang.org/x/sys/unix"

	"github.com/millrace-ilp/millrace/codec/btp"
	"github.com/millrace-ilp/millrace/codec/ilp"
	"github.com/millrace-ilp/millrace/engine/stream"
	"github.com/millrace-ilp/millrace/transport/ws"
)

// A flood is forged packets on a link of its own beside one with honest load, on the
// same loop of the receiver.

const (
	floodTokens  = 8192 // of which forged packets take turns: more than a machine remembers
	floodData    = 128  // octets of garbage in each
	floodWarmUp  = 200_000
	floodPackets = 1_000_000
)

// floods are what the forged packets are sent to.
var floods = []struct {
	kind    string
	address func(b *testing.B, e *benchEngine, i int) string
}{
	// Tokens that nobody issued.
	{"bad", func(b *testing.B, e *benchEngine, _ int) string {
		issued := e.credentials(b)
		at := strings.LastIndexByte(issued, '.') + 1
		random := make([]byte, base64.RawURLEncoding.DecodedLen(len(issued)-at))
		_, _ = rand.Read(random)
		return issued[:at] + base64.RawURLEncoding.EncodeToString(random)
	}},
	// Tokens that were issued and never used.
	{"fresh", func(b *testing.B, e *benchEngine, _ int) string { return e.credentials(b) }},
	// Tokens of connections that the honest load uses.
	{"live", func(_ *testing.B, e *benchEngine, i int) string { return e.addresses[i%len(e.addresses)] }},
}

// BenchmarkFlood shares b.N honest round trips out among 1,000 connections of one link of
// 1,024 packets, the least that windows begin with, alone and while another link floods the same loop with as many forged
// packets as its window takes; bound is stream.Config.MaxForged:
//
//	honest/s         round trips
//	forged/s         packets rejected meanwhile
//	honest-share     part of the loop's CPU that the honest ones get, by their costs alone
//	honest-ns        CPU of the receiver's loop, kernel included, for an honest packet
//	forged-ns        the same for a forged one, alone
//	grown-KiB        resident memory after a million forged ones more
func BenchmarkFlood(b *testing.B) {
	for _, bound := range []struct {
		name  string
		most  int
		kinds string
	}{{"1024", 0, "bad fresh live"}, {"none", -1, "bad fresh"}} {
		e := newBenchEngine(b, Config{Machine: stream.Config{MaxForged: bound.most}}, 1, 1024, 1000)
		l := &floodLoad{benchEngine: e}
		b.Run("kind=none/bound="+bound.name, func(b *testing.B) { l.beside(b, nil, 0) })
		for _, f := range floods {
			if !strings.Contains(bound.kinds, f.kind) {
				continue
			}
			var flood *flooder
			for _, window := range []int{1024, 8192} {
				b.Run(fmt.Sprintf("kind=%s/bound=%s/window=%d", f.kind, bound.name, window), func(b *testing.B) {
					if flood == nil {
						flood = newFlooder(b, e, func(i int) string { return f.address(b, e, i) })
						flood.alone(b, l)
					}
					l.beside(b, flood, window)
				})
			}
			if flood != nil {
				_ = flood.conn.Close()
			}
		}
		e.checkMoney(b)
	}
}

// floodLoad is the honest load.
type floodLoad struct {
	*benchEngine
	honestNs float64 // CPU of the receiver's loop for an honest packet
}

// beside runs b.N honest round trips, beside a flood unless that is nil.
func (l *floodLoad) beside(b *testing.B, f *flooder, window int) {
	const packets = 200_000
	if l.honestNs == 0 {
		l.run(b, packets/4)
		l.honestNs = float64(l.receiverCPU(b, func() { l.run(b, packets) })) / packets
	}
	b.ReportAllocs()
	l.run(b, 2*l.conns)
	stop := func() {}
	if f != nil {
		stop = f.start(b, window)
	}
	before := l.refused()
	b.ResetTimer()
	l.run(b, b.N)
	b.StopTimer()
	forged := float64(l.refused() - before)
	stop()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "honest/s")
	b.ReportMetric(forged/b.Elapsed().Seconds(), "forged/s")
	b.ReportMetric(l.honestNs, "honest-ns")
	if f != nil {
		honest := float64(b.N) * l.honestNs
		b.ReportMetric(honest/(honest+forged*f.ns), "honest-share")
		b.ReportMetric(f.ns, "forged-ns")
		b.ReportMetric(f.grownKiB, "grown-KiB")
	}
}

// refused is how many forged packets the receiver has had.
func (l *floodLoad) refused() uint64 {
	s := l.receiver.Stats()
	return s.Forged + s.Throttled
}

// receiverCPU is what the receiver's loop uses while f runs. It is kept on one thread
// until then, which makes it a little slower.
func (e *benchEngine) receiverCPU(b *testing.B, f func()) time.Duration {
	b.Helper()
	var before, after unix.Rusage
	loop := e.receiver.shards[0]
	if err := loop.call(func() {
		runtime.LockOSThread()
		_ = unix.Getrusage(unix.RUSAGE_THREAD, &before)
	}); err != nil {
		b.Fatal(err)
	}
	f()
	if err := loop.call(func() {
		_ = unix.Getrusage(unix.RUSAGE_THREAD, &after)
		runtime.UnlockOSThread()
	}); err != nil {
		b.Fatal(err)
	}
	return time.Duration(after.Utime.Nano() + after.Stime.Nano() - before.Utime.Nano() - before.Stime.Nano())
}

func (e *benchEngine) credentials(b *testing.B) string {
	b.Helper()
	c, err := e.server.Credentials(stream.CredentialOptions{})
	if err != nil {
		b.Fatal(err)
	}
	return c.Address
}

// flooder is a peer that keeps as many forged packets on their way as its window
// takes, made beforehand but for their request ids.
type flooder struct {
	conn   net.Conn
	r      ws.Reader
	frames []byte // floodTokens of the same length, masked
	size   int    // of one
	next   int    // frame
	id     uint32
	in     []byte

	ns       float64 // CPU of the receiver's loop for a packet, with nothing beside it
	grownKiB float64 // of resident memory after floodPackets
}

// newFlooder logs in to an account of its own.
func newFlooder(b *testing.B, e *benchEngine, address func(i int) string) *flooder {
	b.Helper()
	conn, early, _, err := upgrade.Dial(b.Context(), "ws://"+e.listener.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	if early != nil {
		b.Fatal("the listener speaks first")
	}
	f := &flooder{conn: conn, in: make([]byte, 256<<10)}
	f.r.Init(ws.Client, 0)
	var seed [32]byte
	_, _ = rand.Read(seed[:])
	keys := mrand.NewChaCha8(seed)
	auth := ws.AppendFrame(nil, ws.Binary, btp.AppendAuth(nil, 1, "mallory", "flood"), ws.Client)
	ws.MaskFrames(auth, keys)
	f.write(b, auth)
	f.answers(b, func(m []byte) {
		if p, err := btp.Parse(m); err != nil || p.Type() != btp.TypeResponse {
			b.Errorf("not let in: %v", err)
		}
	})
	stamp := ilp.MakeTimestamp(time.Now().Add(time.Hour).UnixMilli())
	data := make([]byte, floodData)
	for i := range floodTokens {
		_, _ = rand.Read(data)
		p, err := ilp.AppendPrepare(nil, &ilp.PrepareFields{Amount: benchAmount, Expiry: stamp, Destination: []byte(address(i)), Data: data})
		if err != nil {
			b.Fatal(err)
		}
		m := make([]byte, btp.ILPLen(len(p)))
		copy(btp.PutILP(m, btp.TypeMessage, 0, len(p)), p)
		f.frames = ws.AppendFrame(f.frames, ws.Binary, m, ws.Client)
		if i == 0 {
			f.size = len(f.frames)
		}
	}
	if len(f.frames) != floodTokens*f.size {
		b.Fatal("addresses of several lengths")
	}
	ws.MaskFrames(f.frames, keys)
	return f
}

// start floods until the function that it returns is called.
func (f *flooder) start(b *testing.B, window int) (stop func()) {
	b.Helper()
	var over atomic.Bool
	flowing, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		n := 0
		f.flood(b, window, func() bool {
			if n++; n == 4 { // several turns
				close(flowing)
			}
			return over.Load() && n >= 4
		})
	}()
	<-flowing
	return func() {
		over.Store(true)
		<-done
	}
}

// alone floods with nothing beside it: what a packet costs, and what is left of a
// million of them.
func (f *flooder) alone(b *testing.B, l *floodLoad) {
	b.Helper()
	packets := func(n uint64) {
		until := l.refused() + n
		f.flood(b, 1024, func() bool { return l.refused() >= until })
	}
	packets(floodWarmUp)
	memory, connections, before := resident(b), l.receiver.Stats().Connections, l.refused()
	cpu := l.receiverCPU(b, func() { packets(floodPackets) })
	if got := l.receiver.Stats().Connections; got != connections {
		b.Errorf("%d connections became %d", connections, got)
	}
	f.ns, f.grownKiB = float64(cpu)/float64(l.refused()-before), float64(resident(b)-memory)/1024
}

// flood keeps window packets on their way until over says so, which is asked whenever
// answers have come, and then takes the last answers.
func (f *flooder) flood(b *testing.B, window int, over func() bool) {
	outstanding := 0
	for ending := false; ; {
		for !ending && outstanding < window {
			n := min(window-outstanding, floodTokens-f.next)
			f.write(b, f.take(n))
			outstanding += n
		}
		if outstanding == 0 || b.Failed() {
			return
		}
		f.answers(b, func(m []byte) {
			outstanding--
			if _, _, packet, ok := btp.ParseILP(m); !ok || ilp.PeekType(packet) != ilp.TypeReject {
				b.Errorf("a forged packet was answered with %x", m)
			}
		})
		ending = ending || over()
	}
}

// take is the next n packets, with request ids of their own.
func (f *flooder) take(n int) []byte {
	frames := f.frames[f.next*f.size:][:n*f.size]
	f.next = (f.next + n) % floodTokens
	for at := 0; at < len(frames); at += f.size {
		head, _ := ws.FrameLen(frames[at:])
		key, message := frames[at+head-4:][:4], frames[at+head:]
		f.id++
		var id [4]byte
		binary.BigEndian.PutUint32(id[:], f.id)
		for i := range id { // behind the type
			message[1+i] = id[i] ^ key[(1+i)%4]
		}
	}
	return frames
}

func (f *flooder) write(b *testing.B, octets []byte) {
	_ = f.conn.SetDeadline(time.Now().Add(benchWaiting))
	if _, err := f.conn.Write(octets); err != nil {
		b.Errorf("flood: %v", err)
	}
}

// answers reads once and calls take for every message that is whole then, at least one.
func (f *flooder) answers(b *testing.B, take func(m []byte)) {
	for some := false; !some && !b.Failed(); {
		n, err := f.conn.Read(f.in)
		if err != nil {
			b.Errorf("flood: %v", err)
			return
		}
		f.r.Feed(f.in[:n])
		for op, m := f.r.Next(); op != ws.None; op, m = f.r.Next() {
			if op == ws.Binary {
				some = true
				take(m)
			}
		}
		if err := f.r.Err(); err != nil {
			b.Errorf("flood: %v", err)
		}
	}
}

// resident is how much memory of this process is.
func resident(b *testing.B) int {
	b.Helper()
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		b.Fatal(err)
	}
	var size, pages int
	if _, err := fmt.Fscan(bytes.NewReader(text), &size, &pages); err != nil {
		b.Fatal(err)
	}
	return pages * os.Getpagesize()
}
