//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package transport

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"sync/atomic"

	"github.com/panjf2000/gnet/v2"
	"golang.org/x/sys/unix"

	"github.com/millrace-ilp/millrace/pool"
	"github.com/millrace-ilp/millrace/transport/affinity"
)

// gnetDriver drives one loop with a gnet client of one event loop. A client rather
// than a server: sockets are enrolled on a loop that we choose.
//
// gnet leaves a good deal to its user. A Conn must never be written to after it
// has closed, for its descriptor may be somebody else's by then: the only way to a
// Conn is Link.sock, which is nil from the moment of OnClose. Outbound memory has
// no bound of its own (see flush.go), nor has the queue of Execute (see Loop.post);
// a failing write runs OnClose inside (see Loop.lost); its read buffer is the
// loop's, so nothing of it is kept or handed to another goroutine.
type gnetDriver struct {
	gnet.BuiltinEventEngine
	lp     *Loop
	client *gnet.Client
	el     gnet.EventLoop
	iov    [][]byte
	inTask atomic.Bool // gnet runs what was queued
	bell   int         // the other end of the socket that boot enrolled
	rung   [1]byte
}

// gnetBoot is the context of the socket that newGNetDriver enrolls: to learn the event
// loop, and for the bell.
type gnetBoot chan booted

// booted is a loop that runs, on the processor where it has to; or why it does not.
type booted struct {
	el  gnet.EventLoop
	err error
}

func newGNetDriver(lp *Loop) (driver, error) {
	d := &gnetDriver{lp: lp}
	options := []gnet.Option{
		gnet.WithNumEventLoop(1),
		// The poller yields before it blocks, and a goroutine that is locked to its thread
		// then hands it over and back.
		gnet.WithLockOSThread(lp.cfg.OneThread),
		gnet.WithReadBufferCap(lp.cfg.ReadBuffer),
		gnet.WithTCPNoDelay(gnet.TCPNoDelay),
		gnet.WithLogger(gnetLogger{lp.cfg.Logger}),
	}
	if n := lp.cfg.SocketBuffer; n > 0 {
		options = append(options, gnet.WithSocketRecvBuffer(n), gnet.WithSocketSendBuffer(n))
	}
	var err error
	if d.client, err = gnet.NewClient(d, options...); err != nil {
		return nil, err
	}
	if err = d.client.Start(); err != nil {
		return nil, err
	}
	if err = d.boot(); err != nil {
		_ = d.client.Stop()
		return nil, err
	}
	return d, nil
}

// boot enrolls one end of a socket pair, since gnet names an event loop only to
// the connections on it. The other is the bell.
func (d *gnetDriver) boot() error {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		return fmt.Errorf("learning the event loop: %w", os.NewSyscallError("socketpair", err))
	}
	unix.CloseOnExec(fds[0])
	unix.CloseOnExec(fds[1])
	d.bell = fds[1]
	f := os.NewFile(uintptr(fds[0]), "boot")
	conn, err := net.FileConn(f)
	_ = f.Close()
	if err == nil {
		got := make(gnetBoot, 1)
		if _, err = d.client.EnrollContext(conn, got); err == nil {
			select {
			case b := <-got:
				if b.err == nil {
					d.el = b.el
					return nil
				}
				_ = unix.Close(d.bell)
				return b.err
			default:
				err = errors.New("socket was not opened")
			}
		}
	}
	_ = unix.Close(d.bell)
	return fmt.Errorf("learning the event loop: %w", err)
}

// bind has the loop, which calls it, stay on its processor.
func (d *gnetDriver) bind() error {
	if cpus := d.lp.cfg.CPUs; len(cpus) > 0 {
		return affinity.Bind(cpus[d.lp.index])
	}
	return nil
}

func (d *gnetDriver) enroll(l *Link, conn net.Conn) error {
	if _, err := d.client.EnrollContext(conn, l); err != nil {
		return err
	}
	// gnet says nothing of a socket that its poller or the loop refused.
	if !l.opened.Load() {
		return errors.New("transport: loop has no room for another link")
	}
	return nil
}

// wake rings the bell while gnet runs what is queued: it would run what comes then
// before it looks at any socket.
func (d *gnetDriver) wake() {
	if d.inTask.Load() {
		if _, err := unix.Write(d.bell, d.rung[:]); err == nil {
			return
		}
	}
	_ = d.el.Execute(context.Background(), d)
}

// Run is gnet.Runnable.
func (d *gnetDriver) Run(context.Context) error {
	d.inTask.Store(true)
	d.lp.woken()
	d.inTask.Store(false)
	return nil
}

func (d *gnetDriver) stop() {
	_ = d.client.Stop()
	_ = unix.Close(d.bell)
}

// OnOpen is gnet's: on the loop, for each enrolled socket.
func (d *gnetDriver) OnOpen(c gnet.Conn) ([]byte, gnet.Action) {
	switch x := c.Context().(type) {
	case gnetBoot:
		x <- booted{c.EventLoop(), d.bind()}
		return nil, gnet.None
	case *Link:
		if d.lp.opened(x, &gnetSocket{d: d, c: c}) {
			x.opened.Store(true)
			return nil, gnet.None
		}
	}
	return nil, gnet.Close
}

// OnTraffic is gnet's: on the loop, after each read.
func (d *gnetDriver) OnTraffic(c gnet.Conn) gnet.Action {
	b, _ := c.Next(-1)
	l, ok := c.Context().(*Link)
	if !ok {
		_ = d.Run(context.Background())
		return gnet.None
	}
	d.lp.read(l, b)
	if l.phase != linkUp {
		return gnet.Close // which gnet ignores if it is closed
	}
	return gnet.None
}

// OnClose is gnet's: on the loop, possibly inside a write.
func (d *gnetDriver) OnClose(c gnet.Conn, err error) gnet.Action {
	if l, ok := c.Context().(*Link); ok {
		if err == nil {
			err = io.EOF
		}
		d.lp.lost(l, unwrapEOF(err))
	}
	return gnet.None
}

// unwrapEOF makes gnet's "read: EOF" plain.
func unwrapEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.EOF
	}
	return err
}

// gnetSocket is one connection of gnet's, until it closes.
type gnetSocket struct {
	d *gnetDriver
	c gnet.Conn
}

func (s *gnetSocket) write(chunks []*pool.Buf) {
	// gnet has copied what the kernel did not take when these return.
	if len(chunks) == 1 {
		_, _ = s.c.Write(chunks[0].B)
	} else {
		iov := s.d.iov[:0]
		for _, c := range chunks {
			iov = append(iov, c.B)
		}
		_, _ = s.c.Writev(iov)
		clear(iov)
		s.d.iov = iov[:0]
	}
	for _, c := range chunks {
		c.Release()
	}
}

func (s *gnetSocket) pending() int { return s.c.OutboundBuffered() }

func (s *gnetSocket) close() []*pool.Buf {
	_ = s.d.el.Close(s.c)
	return nil
}

// gnetLogger forwards what gnet has to say, which is little.
type gnetLogger struct{ *slog.Logger }

func (g gnetLogger) say(level slog.Level, format string, args []any) {
	if g.Enabled(context.Background(), level) {
		g.Log(context.Background(), level, "gnet: "+fmt.Sprintf(format, args...))
	}
}

// gnet's notices of its own life are of interest to nobody but a debugger.
func (g gnetLogger) Debugf(format string, args ...any) { g.say(slog.LevelDebug, format, args) }
func (g gnetLogger) Infof(format string, args ...any)  { g.say(slog.LevelDebug, format, args) }
func (g gnetLogger) Warnf(format string, args ...any)  { g.say(slog.LevelDebug, format, args) }
func (g gnetLogger) Errorf(format string, args ...any) { g.say(slog.LevelWarn, format, args) }
func (g gnetLogger) Fatalf(format string, args ...any) { g.say(slog.LevelError, format, args) }
