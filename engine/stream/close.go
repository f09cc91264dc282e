package stream

import (
	"bytes"

	"github.com/millrace-ilp/millrace/codec/frame"
)

// closeWait is how long we wait for the answer to a ConnectionClose.
const closeWait = 3e9

// maxCloseWords bounds the message of a ConnectionClose frame of ours.
const maxCloseWords = 1024

// CloseConn ends a connection: its streams end first, then ConnectionClose
// goes out. EventClosed follows.
func (m *Machine) CloseConn(now Instant, h ConnHandle) error {
	i, _, err := m.open(h)
	if err != nil {
		return err
	}
	m.now = now
	m.beginEnd(i, frame.NoError, nil)
	m.buryDead()
	return nil
}

// DestroyConn ends a connection at once and tells the peer why. What is in
// flight stays accounted until it is answered or expires.
func (m *Machine) DestroyConn(now Instant, h ConnHandle, code frame.ErrorCode, message string) error {
	i, c, ok := m.connOf(h)
	if !ok {
		return ErrGone
	}
	if c.flags.has(flagClosed) {
		return ErrClosed
	}
	m.now = now
	m.failConn(i, c, code, message)
	m.buryDead()
	return nil
}

// beginEnd begins the graceful end of a connection.
func (m *Machine) beginEnd(i uint32, code frame.ErrorCode, message []byte) {
	c := m.conns.At(i)
	if c.flags.has(flagClosed | flagEnding) {
		return
	}
	c.flags |= flagEnding
	c.flags &^= flagProbing
	m.sayWhy(c, code, message)
	for k := c.firstStream; k != 0; k = m.streams.At(k).next {
		if s := m.streams.At(k); !s.flags.has(streamClosed) {
			m.endStream(s, c)
		}
	}
	m.stepStreams(i, c)
	m.stepClose(i, c)
	m.wakeConn(i, c)
}

// stepClose sends ConnectionClose once everything else is done. Nothing may
// follow it: the peer might take it for a new connection.
func (m *Machine) stepClose(i uint32, c *conn) {
	if !c.flags.has(flagEnding) || c.flags.has(flagClosed|flagCloseDue|flagCloseSent) || c.flight.packets > 0 || c.openStreams > 0 {
		return
	}
	if c.flags.has(flagDirtyStreams) && c.flags.has(flagPeerAddress) && m.streamsDue(c) {
		return
	}
	m.closeDue(i, c)
}

func (m *Machine) closeDue(i uint32, c *conn) {
	if !c.flags.has(flagHeard) && !c.flags.has(flagPeerAddress) || c.flags.has(flagClient) && !c.flags.has(flagHeard) && c.nextSequence == 1 {
		// The peer has never heard of it.
		m.endAsSaid(i, c)
		return
	}
	c.flags |= flagCloseDue
	m.ownCold(c).closeAfter = m.now + closeWait
	m.armConn(i, c)
}

// failConn ends a connection because of an error. The application hears of it
// once the peer has, or after closeWait.
func (m *Machine) failConn(i uint32, c *conn, code frame.ErrorCode, message string) {
	if c.flags.has(flagClosed | flagCloseDue | flagCloseSent) {
		return
	}
	c.flags |= flagEnding
	c.flags &^= flagProbing | flagDirtyStreams
	m.sayWhy(c, code, []byte(cut(message, maxCloseWords)))
	for k := c.firstStream; k != 0; k = m.streams.At(k).next {
		s := m.streams.At(k)
		m.ownColdStream(s).code = code
		s.flags &^= streamCloseDue
		m.streamOver(k, s, c)
	}
	m.closeDue(i, c)
	m.wakeConn(i, c)
}

// remoteClose takes a ConnectionClose of the peer's.
func (m *Machine) remoteClose(i uint32, c *conn, f frame.ConnectionClose) {
	if c.flags.has(flagClosed) {
		return
	}
	c.flags |= flagRemoteClosed
	m.endConn(i, f.Code, bytes.Clone(f.Message), true)
}

// sayWhy keeps what a connection ends with.
func (m *Machine) sayWhy(c *conn, code frame.ErrorCode, message []byte) {
	cold := m.ownCold(c)
	cold.closeCode, cold.closeMessage = code, message
}

func (m *Machine) closeFrame(c *conn) frame.ConnectionClose {
	cold := m.coldOf(c)
	return frame.ConnectionClose{Code: cold.closeCode, Message: cold.closeMessage}
}

// endAsSaid is endConn with what was said before.
func (m *Machine) endAsSaid(i uint32, c *conn) {
	cold := m.coldOf(c)
	m.endConn(i, cold.closeCode, cold.closeMessage, false)
}

// endConn is the end: from here on the connection's token leads nowhere. Its
// keys go when the vector is done.
func (m *Machine) endConn(i uint32, code frame.ErrorCode, message []byte, remote bool) {
	c := m.conns.At(i)
	if c.flags.has(flagClosed) {
		return
	}
	for k := c.firstStream; k != 0; k = m.streams.At(k).next {
		s := m.streams.At(k)
		if !s.flags.has(streamClosed) {
			m.ownColdStream(s).code = code
			if remote {
				s.flags |= streamRemoteClosed
			}
			m.streamOver(k, s, c)
		}
		s.flags &^= streamCloseDue
	}
	c.flags = c.flags&^(flagCloseDue|flagCloseSent|flagProbing|flagReady|flagDirtyStreams) | flagClosed
	m.settleIfLast(c)
	m.sayWhy(c, code, message)
	m.events.push(Event{Kind: EventClosed, Code: code, Remote: remote, Conn: m.connHandle(c), User: c.user})
	m.dead = append(m.dead, i)
}
