//go:build !plant

package stream

import "github.com/millrace-ilp/millrace/codec/frame"

// Here stand the places where deliberate bugs are built in under the tag plant,
// to show that the checks of internal/sim notice them. Without the tag they
// are none, and the compiler leaves nothing of them.

func (*plant) active() bool                                      { return false }
func (*plant) replayed(*bool, Sequence, Sequence)                {}
func (*plant) answerTwice(*Machine, *Entry, Output)              {}
func (*plant) required(a Amount) Amount                          { return a }
func (*plant) forged(*Machine, uint32)                           {}
func (*plant) share(*Amount, Amount, uint64, uint64)             {}
func (*plant) dropRest() bool                                    { return false }
func (*plant) anyFulfillment() bool                              { return false }
func (*plant) anySequence() bool                                 { return false }
func (*plant) unread(bool) bool                                  { return false }
func (*plant) leak() bool                                        { return false }
func (*plant) iv(*[12]byte)                                      {}
func (*plant) tentative(Amount) Amount                           { return 0 }
func (*plant) step() Sequence                                    { return 1 }
func (*plant) told(a Amount) Amount                              { return a }
func (*plant) limit(f frame.StreamMaxMoney) frame.StreamMaxMoney { return f }
func (*plant) octets(b []byte, _ bool) []byte                    { return b }
func (*plant) window(n uint64) uint64                            { return n }
func (*plant) early() bool                                       { return false }
func (*plant) expired() bool                                     { return false }
func (*plant) unvoided() bool                                    { return false }
func (*plant) unburied() bool                                    { return false }
func (*plant) event(*Amount)                                     {}
func (*plant) asleep() bool                                      { return false }
func (*plant) timer(at, _ Instant) Instant                       { return at }
func (*plant) hasty() bool                                       { return false }
func (*plant) untried() bool                                     { return false }
func (*plant) ownTaken() bool                                    { return false }
func (*plant) doubtIsFree() bool                                 { return false }
func (*plant) forgotten(*Machine, uint32, *slot) bool            { return false }
