package frame

import "testing"

func BenchmarkParseRequest(b *testing.B) {
	request := append(appendRequest(nil), make([]byte, 4)...)
	b.ReportAllocs()
	for b.Loop() {
		p, err := Parse(request)
		if err != nil {
			b.Fatal(err)
		}
		walk(p)
	}
}

func BenchmarkParseReply(b *testing.B) {
	reply := appendReply(nil)
	b.ReportAllocs()
	for b.Loop() {
		p, err := Parse(reply)
		if err != nil {
			b.Fatal(err)
		}
		walk(p)
	}
}

func BenchmarkAppendRequest(b *testing.B) {
	buf := make([]byte, 0, 256)
	b.ReportAllocs()
	for b.Loop() {
		buf = appendRequest(buf[:0])
	}
}

func BenchmarkAppendReply(b *testing.B) {
	buf := make([]byte, 0, 256)
	b.ReportAllocs()
	for b.Loop() {
		buf = appendReply(buf[:0])
	}
}
