package stream

import "github.com/millrace-ilp/millrace/aesni"

// Both directions of a connection have one key, and each counts its own packets. So what
// we have sealed is authentic when a connector sends it back to us: a packet of ours in
// place of one of the peer's, and our reply to the peer's packet in place of its reply to
// ours of the same sequence. Only the IV tells them apart, and its source knows it
// (aesni.IVSource). Neither changes anything.

// serverEnd is the end of a connection that others open.
const serverEnd = 0

// end is which end of the connection we are: 1 for who opened it.
func (c *conn) end() uint32 { return uint32(c.flags & flagClient) }

const _ = uint(1 - flagClient) // or end says nothing

// own says whether what came in was sealed here, at that end of its connection. The other
// one may be ours as well: a machine can pay itself.
func (m *Machine) own(end uint32, op *aesni.Op) bool {
	return uint32(op.SealedBy) == end && !m.plant.ownTaken()
}
