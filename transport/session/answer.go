package session

import (
	"github.com/millrace-ilp/millrace/codec/btp"
	"github.com/millrace-ilp/millrace/codec/ilp"
	"github.com/millrace-ilp/millrace/transport/ws"
)

const noSettlement = "this link settles nothing: transfers are not accepted"

// frame puts one frame into the output.
func (s *Session) frame(op ws.Op, payload []byte) {
	h := ws.HeaderLen(len(payload), s.role)
	b := s.Out.Reserve(h + len(payload))
	ws.PutHeader(b, op, len(payload), s.role)
	copy(b[h:], payload)
}

// respond answers a request with a Response that says nothing.
func (s *Session) respond(id uint32) {
	var b [16]byte
	s.frame(ws.Binary, btp.AppendResponse(b[:0], id))
}

// reject answers a request with an Error.
func (s *Session) reject(id uint32, code ilp.Code, name, data string) {
	var b [256]byte
	s.frame(ws.Binary, btp.AppendError(b[:0], id, btp.ErrorFields{
		Code: code, Name: []byte(name), TriggeredAtUnixMs: s.now / 1e6, Data: []byte(data),
	}))
}

// closeFrame puts a close frame into the output.
func (s *Session) closeFrame(code uint16, reason string) {
	var b [ws.MaxControl]byte
	s.frame(ws.Close, ws.AppendCloseBody(b[:0], code, reason))
}

// control deals with a whole control frame.
func (s *Session) control(op ws.Op, payload []byte) {
	s.framesIn++
	if op == ws.Close {
		s.peerClosed(payload)
		return
	}
	if s.deaf {
		return
	}
	if s.now-s.ctrlFrom >= second {
		s.ctrlFrom, s.ctrl = s.now, 0
	}
	if s.ctrl++; s.ctrl > s.maxControl {
		s.Fail(ErrControlFlood)
		return
	}
	if op == ws.Ping {
		s.pong = payload
	}
}

// peerClosed answers the peer's close frame with its own code, once, unless it is
// itself the answer to ours (RFC 6455 §5.5.1).
func (s *Session) peerClosed(payload []byte) {
	code, reason, _ := ws.ParseClose(payload) // the reader has checked it
	if s.state < Closing {
		s.err = &CloseError{Code: code, Reason: string(reason)}
		s.closeFrame(code, "")
	}
	s.state = Closed
}

// ended looks why the reader has nothing more.
func (s *Session) ended() {
	if err := s.r.Err(); err != nil {
		s.Fail(err)
	}
}
