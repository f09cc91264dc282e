package session

import (
	"math/rand/v2"
	"time"

	"github.com/millrace-ilp/millrace/codec/btp"
	"github.com/millrace-ilp/millrace/transport/ws"
)

// State is how far a session has come.
type State uint8

// The states, in order.
const (
	// Waiting: for the auth Message (server), or for the answer to it (client).
	Waiting State = iota + 1
	// Asked: the peer has shown its Credentials (server only).
	Asked
	// Up: authenticated; both sides are equal now.
	Up
	// Closing: this side's close frame is in the output and the peer's is still
	// to come.
	Closing
	// Closed: nothing more comes in and nothing more goes out than what is in the
	// output.
	Closed
)

const (
	// vectorOctets bounds a vector, so that its longest last message still leaves
	// it under 256 KiB.
	vectorOctets = 256<<10 - ws.DefaultMaxMessage
	second       = int64(time.Second)
)

// Session is one BTP session of one link. It belongs to one goroutine at a time.
type Session struct {
	// Out gathers what is to be written. A client's frames are in it unmasked:
	// see ws.MaskFrames.
	Out Output

	r     ws.Reader
	role  ws.Role
	state State
	deaf  bool // after Fail: only the peer's close frame counts
	err   error

	pingNs, deadNs int64 // Config.PingInterval and DeadTimeout
	maxControl     int

	now      int64 // of the last Feed or Tick, Unix ns
	heard    int64 // when octets came in last
	pinged   int64 // when a ping went out last
	ctrlFrom int64 // when the current second of control frames began
	ctrl     int   // control frames in it
	framesIn uint64

	request, response head // of the last ones that were written

	authID   uint32 // request id of the auth Message
	username []byte // Asked: borrowed from the octets that were fed
	token    []byte

	pong []byte // payload of the last ping of this read, borrowed; nil: there was none
}

// NewServer begins the accepting side's session. now is in Unix ns.
func NewServer(cfg *Config, now int64) *Session { return newSession(cfg, ws.Server, now) }

func newSession(cfg *Config, role ws.Role, now int64) *Session {
	full := cfg.withDefaults()
	s := &Session{
		role: role, state: Waiting, now: now, heard: now,
		pingNs: int64(full.PingInterval), deadNs: int64(full.DeadTimeout), maxControl: full.MaxControl,
	}
	s.r.Init(role, full.MaxMessage)
	return s
}

// State is how far the session has come.
func (s *Session) State() State { return s.state }

// Role says which side this is.
func (s *Session) Role() ws.Role { return s.role }

// Err is why the session ends, once it is Closing or Closed: nil when this side
// asked for it.
func (s *Session) Err() error { return s.err }

// FramesIn is how many WebSocket frames or messages came in.
func (s *Session) FramesIn() uint64 { return s.framesIn }

// Held is the octets of pooled memory that wait for the rest of a frame.
func (s *Session) Held() int { return s.r.Held() }

// Feed hands over octets of one read. They are borrowed, and changed in place,
// until EndRead or Rest is called.
func (s *Session) Feed(now int64, b []byte) {
	s.now, s.heard, s.pong = now, now, nil
	s.r.Feed(b)
}

// Rest returns octets that were fed and not looked at, and forgets them: what the
// peer sent right behind its credentials.
func (s *Session) Rest() []byte { return s.r.Rest() }

// Unread says that Packets has not looked at all that was fed.
func (s *Session) Unread() bool { return s.r.Unread() }

// Packets appends to vec, up to its capacity, the ILP packets of what was fed, and
// answers what answers itself. A vector is cut at 256 KiB. It is good until the
// next call of Packets or Feed. When nothing was appended, all that was fed is
// spent.
//
// Once the session is Closing only answers to our own requests come: the peer's
// requests could not be answered any more.
func (s *Session) Packets(vec []Packet) []Packet {
	octets := 0
	for len(vec) < cap(vec) && octets <= vectorOctets {
		op, message := s.r.Next()
		if op != ws.Binary {
			if op == ws.None {
				s.ended()
				break
			}
			s.control(op, message)
			continue
		}
		s.framesIn++
		if s.deaf {
			continue
		}
		t, id, packet, ok := btp.ParseILP(message)
		switch {
		case !ok || len(packet) == 0:
			vec = s.rare(vec, message)
		case t == btp.TypeResponse:
			vec = append(vec, Packet{Kind: Response, ID: id, ILP: packet})
		case s.state == Up:
			vec = append(vec, Packet{Kind: Request, ID: id, ILP: packet})
		}
		octets += len(message)
		if s.r.Volatile() && len(vec) > 0 {
			break // the next call overwrites a message put together from fragments
		}
	}
	return vec
}

// rare is Packets for a message that is not a Message or Response with an ILP
// packet alone.
func (s *Session) rare(vec []Packet, message []byte) []Packet {
	p, err := btp.Parse(message)
	if err != nil {
		s.Fail(ErrUnreadable)
		return vec
	}
	packet, ok := p.ILP()
	switch p.Type() {
	case btp.TypeMessage:
		switch {
		case s.state != Up:
		case ok:
			return append(vec, Packet{Kind: Request, ID: p.RequestID(), ILP: packet})
		default:
			s.respond(p.RequestID())
		}
	case btp.TypeResponse:
		if ok && len(packet) > 0 {
			return append(vec, Packet{Kind: Response, ID: p.RequestID(), ILP: packet})
		}
		return append(vec, Packet{Kind: Failure, ID: p.RequestID()})
	case btp.TypeError:
		return append(vec, Packet{Kind: Failure, ID: p.RequestID()})
	case btp.TypeTransfer:
		if s.state == Up {
			s.reject(p.RequestID(), btp.CodeNotAccepted, btp.NameNotAccepted, noSettlement)
		}
	}
	return vec
}

// EndRead finishes what the octets of one read began: it answers the last ping
// among them. Call it when Packets has returned nothing.
func (s *Session) EndRead() {
	if s.pong != nil {
		if s.state < Closing {
			s.frame(ws.Pong, s.pong)
		}
		s.pong = nil
	}
}

// Request reserves a Message with an ILP packet of n octets and returns their
// place, which stays where it is until the output is handed over; nil unless the
// session is up.
func (s *Session) Request(id uint32, n int) []byte { return s.ilp(&s.request, btp.TypeMessage, id, n) }

// Reply is Request for a Response.
func (s *Session) Reply(id uint32, n int) []byte { return s.ilp(&s.response, btp.TypeResponse, id, n) }

// FrameOverhead bounds the octets around an ILP packet in the output.
const FrameOverhead = ws.MaxHeader + 20

// Close ends the session from this side: a close frame goes out behind what is in
// the output already, and no request or reply after it. err, which may be nil,
// chooses its code.
func (s *Session) Close(err error) {
	if s.state >= Closing {
		return
	}
	s.err = err
	s.closeFrame(closeCode(err))
	s.state = Closing
}

// Fail is Close for something that the peer did, or that went wrong with it: of
// what it still sends only its close frame counts.
func (s *Session) Fail(err error) {
	s.deaf = true
	s.Close(err)
}

// Release returns the session's memory to the pool. It reads and writes nothing
// more.
func (s *Session) Release() {
	s.r.Release()
	s.Out.Release()
	s.state = Closed
}

// MaskOut masks the frames of a chunk that was taken from Out; a server's leave
// bare.
func (s *Session) MaskOut(chunk []byte, keys *rand.ChaCha8) {
	if s.role == ws.Client {
		ws.MaskFrames(chunk, keys)
	}
}
