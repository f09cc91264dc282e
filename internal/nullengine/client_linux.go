package nullengine

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"
	"time"

	"golang.org/x/sys/unix"

	"github.com/millrace-ilp/millrace/transport/affinity"
)

const clientSupported = true

// client is the load: one thread, one epoll descriptor, no other goroutine.
type client struct {
	epoll    int
	links    []link
	in       []byte
	stopping bool
	patience time.Duration
	due      int // answers not yet here, over all links
	res      Result
	timed    *timed // nil when nobody asked for latencies
}

// link is one socket. Answers come in the order of the requests, so two
// counters say which id is due.
type link struct {
	fd       int
	number   uint64 // upper half of the ids
	sent     uint32 // requests put into out so far: the next id's lower half
	answered uint32 // answers so far: the id that is due
	out      []byte // the window's worth of requests; ids are patched in place
	unsent   []byte // what the socket did not take yet: the rest of a write
	owed     int    // requests that wait for unsent to be gone
	tail     []byte // first octets of an answer that a read has split
	writable bool   // EPOLLOUT is armed
}

// runClient has a goroutine of its own, whose thread may be bound.
func runClient(ctx context.Context, addr string, cfg Config) (res Result, err error) {
	if cfg, err = cfg.withDefaults(); err != nil {
		return Result{}, err
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		res, err = runLocked(ctx, addr, cfg)
	}()
	<-done
	return res, err
}

func runLocked(ctx context.Context, addr string, cfg Config) (Result, error) {
	if len(cfg.CPUs) > 0 {
		if err := affinity.Bind(cfg.CPUs[0]); err != nil {
			return Result{}, err
		}
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	c := &client{in: make([]byte, readBuffer), links: make([]link, cfg.Links), patience: patience}
	defer c.close()
	if cfg.Rate > 0 || cfg.Latencies {
		c.timed = newTimed(cfg)
	}
	if err := c.dial(ctx, addr, cfg.Window); err != nil {
		return Result{}, err
	}
	return c.run(ctx, cfg)
}

func (c *client) dial(ctx context.Context, addr string, window int) (err error) {
	for i := range c.links {
		c.links[i].fd = -1
	}
	if c.epoll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		c.epoll = -1
		return os.NewSyscallError("epoll_create1", err)
	}
	for i := range c.links {
		l := &c.links[i]
		l.number = uint64(i) << 32
		if l.fd, err = dialSocket(ctx, addr); err != nil {
			return fmt.Errorf("nullengine: dial: %w", err)
		}
		ev := unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(i)}
		if err := unix.EpollCtl(c.epoll, unix.EPOLL_CTL_ADD, l.fd, &ev); err != nil {
			return os.NewSyscallError("epoll_ctl", err)
		}
		l.tail = make([]byte, 0, AnswerLen)
		l.out = make([]byte, window*RequestLen)
		for at := RequestLen - 1; at < len(l.out); at += RequestLen {
			l.out[at] = marker
		}
	}
	return nil
}

// dialSocket connects with the standard library, and takes a descriptor of its
// own for the socket, out of reach of Go's poller.
func dialSocket(ctx context.Context, addr string) (int, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return -1, err
	}
	defer conn.Close()
	raw, err := conn.(*net.TCPConn).SyscallConn()
	if err != nil {
		return -1, err
	}
	fd := -1
	var sysErr error
	err = raw.Control(func(s uintptr) {
		if fd, sysErr = unix.FcntlInt(s, unix.F_DUPFD_CLOEXEC, 0); sysErr != nil {
			return
		}
		sysErr = errors.Join(
			unix.SetNonblock(fd, true),
			unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1),
			unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUF, socketBuffer),
			unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, socketBuffer))
	})
	return fd, errors.Join(err, sysErr)
}

func (c *client) close() {
	for i := range c.links {
		if fd := c.links[i].fd; fd > 0 {
			_ = unix.Close(fd)
		}
	}
	if c.epoll > 0 {
		_ = unix.Close(c.epoll)
	}
}

func (c *client) run(ctx context.Context, cfg Config) (Result, error) {
	thread := threadID()
	start, cpu, own := time.Now(), processCPU(), threadCPU(thread)
	var err error
	if cfg.Rate > 0 {
		c.timed.base = start
		err = c.runOpen(ctx, cfg)
	} else {
		err = c.runClosed(ctx, cfg, start)
	}
	if c.timed != nil {
		c.res.Latency, c.res.Late = LatencyOf(c.timed.histogram), c.timed.late
	}
	c.res.Elapsed = time.Since(start)
	c.res.ProcessCPU = processCPU() - cpu
	c.res.ClientCPU = threadCPU(thread) - own
	return c.res, errors.Join(err, ctx.Err())
}

// runClosed keeps the window of every link full.
func (c *client) runClosed(ctx context.Context, cfg Config, start time.Time) error {
	for i := range c.links {
		if c.timed != nil {
			c.timed.sent(uint64(i), cfg.Window)
		}
		if err := c.send(&c.links[i], cfg.Window); err != nil {
			return err
		}
	}
	return c.poll(ctx, start.Add(cfg.Duration))
}

// poll turns answers into requests until stop, then waits for what is due.
func (c *client) poll(ctx context.Context, stop time.Time) error {
	events := make([]unix.EpollEvent, 256)
	last := time.Now()
	for {
		n, err := unix.EpollWait(c.epoll, events, pollTimeout)
		if err != nil && !errors.Is(err, unix.EINTR) {
			return os.NewSyscallError("epoll_wait", err)
		}
		now := time.Now()
		c.stopping = c.stopping || !now.Before(stop) || ctx.Err() != nil
		if c.stopping && c.due == 0 {
			return nil
		}
		if n > 0 {
			last = now
		} else if now.Sub(last) > c.patience {
			return ErrStalled
		}
		for _, ev := range events[:max(n, 0)] {
			l := &c.links[ev.Fd]
			if ev.Events&unix.EPOLLOUT != 0 {
				if err := c.flush(l); err != nil {
					return err
				}
			}
			if ev.Events&^unix.EPOLLOUT != 0 {
				if err := c.receive(l); err != nil {
					return err
				}
			}
		}
		if c.stopping && c.due == 0 {
			return nil
		}
	}
}

// receive reads once and sends a request for every answer.
func (c *client) receive(l *link) error {
	n, err := unix.Read(l.fd, c.in)
	switch {
	case errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EINTR):
		return nil
	case err != nil:
		return os.NewSyscallError("read", err)
	case n == 0:
		return fmt.Errorf("nullengine: the server closed a link with %d answers due", c.due)
	}
	answers, err := l.take(c.in[:n])
	if err != nil {
		return err
	}
	c.due -= answers
	c.res.Messages += uint64(answers)
	if c.timed != nil {
		c.timed.answered(l.number>>32, answers)
	}
	if c.stopping {
		return nil
	}
	if c.timed != nil {
		c.timed.sent(l.number>>32, answers)
	}
	return c.send(l, answers)
}

// take counts the answers that in completes, and checks that each is the one
// that is due.
func (l *link) take(in []byte) (answers int, err error) {
	if len(l.tail) > 0 {
		n := min(AnswerLen-len(l.tail), len(in))
		l.tail = append(l.tail, in[:n]...)
		in = in[n:]
		if len(l.tail) < AnswerLen {
			return 0, nil
		}
		if !l.isDue(l.tail) {
			return 0, ErrAnswer
		}
		l.tail = l.tail[:0]
		answers++
	}
	for len(in) >= AnswerLen {
		if !l.isDue(in) {
			return answers, ErrAnswer
		}
		in = in[AnswerLen:]
		answers++
	}
	l.tail = append(l.tail, in...)
	return answers, nil
}

func (l *link) isDue(answer []byte) bool {
	due := l.number | uint64(l.answered)
	l.answered++
	return binary.BigEndian.Uint64(answer) == due
}

// send sends n more requests in one write. While an earlier write is not through
// they are only noted: flush sends them then.
func (c *client) send(l *link, n int) error {
	c.due += n
	l.owed += n
	if len(l.unsent) > 0 || l.owed == 0 {
		return nil
	}
	for i := range l.owed {
		binary.BigEndian.PutUint64(l.out[i*RequestLen:], l.number|uint64(l.sent))
		l.sent++
	}
	l.unsent = l.out[:l.owed*RequestLen]
	l.owed = 0
	return c.flush(l)
}

// flush writes what is unsent, and arms EPOLLOUT when the socket is full.
func (c *client) flush(l *link) error {
	if len(l.unsent) > 0 {
		n, err := unix.Write(l.fd, l.unsent)
		if err != nil && !errors.Is(err, unix.EAGAIN) && !errors.Is(err, unix.EINTR) {
			return os.NewSyscallError("write", err)
		}
		c.res.ClientWrites++
		l.unsent = l.unsent[max(n, 0):]
	}
	if full := len(l.unsent) > 0; full != l.writable {
		l.writable = full
		ev := unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(l.number >> 32)}
		if full {
			ev.Events |= unix.EPOLLOUT
		}
		if err := unix.EpollCtl(c.epoll, unix.EPOLL_CTL_MOD, l.fd, &ev); err != nil {
			return os.NewSyscallError("epoll_ctl", err)
		}
	}
	if len(l.unsent) > 0 || l.owed == 0 {
		return nil
	}
	return c.send(l, 0)
}
