package nullengine

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// backlog is how many messages of a link may be due and not answered before the
// arrivals stand still; they are not lost, only late.
const backlog = 1 << 16

// timed is what the client needs beyond a closed loop: when messages were due.
type timed struct {
	base      time.Time
	histogram *hdrhistogram.Histogram
	links     []due
	arrivals  *Arrivals // nil in a closed loop
	pick      *rand.PCG
	late      uint64
	coarse    bool // the kernel has no epoll_pwait2
}

// due is when the messages of one link were due, oldest first: answers come in order.
type due struct {
	at         []int64 // a ring
	head, tail uint32
	waiting    int // of them, not handed to send yet
}

func (d *due) full() bool { return d.tail-d.head == uint32(len(d.at)) }

func (d *due) push(at int64) {
	d.at[d.tail&uint32(len(d.at)-1)] = at
	d.tail++
}

func (d *due) pop() int64 {
	at := d.at[d.head&uint32(len(d.at)-1)]
	d.head++
	return at
}

func newTimed(cfg Config) *timed {
	t := &timed{base: time.Now(), histogram: NewHistogram(), links: make([]due, cfg.Links), pick: rand.NewPCG(1, 2)}
	for i := range t.links {
		t.links[i].at = make([]int64, backlog)
	}
	if cfg.Rate > 0 {
		t.arrivals = NewArrivals(0, cfg.Rate, cfg.Poisson, 1)
	}
	return t
}

func (t *timed) now() int64 { return int64(time.Since(t.base)) }

// sent notes messages of a closed loop: they are due when they are written.
func (t *timed) sent(link uint64, n int) {
	now := t.now()
	for range n {
		t.links[link].push(now)
	}
}

// answered notes answers.
func (t *timed) answered(link uint64, n int) {
	now := t.now()
	for range n {
		Record(t.histogram, now-t.links[link].pop())
	}
}

// runOpen sends what is due when it is due, until stop, and waits for every answer.
func (c *client) runOpen(ctx context.Context, cfg Config) error {
	// The kernel may add 50 µs to every sleep of a thread unless it is told not to.
	_ = unix.Prctl(unix.PR_SET_TIMERSLACK, 1, 0, 0, 0)
	defer func() { _ = unix.Prctl(unix.PR_SET_TIMERSLACK, 0, 0, 0, 0) }()
	t := c.timed
	stop, last := int64(cfg.Duration), t.now()
	events := make([]unix.EpollEvent, 256)
	for {
		now := t.now()
		if ctx.Err() != nil {
			stop = min(stop, now)
		}
		done := t.arrive(now, stop)
		if err := c.sendDue(cfg.Window); err != nil {
			return err
		}
		if done && c.due == 0 && !t.waits() {
			return nil
		}
		n, err := t.wait(c.epoll, events, now, done)
		if err != nil && !errors.Is(err, unix.EINTR) {
			return os.NewSyscallError("epoll_wait", err)
		}
		if n > 0 || c.due == 0 {
			last = now
		} else if now-last > int64(c.patience) {
			return ErrStalled
		}
		for _, ev := range events[:max(n, 0)] {
			if err := c.ready(&c.links[ev.Fd], ev.Events); err != nil {
				return err
			}
		}
	}
}

// arrive takes what is due, and says whether that was the last.
func (t *timed) arrive(now, stop int64) bool {
	a := t.arrivals
	for a.Next() <= now && a.Next() < stop {
		d := &t.links[t.pick.Uint64()%uint64(len(t.links))]
		if d.full() {
			return false
		}
		d.push(a.Next())
		d.waiting++
		if now-a.Next() > Late {
			t.late++
		}
		a.Pass()
	}
	return a.Next() >= stop
}

func (t *timed) waits() bool {
	for i := range t.links {
		if t.links[i].waiting > 0 {
			return true
		}
	}
	return false
}

// sendDue sends what is due as far as windows let it.
func (c *client) sendDue(window int) error {
	for i := range c.links {
		l, d := &c.links[i], &c.timed.links[i]
		inFlight := int(l.sent-l.answered) + l.owed
		if n := min(d.waiting, window-inFlight); n > 0 && len(l.unsent) == 0 {
			d.waiting -= n
			if err := c.send(l, n); err != nil {
				return err
			}
		}
	}
	return nil
}

// wait waits for a socket or the next arrival.
func (t *timed) wait(epoll int, events []unix.EpollEvent, now int64, done bool) (int, error) {
	wait := int64(pollTimeout) * 1e6
	if !done {
		wait = min(wait, max(0, t.arrivals.Next()-now)+t.arrivals.Gather())
	}
	if t.coarse {
		return unix.EpollWait(epoll, events, int(wait/1e6))
	}
	timeout := struct{ sec, nsec int64 }{wait / 1e9, wait % 1e9}
	n, _, errno := unix.Syscall6(unix.SYS_EPOLL_PWAIT2, uintptr(epoll), uintptr(unsafe.Pointer(&events[0])), uintptr(len(events)),
		uintptr(unsafe.Pointer(&timeout)), 0, 0)
	switch errno {
	case 0:
		return int(n), nil
	case unix.ENOSYS:
		t.coarse = true
		return 0, nil
	}
	return 0, errno
}

// receiveOpen reads once.
func (c *client) receiveOpen(l *link) error {
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
	c.timed.answered(l.number>>32, answers)
	return nil
}

// ready works on one socket.
func (c *client) ready(l *link, events uint32) error {
	if events&unix.EPOLLOUT != 0 {
		if err := c.flush(l); err != nil {
			return err
		}
	}
	if events&^unix.EPOLLOUT != 0 {
		return c.receiveOpen(l)
	}
	return nil
}
