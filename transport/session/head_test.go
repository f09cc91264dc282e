package session

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/millrace-ilp/millrace/codec/btp"
	"github.com/millrace-ilp/millrace/transport/ws"
)

// Whatever was written before, a packet's octets are those that ws and btp write.
func TestAPacketsHeadDoesNotDependOnThePacketsBeforeIt(t *testing.T) {
	server, _ := upServer(t, Config{})
	client, _ := upClient(t, Config{})
	rng := rand.New(rand.NewPCG(1, 2))
	lengths := []int{0, 1, 2, headLen - 1, headLen, headLen + 1, 109, 110, 111, 118, 119, 120, 127, 128, 246, 247, 255, 256, 300, maxHeadILP, maxHeadILP + 1, 65_400, 65_600}
	for _, s := range []*Session{server, client} {
		for _, c := range s.Out.Take(nil) {
			c.Release()
		}
		n := 0
		for id := range uint32(3000) {
			if rng.IntN(3) > 0 {
				n = lengths[rng.IntN(len(lengths))]
			}
			typ, place := btp.TypeMessage, s.Request
			if rng.IntN(2) > 0 {
				typ, place = btp.TypeResponse, s.Reply
			}
			id *= 0x01_02_03
			p := place(id, n)
			if len(p) != n || cap(p) != n {
				t.Fatalf("place of %d octets, room for %d, is not %d", len(p), cap(p), n)
			}
			clear(p)
			m := make([]byte, btp.ILPLen(n))
			clear(btp.PutILP(m, typ, id, n))
			want := ws.AppendFrame(nil, ws.Binary, m, s.Role())
			chunks := s.Out.Take(nil)
			if len(chunks) != 1 || !bytes.Equal(chunks[0].B, want) {
				t.Fatalf("role %d, %v %d of %d octets: the frame is not what ws and btp write", s.Role(), typ, id, n)
			}
			chunks[0].Release()
		}
	}
}
