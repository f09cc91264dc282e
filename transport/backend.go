package transport

import (
	"net"

	"github.com/millrace-ilp/millrace/pool"
)

// driver is a backend's side of one loop.
type driver interface {
	// enroll hands the driver a socket, which it owns from then on, also when it
	// fails. When it returns nil, Loop.opened has run on the loop. Not to be
	// called on the loop.
	enroll(l *Link, conn net.Conn) error
	// wake makes the loop call Loop.woken soon, once it has served what its sockets have
	// at hand. Any goroutine.
	wake()
	// stop ends the loop; no link is left. Nothing of the driver is called after.
	// Not to be called on the loop.
	stop()
}

// socket is a backend's side of one link. Its methods are called on the loop, and
// not at all after the socket has closed: Link.sock is nil then.
type socket interface {
	// write hands over chunks, in order, and with them their ownership. A
	// failure is told by Loop.lost, possibly before write returns.
	write(chunks []*pool.Buf)
	// pending is how many octets were handed over and have not reached the
	// kernel. A backend that learns when it becomes zero posts wakeTick.
	pending() int
	// close closes the socket at once. It returns the chunks of which no octet
	// was given to the kernel, as far as is known; the caller owns them.
	close() []*pool.Buf
}
