// Package ws is RFC 6455 framing without I/O: octets go in and messages come
// out, or the other way round. The opening handshake is not here; both sides
// begin after it.
//
// # Reading
//
// A Reader parses in place. Feed it the octets of one read and call Next until
// it answers None:
//
//	r.Feed(octets)
//	for {
//		op, payload := r.Next()
//		switch op {
//		case ws.Binary: // payload is a piece of octets, unmasked where it lay
//		case ws.None:   // spent, or r.Err() != nil
//			return r.Err()
//		}
//	}
//
// Nothing is copied but a frame that is split over two reads: its first octets
// wait in a pooled buffer, the missing ones are copied behind them, and parsing
// goes on in place. A Reader that waits for a whole frame holds no buffer.
//
// It is strict, as what it guards is money: reserved bits, reserved opcodes,
// frames masked the wrong way, lengths that are not minimal, and control frames
// that are long or fragmented end the link with 1002; text with 1003, for BTP is
// binary only; a message over the limit or in too many fragments with 1009, before
// any memory is reserved for it; a close reason that is not UTF-8 with 1007.
// Extensions are never negotiated.
//
// # Writing
//
// PutHeader writes a header of exactly the size HeaderLen says, so that the
// payload can be built in place behind it. The client's masking comes last, when
// the octets leave: MaskFrames walks the headers in a buffer of whole frames and
// gives each frame a fresh key.
//
// Neither direction allocates once its buffers are there.
package ws
