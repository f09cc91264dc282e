package session

import (
	"encoding/binary"

	"github.com/millrace-ilp/millrace/codec/btp"
	"github.com/millrace-ilp/millrace/transport/ws"
)

// headLen is more than the octets before an ILP packet of up to maxHeadILP octets:
// 8 of WebSocket and 18 of BTP. It is copied with two wide stores.
const (
	headLen    = 32
	maxHeadILP = 0xff00
)

// head is the octets before an ILP packet, WebSocket's and BTP's, as they were
// written last for a type of packet. Most packets of a link are as long as the one
// before them, and then only the request id is new. The zero value is for no
// length.
type head struct {
	ilp    uint16 // length of the ILP packet; at least headLen
	len    uint8  // of octets
	id     uint8  // where the request id is
	octets [headLen]byte
}

// ilp reserves a packet of type t with an ILP packet of n octets.
func (s *Session) ilp(h *head, t btp.Type, id uint32, n int) []byte {
	if s.state != Up {
		return nil
	}
	size := int(h.len) + n
	if n != int(h.ilp) || n == 0 {
		return s.otherILP(h, t, id, n)
	}
	b := s.Out.Reserve(size)
	// Past its length head runs into the ILP packet, which is still to be filled.
	*(*[headLen]byte)(b) = h.octets
	binary.BigEndian.PutUint32(b[h.id:], id)
	return b[h.len:]
}

// otherILP is ilp for another length than the last, which it notes.
func (s *Session) otherILP(h *head, t btp.Type, id uint32, n int) []byte {
	m := btp.ILPLen(n)
	at := ws.HeaderLen(m, s.role)
	b := s.Out.Reserve(at + m)
	ws.PutHeader(b, ws.Binary, m, s.role)
	packet := btp.PutILP(b[at:], t, id, n)
	if n >= headLen && n <= maxHeadILP {
		h.ilp, h.len, h.id = uint16(n), uint8(len(b)-n), uint8(at+1)
		copy(h.octets[:], b[:h.len])
	}
	return packet
}
