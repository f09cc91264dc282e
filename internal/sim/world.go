package sim

import (
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"strings"

	"github.com/millrace-ilp/millrace/codec/ilp"
	"github.com/millrace-ilp/millrace/engine/stream"
)

// Checks names everything that a run is held to.
var Checks = []string{
	"M1", "M2", "M3", "M4", "M5", "M6", "M7", "M8", "M9", "M10", "M11", "M12", "D1", "D2", "D3", "C1", "C2", "C3", "C4", "C5",
	"T1", "T2", "T3", "L1", "L2", "L3", "L4", "L5", "R1", "R2", "R3", "R4", "V1", "PANIC",
}

// Violation is a breach of one of the checks.
type Violation struct {
	Name   string // one of Checks
	Seed   uint64
	Event  uint64 // number of the event in which it was noticed
	Detail string
	Last   []string // the events before it
}

// Error says what happened and how to see it again.
func (v *Violation) Error() string {
	return fmt.Sprintf("%s violated at event %d of seed %d: %s", v.Name, v.Event, v.Seed, v.Detail)
}

// Config is how a world is run.
type Config struct {
	Seed   uint64
	Faults Faults // those that may be on; the zero value allows none
	// MaxSafety bounds the first phase, in virtual ns. Zero means what the seed says.
	MaxSafety int64

	prepare func(*stream.Machine) // for tests: what is done to a new machine
	mistake mistake               // for tests: of the machines' owner
}

// Result is what a run has done.
type Result struct {
	Seed      uint64
	On        Faults // those that the seed turned on
	Packets   uint64 // that end points were handed or wrote
	Events    uint64
	VirtualNs int64
	SafetyNs  int64 // length of the first phase
	Hash      uint64
	Counts    [faultCount]uint64
	Rejects   map[ilp.Code]uint64
	Frames    [32]uint64 // by frame type
	Completed int        // connections that came to rest open
	Violation *Violation
}

// World is one simulation.
type World struct {
	cfg    Config
	now    int64
	heap   eventHeap
	ord    uint64
	tie    *rand.Rand
	net    *rand.Rand
	vector int // longest vector
	faults *swarm
	count  [faultCount]uint64
	oracle *oracle

	nodes      []*node
	servers    []*node
	clients    []*node
	connectors []*connector
	sockets    []*socket
	tapes      []*tape

	amountMax uint64
	least     uint64 // an amount that arrives as thousands, once healed
	safety    int64
	phase     int
	since     int64  // when the phase began
	before    uint64 // packets until then
	done      bool
	unwinding bool // a process ends in the midst of an event
	packets   uint64
	events    uint64
	hash      uint64
	rejects   map[ilp.Code]uint64
	completed int
	awaited   int // connections that must succeed, and are not made yet
	violation *Violation
	ring      [200][4]uint64
	ringAt    int
	pool      []*message
	slab      []packet
	slabIn    []inbound
}

// Run plays the world of a seed to its end.
func Run(cfg Config) (r Result) {
	w := &World{cfg: cfg}
	defer func() {
		if x := recover(); x != nil {
			if x != stopped {
				stack := strings.Split(string(debug.Stack()), "\n")
				w.note("PANIC", fmt.Sprintf("%v\n%s", x, strings.Join(stack[:min(len(stack), 40)], "\n")))
			}
			r = w.result()
		}
	}()
	w.build()
	w.loop()
	w.replay()
	return w.result()
}

// stopped is the value of the panic that ends a run at its violation.
var stopped = new(int)

// violate ends the run.
func (w *World) violate(name, format string, args ...any) {
	w.note(name, fmt.Sprintf(format, args...))
	panic(stopped)
}

func (w *World) note(name, detail string) {
	if w.violation == nil {
		w.violation = &Violation{Name: name, Seed: w.cfg.Seed, Event: w.events, Detail: detail, Last: w.lastEvents()}
	}
}

func (w *World) result() Result {
	r := Result{
		Seed: w.cfg.Seed, Packets: w.packets, Events: w.events, VirtualNs: w.now, SafetyNs: w.safety, Hash: w.hash,
		Counts: w.count, Rejects: w.rejects, Completed: w.completed, Violation: w.violation,
	}
	if w.faults != nil {
		r.On = w.faults.on
	}
	if w.oracle != nil {
		r.Frames = w.oracle.frames
	}
	return r
}

func (w *World) schedule(at int64, kind eventKind, who int32, arg uint64, m *message) {
	w.ord++
	w.heap.push(event{at: max(at, w.now), tie: w.tie.Uint32(), ord: w.ord, kind: kind, who: who, arg: arg, m: m})
}

// schedule plans an event of the node's present process.
func (n *node) schedule(at int64, kind eventKind, arg uint64) {
	w := n.w
	w.ord++
	w.heap.push(event{at: max(at, w.now), tie: w.tie.Uint32(), ord: w.ord, kind: kind, who: int32(n.id), arg: arg, boot: n.boots})
}

// mix adds a figure to the fingerprint.
func (w *World) mix(x uint64) {
	h := (w.hash ^ x) * 0x9e3779b97f4a7c15
	w.hash = h ^ h>>32
}

func (w *World) trace(a, b, c uint64) { w.mix(a<<48 ^ b<<40 ^ c) }

// log keeps the last events for a report.
func (w *World) log(kind, a, b uint64) {
	w.ring[w.ringAt%len(w.ring)] = [4]uint64{uint64(w.now), kind, a, b}
	w.ringAt++
}

func (w *World) lastEvents() []string {
	var out []string
	for i := max(0, w.ringAt-60); i < w.ringAt; i++ {
		e := w.ring[i%len(w.ring)]
		what := ""
		switch {
		case e[1]&0xf0 == 0x10:
			what = [...]string{"", "prepare", "fulfill", "reject", "failure"}[e[1]&7] + fmt.Sprintf(" request %#x", e[3])
		case e[1]&0xff == 0x20:
			what = fmt.Sprintf("event %d amount %d", e[1]>>8, e[3])
		default:
			what = fmt.Sprintf("%#x %d", e[1], e[3])
		}
		out = append(out, fmt.Sprintf("%12.6fs node %d %s", float64(e[0])/1e9, e[2], what))
	}
	return out
}

func (w *World) rejected(c ilp.Code) { w.rejects[c]++ }

func (w *World) newPacket() *packet {
	if len(w.slab) == 0 {
		w.slab = make([]packet, 256)
	}
	p := &w.slab[0]
	w.slab = w.slab[1:]
	return p
}

func (w *World) newInbound() *inbound {
	if len(w.slabIn) == 0 {
		w.slabIn = make([]inbound, 256)
	}
	p := &w.slabIn[0]
	w.slabIn = w.slabIn[1:]
	return p
}

// maxEvents stops a world that does not come to an end.
const maxEvents = 5_000_000

// maxPackets ends the first phase of a busy world early.
const maxPackets = 30_000

// loop plays event after event.
func (w *World) loop() {
	for len(w.heap) > 0 && !w.done {
		e := w.heap.pop()
		w.now = e.at
		w.events++
		if w.events > maxEvents {
			w.violate("T3", "no end after %d events", w.events)
		}
		w.mix(uint64(e.at) ^ uint64(e.kind)<<56 ^ uint64(e.who)<<48)
		w.step(&e)
		if w.phase == phaseSafety && w.packets > maxPackets {
			w.nextPhase()
		}
	}
}

func (w *World) step(e *event) {
	defer w.survive(e)
	switch e.kind {
	case evDeliver:
		w.sockets[e.who].deliver(int(e.arg))
	case evTimer:
		w.nodes[e.who].timeout(int64(e.arg))
	case evConnect:
		if n := w.nodes[e.who]; !n.down && (e.arg == 1 || w.phase == phaseSafety) {
			n.connect(e.arg == 1)
		}
	case evApp:
		if n := w.nodes[e.who]; w.phase == phaseSafety {
			if !n.down {
				n.act()
			}
			w.appNext(n)
		}
	case evCommit:
		if n := w.nodes[e.who]; n.is(e.boot) {
			n.commit(stream.CommitSeq(e.arg))
		}
	case evDecide:
		if n := w.nodes[e.who]; n.is(e.boot) {
			n.decide(stream.HoldHandle(e.arg))
		}
	case evCrash:
		w.crashNext(w.nodes[e.who], Fault(e.arg))
	case evRestart:
		w.nodes[e.who].restart()
	case evMove:
		w.moveNext(w.nodes[e.who], Fault(e.arg), e.arg&lastMove != 0)
	case evStorm:
		w.stormNext(w.sockets[e.who], e.arg)
	case evTrickle:
		w.trickle(w.sockets[e.who], e.arg == 1)
	case evLinkLost:
		if p := w.nodes[e.who].ports[e.arg]; !p.socket.up {
			p.lost()
		}
	case evLinkUp:
		if p := w.nodes[e.who].ports[e.arg]; p.socket.up && !p.n.down {
			p.comesUp()
		}
	case evCut:
		w.cutNext(w.sockets[e.who])
	case evSocketUp:
		w.sockets[e.who].restore()
	case evBlackHole:
		w.blackHole(w.sockets[e.who], e.arg == 1)
	case evEmit:
		w.connectors[e.who].send(e.m.peer, e.m)
	case evSweep:
		w.connectors[e.who].sweep()
	case evDrift:
		w.driftNext(w.connectors[e.who])
	case evJump:
		w.jumpNext(w.nodes[e.who])
	case evPhase:
		if w.phase == phaseSafety {
			w.nextPhase()
		}
	case evProbe:
		w.probe()
	}
}

// appNext plans when a node's application does something again.
func (w *World) appNext(n *node) {
	w.schedule(w.now+between(n.r, 1e7, 6e8), evApp, int32(n.id), 0, nil)
}

// replay holds the machines whose calls are on tape to the law V1.
func (w *World) replay() {
	for i, t := range w.tapes {
		if how := t.play(fork(w.cfg.Seed, "replay")); how != "" {
			w.violate("V1", "machine %d: with other vectors %s", i, how)
		}
	}
}
