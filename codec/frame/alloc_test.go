package frame

import (
	"testing"

	"github.com/millrace-ilp/millrace/codec/ilp"
)

var sink uint64

// appendRequest is the packet of nearly every Prepare: one StreamMoney.
func appendRequest(dst []byte) []byte {
	dst, countAt := AppendHeader(dst, ilp.TypePrepare, 123456, 990)
	dst = StreamMoney{StreamID: 1, Shares: 1}.Append(dst)
	SetCount(dst, countAt, 1)
	return dst
}

// appendReply is the packet of nearly every Fulfill: the stream's new limits.
func appendReply(dst []byte) []byte {
	dst, countAt := AppendHeader(dst, ilp.TypeFulfill, 123456, 1000)
	dst = StreamMaxMoney{StreamID: 1, ReceiveMax: 1<<64 - 1, TotalReceived: 123456789}.Append(dst)
	dst = StreamMaxData{StreamID: 1, MaxOffset: 16384}.Append(dst)
	SetCount(dst, countAt, 2)
	return dst
}

func walk(p Packet) {
	for it := p.Frames(); it.Next(); {
		switch it.Type() {
		case TypeStreamMoney:
			f, _ := ParseStreamMoney(it.Body())
			sink += f.Shares
		case TypeStreamMaxMoney:
			f, _ := ParseStreamMaxMoney(it.Body())
			sink += uint64(f.TotalReceived)
		case TypeStreamMaxData:
			f, _ := ParseStreamMaxData(it.Body())
			sink += f.MaxOffset
		case TypeStreamData:
			f, _ := ParseStreamData(it.Body())
			sink += uint64(len(f.Data))
		}
	}
}

func TestMoneyPathAllocatesNothing(t *testing.T) {
	buf := make([]byte, 0, 2048)
	request, reply := appendRequest(nil), appendReply(nil)
	data := make([]byte, 1000)
	for what, f := range map[string]func(){
		"read request": func() {
			p, _ := Parse(request)
			walk(p)
		},
		"read reply": func() {
			p, _ := Parse(reply)
			walk(p)
		},
		"refusal":       func() { _, _ = Parse(reply[:len(reply)-1]) },
		"write request": func() { sink += uint64(len(appendRequest(buf))) },
		"write reply":   func() { sink += uint64(len(appendReply(buf))) },
		"write data": func() {
			b := StreamData{StreamID: 1, Offset: 1 << 20, Data: data}.Append(buf)
			b = StreamClose{StreamID: 1, Code: NoError}.Append(b)
			b = StreamReceipt{StreamID: 1, Receipt: data[:58]}.Append(b)
			sink += uint64(len(b))
		},
	} {
		if n := testing.AllocsPerRun(100, f); n != 0 {
			t.Errorf("%s: %v allocations", what, n)
		}
	}
}
