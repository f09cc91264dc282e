package main

import (
	"bytes"
	"io"
	"net"
	"testing"
	"time"
)

func TestDelayIsInEveryLatency(t *testing.T) {
	if planted {
		t.Skip("credits are lost on purpose")
	}
	const delay = 20 * time.Millisecond
	for _, processes := range []string{"1", "2"} {
		code, r, table := runFor(t, "-delay", "20ms", "-duration", "200ms", "-size", "10", "-links", "2", "-window", "16", "-processes", processes)
		if code != exitDone || !r.MoneyAgrees || r.RoundTrips == 0 {
			t.Fatalf("status %d\n%s", code, table)
		}
		if p50 := time.Duration(r.Latency.P50); p50 < delay || p50 > 3*delay {
			t.Errorf("p50 %v over a path of %v", p50, delay)
		}
		if time.Duration(r.Config.Delay) != delay {
			t.Errorf("config: %+v", r.Config)
		}
	}
}

// relayed is both ends of a socket through a relay.
func relayed(t *testing.T, delay time.Duration) (near, far net.Conn) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r, err := startRelay(ln.Addr().String(), delay)
	if err != nil {
		t.Fatal(err)
	}
	if near, err = net.Dial("tcp", r.addr()); err != nil {
		t.Fatal(err)
	}
	if far, err = ln.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		near.Close()
		far.Close()
		r.stop()
		ln.Close()
	})
	return near, far
}

func TestRelayKeepsOrderAndTime(t *testing.T) {
	const oneWay = 10 * time.Millisecond
	near, far := relayed(t, 2*oneWay)
	sent := make([]byte, 8<<20) // several windows of chunks
	for i := range sent {
		sent[i] = byte(i * 7 >> 3)
	}
	began := time.Now()
	go func() {
		_, _ = near.Write(sent)
		_ = near.(*net.TCPConn).CloseWrite()
	}()
	first := make([]byte, 1)
	if _, err := io.ReadFull(far, first); err != nil {
		t.Fatal(err)
	}
	if d := time.Since(began); d < oneWay {
		t.Errorf("the first octet came after %v", d)
	}
	rest, err := io.ReadAll(far)
	if err != nil || !bytes.Equal(append(first, rest...), sent) {
		t.Errorf("%d octets came, %v, not as they were sent", len(rest)+1, err)
	}
	began = time.Now()
	if _, err := far.Write([]byte{1}); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(near, first); err != nil || time.Since(began) < oneWay {
		t.Errorf("the way back took %v, %v", time.Since(began), err)
	}
}

func TestRelayIsBoundedInMemory(t *testing.T) {
	if n := relayChunks(25*time.Millisecond) * relayChunk; n < 25<<20 || n > 64<<20 {
		t.Errorf("%d octets for 25 ms", n)
	}
	if n := relayChunks(time.Hour) * relayChunk; n > maxRelayed+16*relayChunk {
		t.Errorf("%d octets for an hour", n)
	}
	// Nobody reads: the writer must find no more room than there is.
	near, _ := relayed(t, 0)
	_ = near.SetWriteDeadline(time.Now().Add(300 * time.Millisecond))
	n, err := near.Write(make([]byte, 256<<20))
	if err == nil {
		t.Errorf("%d octets found room", n)
	}
}

func BenchmarkRelay(b *testing.B) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer ln.Close()
	r, err := startRelay(ln.Addr().String(), 50*time.Millisecond)
	if err != nil {
		b.Fatal(err)
	}
	defer r.stop()
	near, err := net.Dial("tcp", r.addr())
	if err != nil {
		b.Fatal(err)
	}
	far, err := ln.Accept()
	if err != nil {
		b.Fatal(err)
	}
	chunk, into := make([]byte, 1<<20), make([]byte, 1<<20)
	b.SetBytes(int64(len(chunk)))
	go func() {
		for range b.N {
			if _, err := near.Write(chunk); err != nil {
				return
			}
		}
	}()
	b.ResetTimer()
	for range b.N {
		if _, err := io.ReadFull(far, into); err != nil {
			b.Fatal(err)
		}
	}
	b.StopTimer()
	near.Close()
	far.Close()
}
