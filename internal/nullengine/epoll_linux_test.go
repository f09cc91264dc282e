package nullengine

import (
	"net"
	"os"
	"runtime"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// epollServer is the null server written directly on epoll: the same octets,
// the same read size, the same single write, and no framework. It is what the
// yardstick itself is measured against.
type epollServer struct {
	ln    net.Listener
	epoll int
	quit  [2]int // a pipe; closing its write end stops the loop
	done  chan struct{}
}

func serveEpoll(tb testing.TB) *epollServer {
	tb.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	s := &epollServer{ln: ln, done: make(chan struct{})}
	if s.epoll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		tb.Fatal(os.NewSyscallError("epoll_create1", err))
	}
	if err := unix.Pipe2(s.quit[:], unix.O_CLOEXEC); err != nil {
		tb.Fatal(os.NewSyscallError("pipe2", err))
	}
	s.add(tb, s.quit[0])
	go s.accept()
	go s.loop()
	tb.Cleanup(func() {
		_ = ln.Close()
		_ = unix.Close(s.quit[1])
		<-s.done
		_ = unix.Close(s.quit[0])
		_ = unix.Close(s.epoll)
	})
	return s
}

func (s *epollServer) add(tb testing.TB, fd int) {
	ev := unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)}
	if err := unix.EpollCtl(s.epoll, unix.EPOLL_CTL_ADD, fd, &ev); err != nil {
		tb.Error(os.NewSyscallError("epoll_ctl", err))
	}
}

func (s *epollServer) accept() {
	for {
		conn, err := s.ln.Accept()
		if err != nil {
			return
		}
		raw, err := conn.(*net.TCPConn).SyscallConn()
		if err == nil {
			_ = raw.Control(func(sock uintptr) {
				fd, err := unix.FcntlInt(sock, unix.F_DUPFD_CLOEXEC, 0)
				if err != nil {
					return
				}
				_ = unix.SetNonblock(fd, true)
				_ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
				_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUF, socketBuffer)
				_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, socketBuffer)
				ev := unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)}
				_ = unix.EpollCtl(s.epoll, unix.EPOLL_CTL_ADD, fd, &ev)
			})
		}
		_ = conn.Close()
	}
}

func (s *epollServer) loop() {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer close(s.done)
	tails := map[int32]*tail{}
	events := make([]unix.EpollEvent, 128)
	in, out := make([]byte, readBuffer), make([]byte, 0, readBuffer)
	for {
		n, err := unix.EpollWait(s.epoll, events, -1)
		if err != nil && err != unix.EINTR {
			return
		}
		for _, ev := range events[:max(n, 0)] {
			if ev.Fd == int32(s.quit[0]) {
				for fd := range tails {
					_ = unix.Close(int(fd))
				}
				return
			}
			t := tails[ev.Fd]
			if t == nil {
				t = &tail{}
				tails[ev.Fd] = t
			}
			got, err := unix.Read(int(ev.Fd), in)
			ok := err == nil && got > 0
			if ok {
				if out, ok = appendAnswers(out[:0], t, in[:got]); ok && len(out) > 0 {
					// The load never fills a socket: its window is a
					// fraction of the buffers.
					var sent int
					sent, err = unix.Write(int(ev.Fd), out)
					ok = err == nil && sent == len(out)
				}
			}
			if !ok && err != unix.EAGAIN && err != unix.EINTR {
				_ = unix.Close(int(ev.Fd))
				delete(tails, ev.Fd)
			}
		}
	}
}

func TestEpollServerDoesTheSameWork(t *testing.T) {
	s := serveEpoll(t)
	r, err := RunClient(s.ln.Addr().String(), Config{Links: 2, Window: 64, Duration: 30 * time.Millisecond})
	if err != nil || r.Messages < 128 {
		t.Errorf("%+v, %v", r, err)
	}
}

// BenchmarkNullOverEpoll runs the null server and its epoll twin by turns and
// reports the median of the paired ratios of their rates: "null/epoll" must be at least
// 0.85 for the yardstick to be one. It is a figure to read, not a gate: on a
// busy machine a single pair may say anything.
//
//	go test -run '^$' -bench NullOverEpoll -benchtime 9x ./internal/nullengine
func BenchmarkNullOverEpoll(b *testing.B) {
	for _, shape := range []struct {
		name          string
		links, window int
	}{{"8x16", 8, 16}, {"8x256", 8, 256}} {
		b.Run(shape.name, func(b *testing.B) {
			null, err := Serve(b.Context(), "127.0.0.1:0")
			if err != nil {
				b.Fatal(err)
			}
			defer null.Close()
			epoll := serveEpoll(b)
			cfg := Config{Links: shape.links, Window: shape.window, Duration: 250 * time.Millisecond}
			rate := func(addr string) float64 {
				r, err := RunClient(addr, cfg)
				if err != nil {
					b.Fatal(err)
				}
				return r.MessagesPerSecond()
			}
			rate(null.Addr()) // warm both up
			rate(epoll.ln.Addr().String())
			var ratios, rates []float64
			for b.Loop() {
				n, e := rate(null.Addr()), rate(epoll.ln.Addr().String())
				ratios, rates = append(ratios, n/e), append(rates, n)
			}
			slices.Sort(ratios)
			slices.Sort(rates)
			b.ReportMetric(ratios[len(ratios)/2], "null/epoll")
			b.ReportMetric(rates[len(rates)/2], "messages/s")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// BenchmarkNull reports what one message costs at both ends.
func BenchmarkNull(b *testing.B) {
	var total Result
	for b.Loop() {
		r, err := Run(b.Context(), Config{Duration: 250 * time.Millisecond})
		if err != nil {
			b.Fatal(err)
		}
		total.Messages += r.Messages
		total.Elapsed += r.Elapsed
		total.ProcessCPU += r.ProcessCPU
		total.ServerWrites += r.ServerWrites
	}
	b.ReportMetric(total.MessagesPerSecond(), "messages/s")
	b.ReportMetric(total.CPUPerMessage(), "cpu-ns/message")
	b.ReportMetric(total.FramesPerWrite(), "frames/write")
	b.ReportMetric(0, "ns/op")
}
