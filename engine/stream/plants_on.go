//go:build plant

package stream

import (
	"github.com/millrace-ilp/millrace/codec/frame"
	"github.com/millrace-ilp/millrace/codec/ilp"
)

// Bug is a deliberate mistake that Plant builds into a machine, to show that
// the checks of internal/sim notice it. It exists under the build tag plant only.
type Bug uint8

// The bugs.
const (
	NoBug          Bug = iota
	LostCredit         // every hundredth credit is one unit short
	EarlyFulfill       // a fulfill leaves before its decision and its commit
	LateFulfill        // expiry is not looked at again at release
	ReplayTop          // the replay window takes the highest sequence again
	AnswerTwice        // a replayed packet is answered twice
	NoMinimum          // the receiver ignores the minimum
	ForgedCounts       // a packet that does not authenticate leaves a trace
	NarrowShares       // shares are multiplied in 64 bits
	DropRest           // what division leaves over is credited to nobody
	AnyFulfillment     // a fulfill is matched by its request id only
	AnySequence        // a reply is matched without its sequence
	OnlyReadable       // a fulfill counts only when its reply can be read
	SameIV             // every fiftieth reply is sealed under the IV before it
	SameSequence       // every fiftieth packet has the sequence of the one before
	EarlyReceipt       // receipts count what is held
	NoPromise          // prepares ask for no minimum
	LowerMaximum       // an advertised receive maximum falls
	LostOctet          // a segment ahead of a gap is stored out of place
	PastWindow         // the peer's data window is not looked at
	NoVoid             // a credit that is not fulfilled is not taken back
	NoTombstone        // a closed connection is forgotten at once
	LostEvent          // every tenth money event tells one unit too little
	NoWake             // a connection whose pause is over is not woken
	PastTimer          // the next timeout is in the past
	Leak               // every twentieth answered packet keeps its connection
	HastyClose         // a stream is closed before its octets have arrived
	LostIsFailed       // what was in flight on a lost link is spent again
	UntriedAddress     // a peer's new address is used though nobody there has answered
	SameRequests       // the ids of requests begin anew with every process
	OwnTaken           // what we have sealed ourselves is taken for the peer's
	DoubtIsFree        // of packets in doubt nothing has arrived
	bugs
)

var bugNames = [bugs]string{
	"none", "lost-credit", "early-fulfill", "late-fulfill", "replay-top", "answer-twice", "no-minimum", "forged-counts", "narrow-shares",
	"drop-rest", "any-fulfillment", "any-sequence", "only-readable", "same-iv", "same-sequence", "early-receipt", "no-promise",
	"lower-maximum", "lost-octet", "past-window", "no-void", "no-tombstone", "lost-event", "no-wake", "past-timer", "leak", "hasty-close",
	"lost-is-failed", "untried-address", "same-requests", "own-taken", "doubt-is-free",
}

// String is the bug's name.
func (b Bug) String() string { return bugNames[b] }

// Bugs lists all bugs.
func Bugs() []Bug {
	var all []Bug
	for b := NoBug + 1; b < bugs; b++ {
		all = append(all, b)
	}
	return all
}

// Plant builds a bug into the machine.
func (m *Machine) Plant(b Bug) {
	m.plant.bug = b
	if b == SameRequests {
		m.requestMask = 0
	}
}

// plant is the bug of a machine and what it needs to remember.
type plant struct {
	bug   Bug
	count uint64
	last  [12]byte
}

// active says that there is a bug.
func (p *plant) active() bool { return p.bug != NoBug }

// each says every nth time that the bug is due.
func (p *plant) each(b Bug, n uint64) bool {
	if p.bug != b {
		return false
	}
	p.count++
	return p.count%n == 0
}

func (p *plant) lostCredit(a *Amount) {
	if *a > 0 && p.each(LostCredit, 100) {
		*a--
	}
}

func (p *plant) early() bool   { return p.bug == EarlyFulfill }
func (p *plant) expired() bool { return p.bug == LateFulfill }

func (p *plant) replayed(fresh *bool, sequence, top Sequence) {
	if p.bug == ReplayTop && sequence == top {
		*fresh = true
	}
}

func (p *plant) answerTwice(m *Machine, e *Entry, out Output) {
	if p.bug == AnswerTwice {
		m.reject(e, ilp.F99, out)
	}
}

func (p *plant) required(a Amount) Amount {
	if p.bug == NoMinimum {
		return 0
	}
	return a
}

func (p *plant) forged(m *Machine, known uint32) {
	if p.bug == ForgedCounts && known != 0 && known&sleepBit == 0 {
		m.conns.At(known).delivered++
	}
}

func (p *plant) share(part *Amount, amount Amount, shares, total uint64) {
	if p.bug == NarrowShares {
		*part = Amount(uint64(amount) * shares / total)
	}
}

func (p *plant) dropRest() bool        { return p.bug == DropRest }
func (p *plant) anyFulfillment() bool  { return p.bug == AnyFulfillment }
func (p *plant) anySequence() bool     { return p.bug == AnySequence }
func (p *plant) unread(read bool) bool { return p.bug == OnlyReadable && !read }
func (p *plant) leak() bool            { return p.each(Leak, 20) }
func (p *plant) unvoided() bool        { return p.bug == NoVoid }
func (p *plant) unburied() bool        { return p.bug == NoTombstone }
func (p *plant) asleep() bool          { return p.bug == NoWake }
func (p *plant) hasty() bool           { return p.bug == HastyClose }
func (p *plant) untried() bool         { return p.bug == UntriedAddress }
func (p *plant) ownTaken() bool        { return p.bug == OwnTaken }
func (p *plant) doubtIsFree() bool     { return p.bug == DoubtIsFree }

func (p *plant) iv(iv *[12]byte) {
	if p.each(SameIV, 50) {
		*iv = p.last
	}
	p.last = *iv
}

func (p *plant) step() Sequence {
	if p.each(SameSequence, 50) {
		return 0
	}
	return 1
}

func (p *plant) tentative(held Amount) Amount {
	if p.bug == EarlyReceipt {
		return held
	}
	return 0
}

func (p *plant) told(a Amount) Amount {
	if p.bug == NoPromise {
		return 0
	}
	return a
}

func (p *plant) limit(f frame.StreamMaxMoney) frame.StreamMaxMoney {
	if p.each(LowerMaximum, 7) {
		f.ReceiveMax /= 2
	}
	return f
}

func (p *plant) octets(b []byte, ahead bool) []byte {
	if p.bug != LostOctet || !ahead || len(b) < 2 {
		return b
	}
	return append(append([]byte(nil), b[1:]...), b[0])
}

func (p *plant) window(n uint64) uint64 {
	if p.bug == PastWindow {
		return ^uint64(0)
	}
	return n
}

func (p *plant) event(a *Amount) {
	if *a > 0 && p.each(LostEvent, 10) {
		*a--
	}
}

func (p *plant) timer(at, now Instant) Instant {
	if p.bug == PastTimer {
		return min(at, now-1)
	}
	return at
}

func (p *plant) forgotten(m *Machine, i uint32, s *slot) bool {
	if p.bug != LostIsFailed {
		return false
	}
	m.refused(i, s, m.conns.At(s.conn), &work{marks: marks{code: ilp.T00}}, &frame.Packet{}, false, ilp.T00)
	return true
}
