package stream

import (
	"fmt"
	"math/rand/v2"
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

// BenchmarkPayments is what payments that come one by one cost who makes them: of each, on
// a stream drawn by lot, Fetch and SetSendMax, a prepare out, its fulfill in, and the event
// that tells of it.
func BenchmarkPayments(b *testing.B) {
	const amount, together, vector = 1000, 256, 32
	for _, connections := range []int{64, 1000, 10000} {
		b.Run(fmt.Sprintf("conns=%d", connections), func(b *testing.B) {
			l := newLaneOf(b, connections, together, false)
			m := l.a
			all := make([]StreamHandle, 0, connections)
			limits := make([]Amount, 0, connections)
			for i := m.streams.Next(0); i != 0; i = m.streams.Next(i) {
				s := m.streams.At(i)
				all, limits = append(all, m.streamHandle(s)), append(limits, s.sent+s.heldOut)
			}
			for i, h := range all {
				if err := m.SetSendMax(l.now, h, limits[i]); err != nil {
					b.Fatal(err)
				}
			}
			l.turn(vector)
			rng := rand.New(rand.NewPCG(1, 2))
			var streams [together]StreamHandle
			var to [together]Amount
			var events [64]Event
			var spent time.Duration
			b.ReportAllocs()
			n := 0
			for b.Loop() {
				for k := range streams {
					i := rng.IntN(connections)
					limits[i] += amount
					streams[k], to[k] = all[i], limits[i]
				}
				from := time.Now()
				for k := 0; k < together; k += 64 {
					m.Fetch(streams[k : k+64])
					for j := k; j < k+64; j++ {
						_ = m.SetSendMax(l.now, streams[j], to[j])
					}
				}
				l.transmit()
				spent += time.Since(from)
				l.receive(vector)
				paid := Amount(0)
				from = time.Now()
				l.prepares.reset()
				for in := l.answers.entries; len(in) > 0; in = in[vector:] {
					m.Handle(l.now, in[:vector], &l.prepares)
					for e := m.PollEvents(events[:0]); len(e) > 0; e = m.PollEvents(events[:0]) {
						for i := range e {
							if e[i].Kind == EventMoneySent {
								paid += e[i].Amount
							}
						}
					}
				}
				spent += time.Since(from)
				if n += together; paid != together*amount {
					b.Fatalf("%d units were paid", paid)
				}
			}
			b.ReportMetric(float64(spent)/float64(n), "ns/packet")
			b.ReportMetric(0, "ns/op")
		})
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
