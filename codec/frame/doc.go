// Package frame reads and writes the STREAM packet (IL-RFC 0029, "STREAM
// Packets") and the frames in it. It sees plaintext only: the octets of a packet
// before it is sealed and after it was opened.
//
//	version 1 · ILP packet type · sequence · prepare amount · frame count · frames · padding
//
// A frame is a type octet and a variable-length octet string, its body. There is
// a struct for each type, in a file of its own, with the same verbs everywhere:
//
//	f.Len()                   octets of the whole frame
//	f.Append(dst)             append it
//	ParseStreamMoney(body)    read its body
//
// # Reading
//
// Parse checks a packet once: its header and the body of every frame of a known
// type. Whoever walks it afterwards can ignore errors, for there are none:
//
//	p, err := frame.Parse(plaintext)
//	…
//	for it := p.Frames(); it.Next(); {
//		switch it.Type() {
//		case frame.TypeStreamMoney:
//			f, _ := frame.ParseStreamMoney(it.Body())
//			…
//		}
//	}
//
// Frames of unknown types are walked over by their length, as are octets behind
// the last field of a known frame and behind the last frame (padding): all three
// are how the protocol grows. A body that is too short makes the whole packet
// unreadable. Stream ids, error codes, addresses and text are handed over as they
// are; what they may be is for the protocol to decide, not for its encoding.
//
// # Writing
//
// AppendHeader leaves the frame count open, the frames follow, and SetCount fills
// it in:
//
//	b, countAt := frame.AppendHeader(b, ilp.TypePrepare, sequence, minimum)
//	b = frame.StreamMoney{StreamID: 1, Shares: 1}.Append(b)
//	frame.SetCount(b, countAt, 1)
package frame
