package nullengine

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/panjf2000/gnet/v2"

	"github.com/millrace-ilp/millrace/transport/affinity"
)

// Server is a running null server: one event loop, locked to its own thread.
// Its methods may be called from any goroutine.
type Server struct {
	listener net.Listener
	client   *gnet.Client
	loop     *loop
	stop     func() bool
	accepted sync.WaitGroup
	close    sync.Once
	closeErr error
}

// Serve listens on addr ("127.0.0.1:0" picks a port) and answers until ctx ends
// or Close is called.
func Serve(ctx context.Context, addr string) (*Server, error) { return serve(ctx, addr, nil) }

// serve is Serve on the one processor, if there is one.
func serve(ctx context.Context, addr string, cpus []int) (*Server, error) {
	var lc net.ListenConfig
	ln, err := lc.Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("nullengine: listen: %w", err)
	}
	l := &loop{out: make([]byte, 0, readBuffer), cpus: cpus}
	cli, err := gnet.NewClient(l,
		gnet.WithNumEventLoop(1),
		gnet.WithReadBufferCap(readBuffer),
		gnet.WithLockOSThread(true),
		gnet.WithTCPNoDelay(gnet.TCPNoDelay),
		gnet.WithSocketRecvBuffer(socketBuffer),
		gnet.WithSocketSendBuffer(socketBuffer),
		gnet.WithLogger(silent{}))
	if err == nil {
		err = cli.Start()
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("nullengine: start the loop: %w", err), ln.Close())
	}
	s := &Server{listener: ln, client: cli, loop: l}
	s.accepted.Go(s.accept)
	s.stop = context.AfterFunc(ctx, func() { _ = s.Close() })
	return s, nil
}

// accept hands each socket to the loop until the listener is closed.
func (s *Server) accept() {
	for {
		conn, err := s.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil { // out of descriptors, most likely: let some go
			time.Sleep(10 * time.Millisecond)
			continue
		}
		if _, err := s.client.Enroll(conn); err != nil {
			_ = conn.Close()
		}
	}
}

// Addr is the address that the server listens on, as host:port.
func (s *Server) Addr() string { return s.listener.Addr().String() }

// Messages counts the requests answered so far.
func (s *Server) Messages() uint64 { return s.loop.messages.Load() }

// Writes counts the writes so far: one for each wake-up that brought at least
// one whole request.
func (s *Server) Writes() uint64 { return s.loop.writes.Load() }

// CPU is the CPU time, user and system, that the loop's thread has used so far:
// 0 before the first request, and where a thread cannot be asked.
func (s *Server) CPU() time.Duration { return threadCPU(s.loop.thread.Load()) }

// Close stops listening, closes the links and stops the loop. It may be called
// more than once.
func (s *Server) Close() error {
	s.close.Do(func() {
		s.stop()
		err := s.listener.Close()
		s.accepted.Wait()
		s.closeErr = errors.Join(err, s.client.Stop(), s.loop.refused)
	})
	return s.closeErr
}

// loop is the event handler. All but the atomics belongs to the loop's thread.
type loop struct {
	gnet.BuiltinEventEngine
	out      []byte
	messages atomic.Uint64
	writes   atomic.Uint64
	thread   atomic.Int64
	cpus     []int // to bind to
	refused  error // why it is not bound, once the loop has ended
}

// tail holds the first octets of a request that a read has split. Keeping it
// here leaves gnet's own buffer empty, which would otherwise halve the rate.
type tail struct {
	n   int
	buf [RequestLen]byte
}

func (l *loop) OnOpen(c gnet.Conn) ([]byte, gnet.Action) {
	if len(l.cpus) > 0 {
		if l.refused = affinity.Bind(l.cpus[0]); l.refused != nil {
			return nil, gnet.Close
		}
		l.cpus = nil
	}
	l.thread.Store(threadID())
	c.SetContext(&tail{})
	return nil, gnet.None
}

func (l *loop) OnTraffic(c gnet.Conn) gnet.Action {
	in, err := c.Next(-1)
	if err != nil {
		return gnet.Close
	}
	t := c.Context().(*tail)
	out, ok := appendAnswers(l.out[:0], t, in)
	if !ok {
		return gnet.Close
	}
	l.out = out
	if len(out) == 0 {
		return gnet.None
	}
	l.messages.Add(uint64(len(out) / AnswerLen))
	l.writes.Add(1)
	if _, err := c.Write(out); err != nil {
		return gnet.Close
	}
	return gnet.None
}

// appendAnswers appends an answer to out for every request that in completes,
// and keeps what is left over in t. It says false for octets that are no
// request.
func appendAnswers(out []byte, t *tail, in []byte) ([]byte, bool) {
	ok := true
	if t.n > 0 {
		n := copy(t.buf[t.n:], in)
		t.n += n
		in = in[n:]
		if t.n < RequestLen {
			return out, true
		}
		out, ok = appendAnswer(out, t.buf[:])
		t.n = 0
	}
	for ok && len(in) >= RequestLen {
		out, ok = appendAnswer(out, in[:RequestLen])
		in = in[RequestLen:]
	}
	t.n = copy(t.buf[:], in)
	return out, ok
}

// answer is the filler that every answer is copied from.
var answer [AnswerLen]byte

func appendAnswer(out, request []byte) ([]byte, bool) {
	at := len(out)
	out = append(out, answer[:]...)
	binary.BigEndian.PutUint64(out[at:], binary.BigEndian.Uint64(request))
	return out, request[RequestLen-1] == marker
}

// silent keeps gnet's own log, which speaks of every link that goes, out of the
// figures.
type silent struct{}

func (silent) Debugf(string, ...any) {}
func (silent) Infof(string, ...any)  {}
func (silent) Warnf(string, ...any)  {}
func (silent) Errorf(string, ...any) {}
func (silent) Fatalf(string, ...any) {}
