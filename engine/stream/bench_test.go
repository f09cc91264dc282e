package stream

import (
	"fmt"
	"testing"
	"time"
)

// The paths of the machine in memory, one core: ns per packet in vectors of 1 and 32 over
// 64, 1,000 and 10,000 connections, cryptography included, without events of money, as a
// busy owner wants it. aesni has the cryptography alone: BenchmarkReceiveChain.

// BenchmarkReceive is a prepare in and its fulfill out.
func BenchmarkReceive(b *testing.B) {
	benchmarkPath(b, func(p *phases) time.Duration { return p.receive })
}

// BenchmarkSend is a prepare out and its fulfill in.
func BenchmarkSend(b *testing.B) {
	benchmarkPath(b, func(p *phases) time.Duration { return p.transmit + p.settle })
}

// BenchmarkRoundTrip is both, at both ends.
func BenchmarkRoundTrip(b *testing.B) {
	benchmarkPath(b, func(p *phases) time.Duration { return p.transmit + p.receive + p.settle })
}

// phases is the time of the parts of a turn.
type phases struct{ transmit, receive, settle time.Duration }

func benchmarkPath(b *testing.B, of func(*phases) time.Duration) {
	for _, connections := range []int{64, 1000, 10000} {
		for _, vector := range []int{1, 32} {
			b.Run(fmt.Sprintf("conns=%d/n=%d", connections, vector), func(b *testing.B) {
				l := newLaneOf(b, connections, 256, true)
				for range 2 * connections / 256 {
					l.turn(vector)
				}
				b.ReportAllocs()
				var p phases
				n := 0
				for b.Loop() {
					t0 := time.Now()
					l.transmit()
					t1 := time.Now()
					l.receive(vector)
					t2 := time.Now()
					n += len(l.answers.entries)
					l.settle(vector)
					p.transmit += t1.Sub(t0)
					p.receive += t2.Sub(t1)
					p.settle += time.Since(t2)
				}
				b.ReportMetric(float64(of(&p))/float64(n), "ns/packet")
				b.ReportMetric(0, "ns/op")
			})
		}
	}
}

// BenchmarkTransmitAlone is a prepare out on a link that sends one at a time.
func BenchmarkTransmitAlone(b *testing.B) {
	for _, connections := range []int{64, 10000} {
		b.Run(fmt.Sprintf("conns=%d", connections), func(b *testing.B) {
			l := newLaneOf(b, connections, 1, true)
			var spent time.Duration
			for b.Loop() {
				from := time.Now()
				l.transmit()
				spent += time.Since(from)
				l.receive(1)
				l.settle(1)
			}
			if n := l.a.Stats().SentPackets; n < uint64(b.N) {
				b.Fatalf("%d packets in %d turns", n, b.N)
			}
			b.ReportMetric(float64(spent)/float64(b.N), "ns/packet")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// BenchmarkFold is a connection that goes to sleep and comes back, its keys aside.
func BenchmarkFold(b *testing.B) {
	for _, connections := range []int{64, 10000} {
		b.Run(fmt.Sprintf("conns=%d", connections), func(b *testing.B) {
			l := newLaneOf(b, connections, 64, true)
			foldedTokens(l)
			m := l.b
			b.ReportAllocs()
			self := uint32(0)
			for b.Loop() {
				if self = m.connPlaces.Next(self); self == 0 {
					self = m.connPlaces.Next(0)
				}
				i, c := m.unfold(self)
				if !m.fold(i, c) {
					b.Fatal("it is not folded again")
				}
			}
		})
	}
}
