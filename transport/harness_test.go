package transport

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// patience is how long a test waits for what has to happen.
const patience = 10 * time.Second

// onBackends runs a test over each backend of the platform.
func onBackends(t *testing.T, test func(t *testing.T, b Backend)) {
	for _, b := range []Backend{GNet, StdNet} {
		t.Run(b.String(), func(t *testing.T) {
			if b == GNet && !hasGNet {
				loops, err := NewLoops(1, b, LoopConfig{}, func(int) Handler { return newRecorder(nil) })
				if loops != nil || !errors.Is(err, ErrBackend) {
					t.Fatalf("a platform without gnet answers %v", err)
				}
				return
			}
			test(t, b)
		})
	}
}

// recorder is a Handler that notes what it is told, and does what its fields say.
type recorder struct {
	t       testing.TB
	busy    atomic.Bool // a method is running
	up      func(l *Link)
	packets func(l *Link, in []Packet)
	down    func(l *Link, unsent []uint32, reason error)
	wake    func()

	mu    sync.Mutex
	ups   []*Link
	downs map[*Link]fall
	news  chan struct{}
}

// fall is how a link ended.
type fall struct {
	unsent []uint32
	reason error
	times  int
}

func newRecorder(t testing.TB) *recorder {
	return &recorder{t: t, downs: map[*Link]fall{}, news: make(chan struct{}, 1)}
}

func (r *recorder) enter(method string) func() {
	if !r.busy.CompareAndSwap(false, true) {
		r.t.Errorf("%s was called inside another method", method)
	}
	return func() {
		r.busy.Store(false)
		select {
		case r.news <- struct{}{}:
		default:
		}
	}
}

func (r *recorder) LinkUp(l *Link) {
	defer r.enter("LinkUp")()
	r.mu.Lock()
	r.ups = append(r.ups, l)
	r.mu.Unlock()
	if r.up != nil {
		r.up(l)
	}
}

func (r *recorder) Packets(l *Link, in []Packet) {
	defer r.enter("Packets")()
	if len(in) == 0 || len(in) > vectorLen {
		r.t.Errorf("a vector of %d packets", len(in))
	}
	if r.packets != nil {
		r.packets(l, in)
	}
}

func (r *recorder) LinkDown(l *Link, unsent []uint32, reason error) {
	defer r.enter("LinkDown")()
	r.mu.Lock()
	d := r.downs[l]
	r.downs[l] = fall{slices.Clone(unsent), reason, d.times + 1}
	r.mu.Unlock()
	if d.times > 0 {
		r.t.Error("a link went down twice")
	}
	if r.down != nil {
		r.down(l, unsent, reason)
	}
}

func (r *recorder) Wake() {
	defer r.enter("Wake")()
	r.mu.Lock()
	wake := r.wake
	r.mu.Unlock()
	if wake != nil {
		wake()
	}
}

// await waits until cond is true, looking whenever the handler was called.
func (r *recorder) await(what string, cond func() bool) {
	r.t.Helper()
	limit := time.After(patience)
	for !cond() {
		select {
		case <-r.news:
		case <-time.After(5 * time.Millisecond): // conditions on other things than the handler's
		case <-limit:
			r.t.Fatalf("%s: it did not happen", what)
		}
	}
}

// link waits for the i-th link.
func (r *recorder) link(i int) *Link {
	r.t.Helper()
	r.await(fmt.Sprint("link ", i), func() bool { r.mu.Lock(); defer r.mu.Unlock(); return len(r.ups) > i })
	return r.ups[i]
}

// fall waits for the end of a link.
func (r *recorder) fall(l *Link) fall {
	r.t.Helper()
	var d fall
	r.await("link down", func() bool { r.mu.Lock(); defer r.mu.Unlock(); d = r.downs[l]; return d.times > 0 })
	return d
}

// do runs f on the loop and waits for it.
func (r *recorder) do(lp *Loop, f func()) {
	r.t.Helper()
	done := make(chan struct{})
	var once sync.Once
	r.mu.Lock()
	r.wake = func() {
		once.Do(func() { f(); close(done) })
	}
	r.mu.Unlock()
	lp.Wake()
	select {
	case <-done:
	case <-time.After(patience):
		r.t.Fatal("the loop did not wake")
	}
}

// echo answers each request with its own packet.
func echo(l *Link, in []Packet) {
	for _, p := range in {
		if p.Kind == Request {
			if b := l.Reply(p.ID, len(p.ILP)); b != nil {
				copy(b, p.ILP)
			}
		}
	}
}

// startLoop starts one loop that the test closes.
func startLoop(t testing.TB, b Backend, cfg LoopConfig, h Handler) *Loop {
	t.Helper()
	loops, err := NewLoops(1, b, cfg, func(int) Handler { return h })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_ = CloseLoops(ctx, loops) // links that tests leave behind may need cutting off
	})
	return loops[0]
}

// openTo lets everybody in whose token is "secret"; the account is the name.
func openTo(username, token []byte) (any, int, error) {
	if !EqualToken(token, []byte("secret")) {
		return nil, 0, errors.New("wrong token")
	}
	return string(username), 0, nil
}

// startListener listens for links of lp on a free port.
func startListener(t testing.TB, lp *Loop, cfg ListenConfig) *Listener {
	t.Helper()
	cfg.Addr = "127.0.0.1:0"
	if cfg.Authenticate == nil {
		cfg.Authenticate = openTo
	}
	ln, err := Listen([]*Loop{lp}, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() })
	return ln
}

// listening is a loop with a listener, handled by r.
func listening(t testing.TB, b Backend, cfg LoopConfig, r *recorder) (*Loop, *Listener) {
	lp := startLoop(t, b, cfg, r)
	return lp, startListener(t, lp, ListenConfig{})
}

func dialTo(t testing.TB, lp *Loop, ln *Listener, cfg DialConfig) *Dialer {
	t.Helper()
	cfg.URL, cfg.Loop = "btp+ws://alice:secret@"+ln.Addr().String(), lp
	d, err := Dial(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	return d
}
