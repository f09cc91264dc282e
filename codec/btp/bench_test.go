package btp

import (
	"fmt"
	"testing"
)

func BenchmarkParseILP(b *testing.B) {
	for _, n := range []int{100, 180, 260} { // a length of one octet, of two, of three
		b.Run(fmt.Sprintf("B=%d", n), func(b *testing.B) {
			message := AppendMessage(nil, 7, SubProtocol{Name: []byte("ilp"), Data: make([]byte, n)})
			b.ReportAllocs()
			for b.Loop() {
				_, id, ilp, ok := ParseILP(message)
				if !ok {
					b.Fatal("refused")
				}
				sink += int(id) + len(ilp)
			}
			b.SetBytes(int64(len(message)))
		})
	}
}

func BenchmarkParse(b *testing.B) {
	message := AppendMessage(nil, 7, SubProtocol{Name: []byte("ilp"), Data: make([]byte, 180)})
	b.ReportAllocs()
	for b.Loop() {
		p, err := Parse(message)
		if err != nil {
			b.Fatal(err)
		}
		ilp, _ := p.ILP()
		sink += len(ilp)
	}
	b.SetBytes(int64(len(message)))
}

func BenchmarkPutILP(b *testing.B) {
	buf := make([]byte, ILPLen(180))
	b.ReportAllocs()
	for b.Loop() {
		sink += len(PutILP(buf, TypeMessage, 7, 180))
	}
	b.SetBytes(int64(len(buf)))
}
