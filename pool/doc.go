// Package pool lends out octet buffers for cold paths: handshakes, dialling,
// messages that span reads, application data that waits for a decision.
//
// A [Buf] is owned by whoever holds it and must be released exactly once:
//
//	b := pool.Get(n)
//	defer b.Release()
//	copy(b.B, octets)
//
// Buffers come in four classes, 512 octets, 4 KiB, 64 KiB and 256 KiB, with a
// pool each, so that a large buffer is never kept for the sake of a small need;
// anything larger is made for the occasion. The pools may be used by many
// goroutines at once, a Buf by one.
//
// The hot path does not come here: it builds packets in place, and what it keeps
// for each connection, timer or packet in flight is in package slab.
//
// Releasing a Buf twice panics. Built with -tags debug it does so for certain,
// released octets are overwritten with 0xDB, and a buffer that was written to after
// its release panics when it is lent out again.
package pool
