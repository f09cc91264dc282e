package sim

import (
	"math/rand/v2"
	"strings"
)

// Fault is one way in which a world goes wrong.
type Fault uint8

// The faults. Those of sockets hit everything on them; those of connectors hit
// one packet, chosen at random.
const (
	Cut              Fault = iota // a socket is cut; everything on it is lost
	BlackHole                     // a socket swallows what is written
	Stall                         // a socket delivers nothing for a while, then everything
	Drop                          // a connector never passes a packet on
	Late                          // an answer is passed on much later
	Reorder                       // a packet is overtaken
	Replay                        // a prepare is passed on twice
	AnswerTwice                   // an answer is passed on twice
	CorruptData                   // one bit of the data
	CorruptCondition              // one bit of the condition
	CorruptAmount                 // a connector that takes more than its rate
	CorruptAddress                // one character of the destination
	Garble                        // the packet is not ILP any more
	StripReply                    // an answer loses its data
	ReplaceReply                  // an answer gets random data
	SwapReply                     // an answer gets the data of another
	RetypeReply                   // a receiver's reject comes with the data of a fulfill, or the reverse
	WrongPreimage                 // a fulfill with a wrong fulfillment
	RejectFulfilled               // reject, though fulfilled downstream
	FailLink                      // the link says that the request failed
	SayR00
	SayR01
	SayR02
	SayF02
	SayF08
	SayF08Numbers
	SayF99
	SayT00
	SayT01
	SayT02
	SayT03
	SayT04
	SayT05
	SayOther   // any other code, known or not
	RateStep   // the rate changes at once
	RateDrift  // the rate changes a little, often
	Liquidity  // the connector's balance runs out, and refills
	MaxPacket  // the maximum packet amount changes
	ExpiryCut  // a prepare is left almost no time
	ExpiryFar  // a prepare's expiry is pushed out
	ClockJump  // a node's clock jumps
	SlowDecide // the application decides late
	Decline    // the application declines
	SlowCommit // the ledger's disk is slow
	NoRoom     // the link's output has no room
	LateNotice // the loss of a socket is noticed late

	Trickle        // a socket delivers one message at a time, slowly
	ReconnectStorm // a socket is cut and made again many times in a row
	Crash          // a node's process ends, and starts again with its disk
	SyncFails      // the disk fails to sync: the process must end
	WriteLost      // the power fails: sectors that were not synced are lost
	Torn           // the power fails in the midst of a write
	NewAddress     // a client's address changes
	FalseAddress   // a client is told an address that is not its own

	Reflect // a connector sends a prepare back to where it came from, as if it were the peer's
	faultCount
)

var faultNames = [faultCount]string{
	"cut", "black-hole", "stall", "drop", "late", "reorder", "replay", "answer-twice", "corrupt-data", "corrupt-condition",
	"corrupt-amount", "corrupt-address", "garble", "strip-reply", "replace-reply", "swap-reply", "retype-reply", "wrong-preimage",
	"reject-fulfilled", "fail-link", "R00", "R01", "R02", "F02", "F08", "F08-numbers", "F99", "T00", "T01", "T02", "T03", "T04", "T05", "other-code",
	"rate-step", "rate-drift", "liquidity", "max-packet", "expiry-cut", "expiry-far", "clock-jump", "slow-decide", "decline",
	"slow-commit", "no-room", "late-notice", "trickle", "reconnect-storm", "crash", "sync-fails", "write-lost", "torn", "new-address",
	"false-address", "reflect",
}

// String is the fault's name.
func (f Fault) String() string { return faultNames[f] }

// Faults is a set of faults.
type Faults uint64

// AllFaults is every fault there is.
const AllFaults Faults = 1<<faultCount - 1

// Has says whether the set has the fault.
func (s Faults) Has(f Fault) bool { return s>>f&1 != 0 }

// String lists the names.
func (s Faults) String() string {
	var names []string
	for f := range faultCount {
		if s.Has(f) {
			names = append(names, f.String())
		}
	}
	return strings.Join(names, ",")
}

// hostile are the faults that no honest connector has, however bad its links.
const hostile Faults = 1<<CorruptData | 1<<CorruptCondition | 1<<CorruptAmount | 1<<CorruptAddress | 1<<Garble | 1<<StripReply | 1<<ReplaceReply |
	1<<SwapReply | 1<<RetypeReply | 1<<WrongPreimage | 1<<RejectFulfilled | 1<<ExpiryFar | 1<<Replay | 1<<AnswerTwice | 1<<FalseAddress | 1<<Reflect

// swarm is what one seed turns on, and how strong.
type swarm struct {
	on       Faults
	strength [faultCount]uint32 // parts per million of the chances that there are
	r        *rand.Rand
	count    *[faultCount]uint64
	healed   bool
}

// newSwarm draws the faults of a seed. Each is on with the same chance, which
// is itself drawn, so that there are calm seeds, wild ones, and ones with a
// single fault. Those that hit packets share a budget, so that something still
// gets through when many are on.
func newSwarm(seed uint64, mask Faults, count *[faultCount]uint64) *swarm {
	s := &swarm{r: fork(seed, "faults"), count: count}
	choice := fork(seed, "swarm")
	chance := []int{0, 5, 15, 30, 60}[choice.IntN(5)]
	single := Fault(choice.IntN(int(dealt)))
	budget := logUniform(choice, 80_000, 800_000)
	var shares [faultCount]uint64
	var total uint64
	for f := range dealt {
		on := choice.IntN(100) < chance
		shares[f] = logUniform(choice, 1000, 300_000)
		if chance == 0 {
			on = f == single
		}
		if on {
			s.on |= 1 << f
			if !byItself.Has(f) {
				total += shares[f]
			}
		}
	}
	for f := dealt; f < faultCount; f++ {
		own := fork(seed, f.String())
		if shares[f] = logUniform(own, 1000, 300_000); own.IntN(100) < max(chance, 2) {
			s.on |= 1 << f
		}
	}
	for f := range faultCount {
		level := shares[f]
		if !byItself.Has(f) && total > 0 {
			level = max(1, shares[f]*budget/total)
		}
		if rare.Has(f) {
			level = 300_000 + level
		}
		s.strength[f] = uint32(max(level, 1000))
	}
	s.on &= mask // after all draws: a narrower mask changes nothing else
	return s
}

// rare are the faults with few chances.
const rare Faults = 1<<SlowDecide | 1<<Decline | 1<<SlowCommit | 1<<LateNotice | 1<<FalseAddress

// byItself are the faults that come with time, or whose chances are rare.
const byItself Faults = 1<<Cut | 1<<BlackHole | 1<<RateStep | 1<<RateDrift | 1<<Liquidity | 1<<MaxPacket | 1<<ClockJump | 1<<SlowDecide | 1<<Decline |
	1<<SlowCommit | 1<<LateNotice | 1<<FalseAddress | 1<<Reflect

// dealt is how many faults are drawn together. Each later one is drawn by itself, so that a
// seed that found something is the same world still without it.
const dealt = Reflect

// hits says whether a fault happens at this chance, and counts it.
func (s *swarm) hits(f Fault) bool {
	if s.healed || s.on>>f&1 == 0 || s.r.Uint32N(1_000_000) >= s.strength[f] {
		return false
	}
	s.count[f]++
	return true
}

// active says whether a fault may happen at all now.
func (s *swarm) active(f Fault) bool { return !s.healed && s.on.Has(f) }
