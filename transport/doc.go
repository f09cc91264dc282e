// Package transport carries ILP packets over BTP 2.0 links on event loops.
//
// A [Loop] is one goroutine that owns its links: everything that happens to them
// happens there, without a lock, and is told to the loop's [Handler] in vectors. A
// [Listener] and a [Dialer] do what takes long (accepting, the WebSocket
// handshake, authentication) on goroutines of their own, and hand the finished
// socket to a loop. What the handler writes to a link gathers in the link's
// output and leaves with one system call when the wake-up ends.
//
// Two backends drive the same loops: [GNet], epoll or kqueue through
// github.com/panjf2000/gnet/v2, and [StdNet], goroutines over package net, for
// platforms without the first and to compare it with.
//
// # Memory and back-pressure
//
// A peer that does not read makes its link's output grow. Past the high-water mark
// Link.Room is not positive and the handler should refuse new work; at the hard
// cap, or when nothing has left for a while, the link is closed. A peer that sends
// faster than the handler works is slowed down by TCP alone, so that what is in
// flight has to be bounded above.
//
// # What is where
//
//	handler.go   what the layer above implements
//	loop.go      the loop: life, wake-ups, timers      run.go    one wake-up
//	link.go      the link                              flush.go  its output, on its way out
//	down.go      its end                               panic.go  what a panicking handler costs
//	gnet.go      a backend                             stdnet.go the other
//	listen.go    the accepting side                    dial.go   the dialing side
//	handshake.go both sides until the session is up
package transport
