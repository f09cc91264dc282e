package frame

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/millrace-ilp/millrace/codec/ilp"
	"github.com/millrace-ilp/millrace/internal/vectors"
)

// differences are the vectors of ilp-protocol-stream that Millrace does not
// follow.
var differences = vectors.Differences{
	"decode/frame count of seven bytes": "the reader of counts stops at six octets there; leading zeros are tolerated here up to eight, and the count is 0",
	"encode/256 frames":                 "read, but never written: SetCount has one octet for the count, and 255 frames are more than ever leave together",
}

func TestVectorsOfOtherImplementations(t *testing.T) {
	v := vectors.Load[vectors.StreamPackets](t, "stream_packets.json")
	check := differences.Check(t)
	for _, e := range v.Encode {
		p, err := Parse(e.Hex)
		difference := ""
		if err != nil {
			difference = err.Error()
		} else if difference = packetDiffers(p, e.Packet); difference == "" {
			difference = written(e.Packet, e.Hex)
		}
		if len(e.Hex)+Overhead != e.ByteLengthWithEnvelope {
			difference = "length with envelope"
		}
		check.Case("encode/"+e.Name, difference)
	}
	for _, e := range v.Decode {
		p, err := Parse(e.Hex)
		difference := ""
		if (err == nil) != e.Accepted {
			difference = fmt.Sprintf("error %v, accepted there: %t", err, e.Accepted)
		} else if err == nil {
			difference = packetDiffers(p, e.Packet)
		}
		check.Case("decode/"+e.Name, difference)
	}
}

// written says whether the packet, built from the fields of the vector, has its
// octets.
func written(want vectors.StreamPacket, octets []byte) string {
	if len(want.Frames) > 255 {
		return "too many frames"
	}
	b, countAt := AppendHeader(nil, ilp.PacketType(want.ILPPacketType), uint64(want.Sequence), ilp.Amount(want.PrepareAmount))
	for _, f := range want.Frames {
		b = fromVector(f).Append(b)
	}
	SetCount(b, countAt, len(want.Frames))
	if !bytes.Equal(b, octets) {
		return fmt.Sprintf("written as %x", b)
	}
	return ""
}

// packetDiffers compares the frames of known types only: the vectors leave out
// the others.
func packetDiffers(p Packet, want vectors.StreamPacket) string {
	if p.PacketType != ilp.PacketType(want.ILPPacketType) || p.Sequence != uint64(want.Sequence) || p.PrepareAmount != ilp.Amount(want.PrepareAmount) {
		return fmt.Sprintf("%+v", p)
	}
	i := 0
	for it := p.Frames(); it.Next(); {
		got, _, err := parseBody(it.Type(), it.Body())
		if err != nil {
			return err.Error()
		}
		if got == nil {
			continue
		}
		if i == len(want.Frames) {
			return "too many frames"
		}
		w := want.Frames[i]
		if it.Type() != Type(w.Type) || it.Type().String() != w.Name {
			return fmt.Sprintf("frame %d is %v, want %s", i, it.Type(), w.Name)
		}
		// Text that is not UTF-8 stands in the vectors as replacement characters.
		if g, f := got.Append(nil), fromVector(w).Append(nil); !bytes.Equal(g, f) && !bytes.Contains(f, []byte("\uFFFD")) {
			return fmt.Sprintf("frame %d: %x, want %x", i, g, f)
		}
		i++
	}
	if i != len(want.Frames) {
		return fmt.Sprintf("%d frames", i)
	}
	return ""
}

func fromVector(f vectors.StreamFrame) frameValue {
	id, message := uint64(f.StreamID), []byte(f.ErrorMessage)
	switch Type(f.Type) {
	case TypeConnectionClose:
		return ConnectionClose{ErrorCode(f.ErrorCode), message}
	case TypeConnectionNewAddress:
		return ConnectionNewAddress{[]byte(f.SourceAccount)}
	case TypeConnectionMaxData:
		return ConnectionMaxData{uint64(f.MaxOffset)}
	case TypeConnectionDataBlocked:
		return ConnectionDataBlocked{uint64(f.MaxOffset)}
	case TypeConnectionMaxStreamID:
		return ConnectionMaxStreamID{uint64(f.MaxStreamID)}
	case TypeConnectionStreamIDBlocked:
		return ConnectionStreamIDBlocked{uint64(f.MaxStreamID)}
	case TypeConnectionAssetDetails:
		return ConnectionAssetDetails{[]byte(f.SourceAssetCode), f.SourceAssetScale}
	case TypeStreamClose:
		return StreamClose{id, ErrorCode(f.ErrorCode), message}
	case TypeStreamMoney:
		return StreamMoney{id, uint64(f.Shares)}
	case TypeStreamMaxMoney:
		return StreamMaxMoney{id, ilp.Amount(f.ReceiveMax), ilp.Amount(f.TotalReceived)}
	case TypeStreamMoneyBlocked:
		return StreamMoneyBlocked{id, ilp.Amount(f.SendMax), ilp.Amount(f.TotalSent)}
	case TypeStreamData:
		return StreamData{id, uint64(f.Offset), f.Data}
	case TypeStreamMaxData:
		return StreamMaxData{id, uint64(f.MaxOffset)}
	case TypeStreamDataBlocked:
		return StreamDataBlocked{id, uint64(f.MaxOffset)}
	case TypeStreamReceipt:
		return StreamReceipt{id, f.Receipt}
	}
	panic("no frame of type " + f.Name)
}
