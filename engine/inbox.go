package engine

import "sync"

// inbox is a shard's bounded queue of what other goroutines want of it.
type inbox struct {
	mu    sync.Mutex
	room  *sync.Cond
	dead  bool
	calls []*call
	spare []*call

	crossed       []crossing // from other shards
	spareCrossed  []crossing
	crossedOctets int

	delivered       []delivery // by Link.Deliver
	spareDelivered  []delivery
	deliveredOctets int
}

func (b *inbox) init() { b.room = sync.NewCond(&b.mu) }

// call is one function that a goroutine waits for.
type call struct {
	f    func()
	done chan error
	held bool // by f: it is finished later
}

var callPool = sync.Pool{New: func() any { return &call{done: make(chan error, 1)} }}

func newCall(f func()) *call {
	c := callPool.Get().(*call)
	c.f = f
	return c
}

func (c *call) free() {
	c.f, c.held = nil, false
	callPool.Put(c)
}

func (c *call) finish(err error) { c.done <- err }

func (c *call) wait() error {
	err := <-c.done
	c.free()
	return err
}

// push queues a call, and waits while the queue is full. It is false when the
// shard is dead.
func (b *inbox) push(c *call) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	for len(b.calls) >= maxInbox && !b.dead {
		b.room.Wait()
	}
	if b.dead {
		return false
	}
	b.calls = append(b.calls, c)
	return true
}

// pushCrossing queues a packet of another shard; false when there is no room. An
// answer always finds some: there are no more of them than prepares that crossed,
// and the money of one that is lost would be in doubt.
func (b *inbox) pushCrossing(x crossing) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.dead || x.kind == crossPrepare && b.crossedOctets+len(x.packet) > maxForwards {
		return false
	}
	b.crossedOctets += len(x.packet) + 64
	b.crossed = append(b.crossed, x)
	return true
}

// pushDelivery queues packets of an attached link; what finds no room is lost.
func (b *inbox) pushDelivery(d delivery) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.dead || b.deliveredOctets+d.octets > maxDelivered {
		return
	}
	b.deliveredOctets += d.octets
	b.delivered = append(b.delivered, d)
}

// take empties the queues. The slices go back with putBack. A call that is taken
// is finished exactly once: by Wake while it is its turn, or by fail when the
// shard stops before that.
func (b *inbox) take() ([]*call, []crossing, []delivery) {
	b.mu.Lock()
	defer b.mu.Unlock()
	calls, crossed, delivered := b.calls, b.crossed, b.delivered
	b.calls, b.crossed, b.delivered = b.spare[:0], b.spareCrossed[:0], b.spareDelivered[:0]
	b.spare, b.spareCrossed, b.spareDelivered = calls, nil, nil
	b.crossedOctets, b.deliveredOctets = 0, 0
	b.room.Broadcast()
	return calls, crossed, delivered
}

func (b *inbox) putBack(calls []*call, crossed []crossing, delivered []delivery) {
	clear(calls)
	clear(crossed)
	clear(delivered)
	b.mu.Lock()
	b.spare, b.spareCrossed, b.spareDelivered = calls[:0], crossed[:0], delivered[:0]
	b.mu.Unlock()
}

// fail refuses everything that waits and all that comes.
func (b *inbox) fail() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.dead = true
	b.room.Broadcast()
	for _, calls := range [][]*call{b.spare, b.calls} {
		for _, c := range calls {
			if c != nil && c.f != nil {
				select {
				case c.done <- ErrEngineClosed:
				default:
				}
			}
		}
	}
	b.calls, b.spare, b.crossed, b.delivered = nil, nil, nil, nil
}
