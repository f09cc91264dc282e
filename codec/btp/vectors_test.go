package btp

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"github.com/millrace-ilp/millrace/internal/vectors"
)

// differences are the vectors of btp-packet that Millrace does not follow.
var differences = vectors.Differences{
	"decode/sub-protocol count of seven bytes": "the reader of counts stops at six octets there; a leading zero is tolerated here up to eight, and the count is 0",
	"decode/error without fraction":            "a GeneralizedTime has no trailing zeros (IL-RFC 0023, Error), so this is the date it means; only three digits are read there",
	"decode/error with one-digit fraction":     "a GeneralizedTime has no trailing zeros (IL-RFC 0023, Error), so this is the date it means; only three digits are read there",
}

func TestVectorsOfOtherImplementations(t *testing.T) {
	v := vectors.Load[vectors.BTP](t, "btp.json")
	check := differences.Check(t)
	for _, e := range v.Encode {
		p, err := Parse(e.Hex)
		difference := packetDiffers(p, e.Packet)
		if err != nil {
			difference = err.Error()
		} else if got := appendPacket(p); difference == "" && !bytes.Equal(got, e.Hex) {
			difference = fmt.Sprintf("written as %x", got)
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

func packetDiffers(p Packet, want vectors.BTPPacket) string {
	d := want.Data
	if p.Type() != Type(want.Type) || p.RequestID() != want.RequestID {
		return fmt.Sprintf("%v %d", p.Type(), p.RequestID())
	}
	if p.Amount() != uint64(d.Amount) {
		return fmt.Sprintf("amount %d", p.Amount())
	}
	if f, ok := p.ErrorFields(); ok {
		triggeredAt := "Invalid Date"
		if f.TriggeredAtUnixMs != NoTime {
			triggeredAt = time.UnixMilli(f.TriggeredAtUnixMs).UTC().Format("2006-01-02T15:04:05.000Z")
		}
		if f.Code.String() != d.Code || string(f.Name) != d.Name || string(f.Data) != d.Data || triggeredAt != d.TriggeredAt {
			return fmt.Sprintf("error %v %q %s %q", f.Code, f.Name, triggeredAt, f.Data)
		}
	}
	if p.Count() != len(d.ProtocolData) {
		return fmt.Sprintf("%d sub-protocols", p.Count())
	}
	i := 0
	for s := range p.SubProtocols() {
		w := d.ProtocolData[i]
		if string(s.Name) != w.ProtocolName || s.ContentType != w.ContentType || !w.Data.Equal(s.Data) {
			return fmt.Sprintf("sub-protocol %d: %q %d %x", i, s.Name, s.ContentType, s.Data)
		}
		i++
	}
	return ""
}

// appendPacket writes again what was parsed.
func appendPacket(p Packet) []byte {
	var subs []SubProtocol
	for s := range p.SubProtocols() {
		subs = append(subs, s)
	}
	switch p.Type() {
	case TypeMessage:
		return AppendMessage(nil, p.RequestID(), subs...)
	case TypeResponse:
		return AppendResponse(nil, p.RequestID(), subs...)
	case TypeTransfer:
		return AppendTransfer(nil, p.RequestID(), p.Amount(), subs...)
	default:
		f, _ := p.ErrorFields()
		return AppendError(nil, p.RequestID(), f, subs...)
	}
}
