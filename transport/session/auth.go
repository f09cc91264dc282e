package session

import (
	"github.com/millrace-ilp/millrace/codec/btp"
	"github.com/millrace-ilp/millrace/transport/ws"
)

// What a peer is told whose first packet is not what it should be. Clients show
// these to people, and expect the words that other implementations use.
const (
	needAuth      = "First message sent over BTP connection must be auth packet"
	needTwo       = "Auth packet must have auth and auth_token subprotocols"
	needAuthFirst = "First subprotocol must be auth"
	needOne       = "Auth packet must have one auth_token and one auth_username at most"
	// WrongToken is what a peer is told whose credentials are refused, whatever
	// is wrong with them.
	WrongToken = "invalid auth_token"
)

// NewClient begins the dialing side's session: the auth Message goes into the
// output. id is its request id; no request of the layer above may use it before the
// session is up. The credentials are sent as they are.
func NewClient(cfg *Config, now int64, id uint32, username, token string) *Session {
	s := newSession(cfg, ws.Client, now)
	s.authID = id
	s.frame(ws.Binary, btp.AppendAuth(nil, id, username, token))
	return s
}

// Advance reads what was fed until the session is past authentication, or wants
// more octets (the state is still Waiting), or has ended. Octets behind the last
// packet of the exchange are left for Rest.
func (s *Session) Advance() State {
	for s.state == Waiting {
		op, message := s.r.Next()
		switch op {
		case ws.None:
			s.ended()
			s.EndRead()
			return s.state
		case ws.Binary:
			s.framesIn++
			s.EndRead() // a ping came before it
			if s.role == ws.Server {
				s.asked(message)
			} else {
				s.answered(message)
			}
		default:
			s.control(op, message)
		}
	}
	return s.state
}

// asked reads the peer's first packet.
func (s *Session) asked(message []byte) {
	p, err := btp.Parse(message)
	if err != nil {
		s.Fail(ErrNotAuth)
		return
	}
	s.authID = p.RequestID()
	switch p.Type() {
	case btp.TypeMessage:
	case btp.TypeTransfer:
		s.Refuse(needAuth)
		return
	default: // answers are never answered
		s.Fail(ErrNotAuth)
		return
	}
	if p.Count() < 2 {
		s.Refuse(needTwo)
		return
	}
	if primary, _ := p.Primary(); string(primary.Name) != "auth" {
		s.Refuse(needAuthFirst)
		return
	}
	tokens, names := 0, 0
	for sub := range p.SubProtocols() {
		switch string(sub.Name) {
		case "auth_token":
			s.token = sub.Data
			tokens++
		case "auth_username":
			s.username = sub.Data
			names++
		}
	}
	switch {
	case tokens == 0:
		s.Refuse(needTwo)
	case tokens > 1 || names > 1: // one guess a session
		s.Refuse(needOne)
	default:
		s.state = Asked
	}
}

// Credentials is what the peer says it is, while the state is Asked. Both are
// borrowed from the octets that were fed.
func (s *Session) Credentials() (username, token []byte) { return s.username, s.token }

// Accept answers the peer's credentials with yes; the session is up.
func (s *Session) Accept() {
	if s.state != Asked {
		return
	}
	s.username, s.token = nil, nil
	s.respond(s.authID)
	s.state = Up
}

// Refuse answers them with an Error F00 that carries text, and closes without a
// code, as other implementations do.
func (s *Session) Refuse(text string) {
	if s.state != Waiting && s.state != Asked {
		return
	}
	s.username, s.token = nil, nil
	s.reject(s.authID, btp.CodeNotAccepted, btp.NameNotAccepted, text)
	s.Close(ErrRefused)
}

// answered reads what the server says to our credentials.
func (s *Session) answered(message []byte) {
	p, err := btp.Parse(message)
	if err != nil {
		s.Fail(ErrUnreadable)
		return
	}
	switch p.Type() {
	case btp.TypeMessage, btp.TypeTransfer:
		// It may try again when the session is up.
		s.reject(p.RequestID(), btp.CodeUnreachable, btp.NameUnreachable, "not authenticated yet")
	case btp.TypeResponse:
		if p.RequestID() == s.authID {
			s.state = Up
		}
	case btp.TypeError:
		if p.RequestID() == s.authID {
			f, _ := p.ErrorFields()
			s.Close(&RefusedError{
				Code: f.Code, Name: cut(f.Name, 64), Data: cut(f.Data, 256),
			})
		}
	}
}

func cut(b []byte, n int) string { return string(b[:min(len(b), n)]) }
