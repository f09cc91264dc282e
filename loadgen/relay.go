package main

import (
	"fmt"
	"net"
	"sync"
	"time"
)

const (
	// relayChunk is the memory that octets are read into, several reads after each
	// other while relayRoom is left of it.
	relayChunk = 256 << 10
	relayRoom  = 64 << 10
	// relayRate is what a link may carry each way, in octets a second, without the
	// bound of the relay's memory holding it up: as much as is on the path then is
	// how much the relay keeps.
	relayRate = 2 << 30
	// maxRelayed bounds that memory for each way of a link, however long the path.
	maxRelayed = 256 << 20
	// relayReads bounds the reads of each way of a link that wait.
	relayReads = 1 << 14
	// relayProcs are the processors of a relay's process: its threads sleep nearly
	// always, and must not wait for each other.
	relayProcs = 64
)

// relay is a path with a delay: what it reads of a socket leaves on the other side a
// fixed time later, in order. It runs in a process of its own, so that its CPU time
// is nobody's.
type relay struct {
	ln     net.Listener
	target string
	delay  time.Duration // one way

	mu    sync.Mutex
	conns []net.Conn
	ended bool
	gone  sync.WaitGroup
}

// startRelay listens on a loopback port for links to target. The delay is that of
// the way there and back.
func startRelay(target string, delay time.Duration) (*relay, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("relay: %w", err)
	}
	r := &relay{ln: ln, target: target, delay: delay / 2}
	r.gone.Go(r.accept)
	return r, nil
}

func (r *relay) addr() string { return r.ln.Addr().String() }

func (r *relay) accept() {
	for {
		near, err := r.ln.Accept()
		if err != nil {
			return
		}
		far, err := net.Dial("tcp", r.target)
		if err != nil {
			_ = near.Close()
			continue
		}
		if !r.keep(near, far) {
			return
		}
		r.gone.Go(func() { r.carry(far.(*net.TCPConn), near) })
		r.gone.Go(func() { r.carry(near.(*net.TCPConn), far) })
	}
}

// keep notes sockets for stop; it is false after that.
func (r *relay) keep(conns ...net.Conn) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.conns = append(r.conns, conns...)
	if r.ended {
		r.closeAll()
	}
	return !r.ended
}

func (r *relay) closeAll() {
	for _, c := range r.conns {
		_ = c.Close()
	}
}

// parcel is what one read brought.
type parcel struct {
	came   time.Time
	octets []byte
	chunk  []byte // whose last parcel this is, or nil
}

// carry takes octets one way until their end.
func (r *relay) carry(to *net.TCPConn, from net.Conn) {
	inside := make(chan parcel, relayReads)
	free := make(chan []byte, relayChunks(r.delay))
	r.gone.Go(func() { r.deliver(to, inside, free) })
	defer close(inside)
	made := 0
	var chunk, room []byte
	for {
		if room == nil {
			if made < cap(free) {
				select {
				case chunk = <-free:
				default:
					chunk = make([]byte, relayChunk)
					made++
				}
			} else {
				chunk = <-free
			}
			room = chunk
		}
		n, err := from.Read(room)
		if n > 0 {
			p := parcel{came: time.Now(), octets: room[:n]}
			if room = room[n:]; len(room) < relayRoom {
				p.chunk, room = chunk, nil
			}
			inside <- p
		}
		if err != nil {
			return
		}
	}
}

// relayChunks is how many chunks are on the path at relayRate.
func relayChunks(delay time.Duration) int {
	return 16 + int(min(delay.Seconds()*relayRate, maxRelayed))/relayChunk
}

// deliver writes what came a delay ago. After an error it takes the rest in vain, so
// that the reader finds its end.
func (r *relay) deliver(to *net.TCPConn, inside <-chan parcel, free chan<- []byte) {
	var failed error
	for p := range inside {
		if failed == nil {
			if wait := r.delay - time.Since(p.came); wait > 0 {
				sleepFor(int64(wait))
			}
			_, failed = to.Write(p.octets)
		}
		if p.chunk != nil {
			free <- p.chunk
		}
	}
	_ = to.CloseWrite()
}

func (r *relay) stop() {
	_ = r.ln.Close()
	r.mu.Lock()
	r.ended = true
	r.closeAll()
	r.mu.Unlock()
	r.gone.Wait()
}
