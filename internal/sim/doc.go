// Package sim is a deterministic simulation of whole Interledger paths, made to
// find money that is lost or invented. Its end points are production machines
// (package stream), driven through their exported API by one goroutine on a
// virtual clock; between them stand model connectors that may be honest, lossy
// or hostile.
//
// A run is a function of one 64-bit seed. Every part of the world draws from a
// generator of its own, forked from the seed by the part's name, so that a new
// draw in one part does not shift the others. The hash of all events is the
// run's fingerprint: the same seed gives the same hash.
//
// Each seed turns a random subset of the [Fault]s on, with random strength
// (swarm testing). A run has two phases: safety, with faults; then they are
// healed and everything must come to rest within a bounded virtual time.
//
// A node's process may end at any instant between two things that its owner does,
// and starts again with nothing but its server secret and what its ledger's disk
// holds: records that were synced, and of the others what the power failure has
// left. A machine keeps its totals, receive maxima and replay floors in memory
// only, so a receiver that comes back has forgotten them, and the checks that lean
// on them hold within one process: see the comment in amnesia.go for each. What
// must hold across all processes is that nothing was paid, and nothing fulfilled,
// whose credit is not on the disk.
//
// The oracle is fed only by what crosses the links, decrypts it with the
// standard library, and keeps double-entry books of its own. What it checks has
// a name, listed in [Checks]; a breach ends the run with a [Violation].
package sim
