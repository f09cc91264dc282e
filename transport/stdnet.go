package transport

import (
	"errors"
	"io"
	"net"
	"sync"

	"github.com/millrace-ilp/millrace/pool"
)

const (
	stdEvents = 256      // reads that may wait for the loop; readers stop then
	stdRead   = 64 << 10 // octets of one read
	stdPiece  = 64 << 10 // octets of one write, so that progress shows
)

// stdDriver drives one loop with goroutines over package net: one for the loop,
// and two for each link, one that reads and one that writes.
type stdDriver struct {
	lp     *Loop
	events chan stdEvent
	wakes  chan struct{}
	quit   chan struct{}
	done   sync.WaitGroup
}

// stdEvent is something that happened to a link: with buf it was a read, with
// opened an enrolment, otherwise its end.
type stdEvent struct {
	l      *Link
	s      *stdSocket
	buf    *pool.Buf
	err    error
	opened chan bool
}

func newStdDriver(lp *Loop) driver {
	d := &stdDriver{
		lp:     lp,
		events: make(chan stdEvent, stdEvents),
		wakes:  make(chan struct{}, 1),
		quit:   make(chan struct{}),
	}
	d.done.Add(1)
	go d.run()
	return d
}

func (d *stdDriver) run() {
	defer d.done.Done()
	for {
		select {
		case e := <-d.events:
			d.happened(e)
		case <-d.wakes:
			d.lp.woken()
		case <-d.quit:
			return
		}
	}
}

func (d *stdDriver) happened(e stdEvent) {
	switch {
	case e.opened != nil:
		e.opened <- d.lp.opened(e.l, e.s)
	case e.buf != nil:
		d.lp.read(e.l, e.buf.B)
		e.buf.Release()
	default:
		if e.l.sock == socket(e.s) {
			e.l.kept = e.s.close()
			d.lp.lost(e.l, e.err)
		}
	}
}

func (d *stdDriver) enroll(l *Link, conn net.Conn) error {
	s := &stdSocket{lp: d.lp, conn: conn}
	s.more = sync.NewCond(&s.mu)
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetNoDelay(true)
		if n := d.lp.cfg.SocketBuffer; n > 0 {
			_ = tcp.SetReadBuffer(n)
			_ = tcp.SetWriteBuffer(n)
		}
	}
	opened := make(chan bool, 1)
	d.done.Go(s.writes) // before the loop may write
	d.events <- stdEvent{l: l, s: s, opened: opened}
	if !<-opened {
		s.close()
		return errors.New("transport: loop has no room for another link")
	}
	d.done.Go(func() { d.reads(l, s) })
	return nil
}

// reads feeds the loop until the socket closes.
func (d *stdDriver) reads(l *Link, s *stdSocket) {
	for {
		buf := pool.Get(min(stdRead, d.lp.cfg.ReadBuffer))
		n, err := s.conn.Read(buf.B)
		if n > 0 {
			buf.B = buf.B[:n]
			if !d.send(stdEvent{l: l, s: s, buf: buf}) {
				buf.Release()
				return
			}
		} else {
			buf.Release()
		}
		if err != nil {
			if failed := s.failure(); failed != nil && !errors.Is(err, io.EOF) {
				err = failed
			}
			d.send(stdEvent{l: l, s: s, err: err})
			return
		}
	}
}

func (d *stdDriver) send(e stdEvent) bool {
	select {
	case d.events <- e:
		return true
	case <-d.quit:
		return false
	}
}

func (d *stdDriver) wake() {
	select {
	case d.wakes <- struct{}{}:
	default:
	}
}

func (d *stdDriver) stop() {
	close(d.quit)
	d.done.Wait()
}

// stdSocket is one connection and the queue of its writing goroutine. The queue
// is bounded by Loop.settle, as gnet's is.
type stdSocket struct {
	lp   *Loop
	conn net.Conn

	mu      sync.Mutex
	more    *sync.Cond
	queue   []*pool.Buf
	octets  int // in the queue and in the chunk that is being written
	watched bool
	closed  bool
	err     error
}

// writes sends the queue until the socket closes.
func (s *stdSocket) writes() {
	for {
		s.mu.Lock()
		for len(s.queue) == 0 && !s.closed {
			s.more.Wait()
		}
		if s.closed {
			s.mu.Unlock()
			return
		}
		c := s.queue[0]
		s.queue[0] = nil
		if s.queue = s.queue[1:]; len(s.queue) == 0 {
			s.queue = nil
		}
		s.mu.Unlock()
		err := s.send(c.B)
		c.Release()
		if err != nil {
			s.mu.Lock()
			s.err = err
			s.mu.Unlock()
			_ = s.conn.Close() // the reader tells the loop
			return
		}
	}
}

func (s *stdSocket) send(b []byte) error {
	for len(b) > 0 {
		n, err := s.conn.Write(b[:min(len(b), stdPiece)])
		b = b[n:]
		s.mu.Lock()
		s.octets -= n
		tell := s.octets == 0 && s.watched
		if tell {
			s.watched = false
		}
		s.mu.Unlock()
		if tell {
			s.lp.post(wakeTick)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *stdSocket) write(chunks []*pool.Buf) {
	s.mu.Lock()
	for _, c := range chunks {
		s.queue = append(s.queue, c)
		s.octets += len(c.B)
	}
	s.mu.Unlock()
	s.more.Signal()
}

// pending promises, when it is not zero, that the loop hears when it becomes so.
func (s *stdSocket) pending() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.watched = s.octets > 0
	return s.octets
}

func (s *stdSocket) close() []*pool.Buf {
	s.mu.Lock()
	left := s.queue
	s.queue, s.closed = nil, true
	s.mu.Unlock()
	s.more.Signal()
	_ = s.conn.Close()
	return left
}

func (s *stdSocket) failure() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}
