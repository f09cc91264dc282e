// Package session is BTP 2.0 (IL-RFC 0023) over WebSocket frames, without I/O:
// who the peer is, what it asks, what answers itself, and whether it is still
// there. Time is handed in, octets are handed in, and what is to be written
// gathers in Session.Out.
//
// # Life of a session
//
// Begin, after the WebSocket handshake, with NewServer or NewClient. Feed octets
// and call Advance until the state is Asked (server: judge Credentials, then Accept
// or Refuse), Up, or one that ended. From Up on, Feed and Packets:
//
//	s.Feed(now, octets)
//	for {
//		if vec = s.Packets(vec[:0]); len(vec) == 0 {
//			break
//		}
//		// use the vector
//	}
//	s.EndRead()
//
// # What answers itself
//
//	Message without an ILP packet, or auth a second time    empty Response
//	Transfer                                                Error F00: there is no settlement here
//	Message before the session is up (client)               Error T00
//	unreadable packet, unknown type                         close; never answered (IL-RFC 0023)
//	Response or Error to nothing we asked                   passed up; the layer above matches ids
//	ping                                                    pong, once a read, to the last one
//
// Request ids belong to the layer above. The session matches none.
package session
