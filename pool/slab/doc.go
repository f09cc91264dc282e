// Package slab keeps many small things in few large pieces of memory, and names them by
// index: records ([Slab], and [Records], whose memory goes back), octets of any length
// ([Octets], and [Dense] without holes), queues ([Ring], and [FIFO] for whole values), timers
// ([Wheel]), the way from a hash to an index ([Table]) and from a handle to what may move
// ([Places]). What has no pointers may live outside of the heap ([Memory], [Lender]), and the
// processor can be asked to load it before it is needed ([Slab.Prefetch]).
//
// # Why indexes
//
// An event loop that carries a million connections cannot afford a million heap
// objects for the collector to visit, nor a pause to copy a million entries
// when a table grows. Everything here but [Dense] grows in segments that
// never move, so a pointer from [Slab.At] stays good while its item lives, and
// growth costs the same at any size. When the record type has no pointers the
// collector does not look inside. Index 0 is never given out: it means none.
//
// An index says where, not who: a slot is used again. Whoever keeps a name for
// longer than a call keeps a [Handle], index and generation, and asks
// [Slab.Get], which knows a handle whose item is gone.
//
//	connections := slab.New[connection](1 << 20)
//	i, c, ok := connections.Alloc() // c is zeroed
//	h := connections.Handle(i)
//	...
//	if c, ok := connections.Get(h); ok { ... }
//	connections.Free(i)
//
// # Rules
//
// Nothing here is safe for concurrent use, knows the time, or keeps a global:
// the same calls give the same results. What a peer can make grow has a limit,
// past which Alloc, Push and Put say no.
//
// Misuse panics with "slab: " and the reason. A double free is always caught, as
// it would give one slot to two owners. Built with -tags debug, [Slab.At] and
// [Slab.Must] also check that the item lives.
package slab
