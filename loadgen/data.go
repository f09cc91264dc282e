package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/millrace-ilp/millrace/engine"
	"github.com/millrace-ilp/millrace/engine/stream"
)

// dataPatience is how long no octet may arrive before the rest counts as lost.
const dataPatience = 10 * time.Second

// dataFigures is a run of -data.
type dataFigures struct {
	OctetsPerConnection uint64  `json:"octets_per_connection"`
	Octets              uint64  `json:"octets"` // that arrived in order and intact
	Intact              bool    `json:"intact"` // all of them
	Seconds             float64 `json:"seconds"`
	OctetsPerSecond     float64 `json:"octets_per_second"`
	Packets             uint64  `json:"packets"` // that the sender sent
	PacketsPerSecond    float64 `json:"packets_per_second"`
	CPU                 perEnd  `json:"cpu_ns_per_mebibyte"`
}

// dataWindow is how many octets of a stream may be on their way: less when there are
// many connections, so that all together stay within a quarter of a gigabyte.
func dataWindow(connections int) int { return min(max(256<<20/connections, 64<<10), 4<<20) }

// outgoing is the octets that a crowd writes.
type outgoing struct {
	total   uint64 // of each stream
	flaw    int64  // tests make the octet at this offset of the first stream wrong
	streams []outgoingStream
}

type outgoingStream struct{ phase, written uint64 }

// beginData lets octets flow.
func (c *crowd) beginData(total uint64, flaw int64) error {
	o := &outgoing{total: total, flaw: flaw, streams: make([]outgoingStream, len(c.streams))}
	if err := c.link.Do(func(*engine.OnLoop) { c.data = o }); err != nil {
		return err
	}
	return c.each(func(lp *engine.OnLoop, i int, s stream.StreamHandle) error {
		m := lp.Machine()
		m.SetStreamUser(s, uint64(i)+1)
		info, ok := m.StreamInfo(s)
		if !ok {
			return nil // closed, and counted as lost
		}
		secret, _ := m.SharedSecret(info.Conn)
		o.streams[i].phase = patternPhase(secret)
		return c.write(lp, i)
	})
}

// write fills the buffer of a stream. When it was full before all was in,
// EventWritable tells when there is room.
func (c *crowd) write(lp *engine.OnLoop, i int) error {
	o := &c.data.streams[i]
	for o.written < c.data.total {
		chunk := patternAt(o.phase, o.written, int(min(c.data.total-o.written, patternChunk)))
		if at := c.data.flaw - int64(o.written); i == 0 && at >= 0 && at < int64(len(chunk)) {
			chunk = slices.Clone(chunk)
			chunk[at] ^= 1
		}
		n, err := lp.Machine().Write(lp.Now(), c.streams[i], chunk)
		if err != nil {
			return fmt.Errorf("write: %w", err)
		}
		if o.written += uint64(n); n < len(chunk) {
			break
		}
	}
	return nil
}

// sink takes the octets of -data at the receiver, and compares them.
type sink struct {
	shards []sinkShard // by loop
	octets atomic.Uint64
	lastAt atomic.Int64 // when the last came, in Unix ns
	wrong  atomic.Pointer[string]
}

// sinkShard is the streams of one loop.
type sinkShard struct {
	streams []incoming
	buffer  []byte
}

type incoming struct{ phase, offset uint64 }

func newSink(loops int) *sink { return &sink{shards: make([]sinkShard, loops)} }

// HandleEvents reads whatever has come.
func (k *sink) HandleEvents(lp *engine.OnLoop, events []stream.Event) {
	m, shard := lp.Machine(), &k.shards[lp.Shard()]
	for i := range events {
		switch e := &events[i]; e.Kind {
		case stream.EventStreamOpened:
			secret, _ := m.SharedSecret(e.Conn)
			shard.streams = append(shard.streams, incoming{phase: patternPhase(secret)})
			m.SetStreamUser(e.Stream, uint64(len(shard.streams)))
		case stream.EventReadable:
			k.read(lp, shard, e)
		}
	}
}

func (k *sink) read(lp *engine.OnLoop, shard *sinkShard, e *stream.Event) {
	if shard.buffer == nil {
		shard.buffer = make([]byte, patternChunk)
	}
	if e.User == 0 || e.User > uint64(len(shard.streams)) {
		k.fail("octets of a stream that was never opened")
		return
	}
	in := &shard.streams[e.User-1]
	var some uint64
	for {
		n, err := lp.Machine().Read(lp.Now(), e.Stream, shard.buffer)
		if n == 0 || err != nil {
			break
		}
		if at := firstDifference(in.phase, in.offset, shard.buffer[:n]); at >= 0 {
			k.fail(fmt.Sprintf("the octet at offset %d of a stream is wrong", in.offset+uint64(at)))
			return
		}
		in.offset += uint64(n)
		some += uint64(n)
	}
	if some > 0 {
		k.octets.Add(some)
		k.lastAt.Store(time.Now().UnixNano())
	}
}

func (k *sink) fail(why string) { k.wrong.CompareAndSwap(nil, &why) }

// transfer has every connection carry its octets, and waits for the last.
func (m *measured) transfer(ctx context.Context, cfg config, snd *sender, rcv receivingEnd, show *live) error {
	total := cfg.data * uint64(cfg.profile.Connections)
	r0, err := rcv.sample()
	if err != nil {
		return err
	}
	s0 := take(snd.eng)
	if err := snd.begin(); err != nil {
		return err
	}
	show.begin(s0)
	r1, stalled := r0, time.Now()
	shown := stalled
	err = await(ctx, "the data", func() (bool, error) {
		now := time.Now()
		r, err := rcv.sample()
		switch err = errors.Join(err, snd.lost()); {
		case err != nil:
			return false, err
		case r.Wrong != "":
			return false, errors.New(r.Wrong)
		case r.Octets > r1.Octets:
			stalled = now
		case now.Sub(stalled) > cfg.stall:
			return false, fmt.Errorf("%s of %s octets arrived, and nothing for %v", grouped(r.Octets), grouped(total), cfg.stall)
		}
		if r1 = r; now.Sub(shown) >= liveEvery {
			shown = now
			show.say("%6.1f s   %s of %s MiB", now.Sub(s0.At).Seconds(), grouped(r.Octets>>20), grouped(total>>20))
		}
		return r.Octets >= total, nil
	})
	if ctx.Err() != nil {
		err = fmt.Errorf("interrupted when %s of %s octets had arrived", grouped(r1.Octets), grouped(total))
	}
	s1 := take(snd.eng)
	m.sender, m.receiver = s1.minus(s0), r1.minus(r0)
	m.window = max(0, r1.LastAt.Sub(s0.At))
	m.octets = r1.Octets
	if err == nil && m.octets != total {
		err = fmt.Errorf("%s octets arrived, %s more than were sent", grouped(m.octets), grouped(m.octets-total))
	}
	return err
}

// dataFigures computes what is reported of the octets.
func (m measured) dataFigures(cfg config) *dataFigures {
	if cfg.data == 0 {
		return nil
	}
	d := &dataFigures{
		OctetsPerConnection: cfg.data, Octets: m.octets, Packets: m.sender.Prepares, Seconds: rounded(m.window.Seconds(), 4),
		Intact: m.failure == nil && m.octets == cfg.data*uint64(cfg.profile.Connections),
	}
	if m.window > 0 {
		d.OctetsPerSecond = rounded(float64(d.Octets)/m.window.Seconds(), 0)
		d.PacketsPerSecond = rounded(float64(d.Packets)/m.window.Seconds(), 1)
	}
	if d.Octets > 0 {
		mib := float64(d.Octets) / (1 << 20)
		s, r := float64(m.sender.User+m.sender.System)/mib, float64(m.receiver.User+m.receiver.System)/mib
		d.CPU = eachEnd(s, r, 1, cfg.processes > 1)
	}
	return d
}

func (d *dataFigures) rows(p *printer) {
	p.row("data", "%s octets in %s s   %s /s   %s packets, %s /s", grouped(d.Octets), number(d.Seconds, 3),
		grouped(uint64(d.OctetsPerSecond)), grouped(d.Packets), grouped(uint64(d.PacketsPerSecond+0.5)))
	p.row("CPU per MiB", "%s   (%s%s a connection)", nanos(d.CPU.Total), d.CPU.ends(nanos), grouped(d.OctetsPerConnection))
}
