package engine

import (
	"context"
	"net"
	"testing"
	"time"

	"github.com/millrace-ilp/millrace/engine/stream"
)

// delayer is a TCP relay that holds whatever goes through it for a while, each way.
type delayer struct {
	oneWay time.Duration
	ln     net.Listener
}

// chunk is octets that are on their way until an instant.
type chunk struct {
	until time.Time
	p     []byte
}

func newDelayer(t testing.TB, to string, oneWay time.Duration) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() })
	d := &delayer{oneWay: oneWay, ln: ln}
	go func() {
		for {
			in, err := ln.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", to)
			if err != nil {
				_ = in.Close()
				return
			}
			go d.pipe(in, out)
			go d.pipe(out, in)
		}
	}()
	return ln.Addr().String()
}

// pipe reads at once and writes when it is time. The path holds as much as comes.
func (d *delayer) pipe(dst, src net.Conn) {
	line := make(chan chunk, 1<<16)
	go func() {
		defer close(line)
		for {
			p := make([]byte, 32<<10)
			n, err := src.Read(p)
			if n > 0 {
				line <- chunk{time.Now().Add(d.oneWay), p[:n]}
			}
			if err != nil {
				return
			}
		}
	}()
	for c := range line {
		time.Sleep(time.Until(c.until))
		if _, err := dst.Write(c.p); err != nil {
			break
		}
	}
	_ = dst.Close()
	_ = src.Close()
	for range line { // whatever is still on its way
	}
}

// payment is one that goes over a path of that round-trip time, in packets of one
// unit, with default options but a rate that is known.
func payment(ctx context.Context, t testing.TB, out, in Connection, packets stream.Amount) time.Duration {
	t.Helper()
	st, err := out.OpenStream()
	if err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	if sent, err := st.SendTotal(ctx, packets); sent != packets || err != nil {
		t.Fatalf("sent %d, %v", sent, err)
	}
	took := time.Since(start)
	peer, err := in.AcceptStream(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := peer.ReceiveTotal(ctx, packets); got != packets || err != nil {
		t.Fatalf("received %d, %v", got, err)
	}
	return took
}

var onePerPacket = stream.Options{RateNum: 1, RateDen: 1, MaxPacketAmount: 1}

func TestLongPathHoldsMoreThanAShortOne(t *testing.T) {
	ctx, out, in := pairOver(t, Config{Loops: 1}, 25*time.Millisecond, onePerPacket, stream.Options{ReceiveMax: 1 << 40})
	most := make(chan int, 1)
	done := make(chan struct{})
	go func() {
		n := 0
		for {
			select {
			case <-done:
				most <- n
				return
			case <-time.After(10 * time.Millisecond):
				_ = out.c.s.call(func() { n = max(n, out.c.s.m.Stats().InFlight) })
			}
		}
	}()
	took := payment(ctx, t, out, in, 100_000)
	close(done)
	n := <-most
	var roundTrip int64
	_ = out.c.s.call(func() { roundTrip = out.c.s.m.RoundTrips().Quantile(0.5) })
	t.Logf("%d packets in flight, %.0f packets a second, %d ms", n, 100_000/took.Seconds(), roundTrip/1e6)
	if n <= 2048 && roundTrip < 60e6 { // else the machine itself is too slow to fill the path
		t.Errorf("%d packets in flight at most", n)
	}
}

// BenchmarkLongPath pays over a path of 50 ms round trip, one connection on one link,
// default options.
func BenchmarkLongPath(b *testing.B) {
	const packets = 500_000
	ctx, out, in := pairOver(b, Config{Loops: 1}, 25*time.Millisecond, onePerPacket, stream.Options{ReceiveMax: 1 << 40})
	for b.Loop() {
		payment(ctx, b, out, in, packets)
	}
	b.ReportMetric(packets*float64(b.N)/b.Elapsed().Seconds(), "packets/s")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkShortPath pays over a socket without delay, with windows of 1024 packets
// and with those that size themselves: they must be no worse in round trips, which is
// where a window that is too large shows.
func BenchmarkShortPath(b *testing.B) {
	const packets = 500_000
	for name, window := range map[string]int{"1024": 1024, "itself": 0} {
		b.Run("window="+name, func(b *testing.B) {
			client := onePerPacket
			client.MaxInFlight = window
			ctx, out, in := pairOver(b, Config{Loops: 1}, 0, client, stream.Options{ReceiveMax: 1 << 40})
			for b.Loop() {
				payment(ctx, b, out, in, packets)
			}
			_ = out.c.s.call(func() {
				b.ReportMetric(float64(out.c.s.m.RoundTrips().Quantile(0.5))/1e3, "p50-µs")
				b.ReportMetric(float64(out.c.s.m.RoundTrips().Quantile(0.99))/1e3, "p99-µs")
			})
			b.ReportMetric(packets*float64(b.N)/b.Elapsed().Seconds(), "packets/s")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// BenchmarkLongPathData carries octets over the same path.
func BenchmarkLongPathData(b *testing.B) {
	const octets = 256 << 20
	ctx, out, in := pairOver(b, Config{Loops: 1}, 25*time.Millisecond, stream.Options{}, stream.Options{})
	b.SetBytes(octets)
	for b.Loop() {
		carry(ctx, b, out, in, octets, 256<<10)
	}
}
