package oer

import "testing"

var sink uint64

func BenchmarkAppendVarUint(b *testing.B) {
	buf := make([]byte, 0, 16)
	b.ReportAllocs()
	for b.Loop() {
		buf = AppendVarUint(buf[:0], 1<<40)
	}
	b.SetBytes(int64(len(buf)))
}

func BenchmarkVarUint(b *testing.B) {
	buf := append(AppendVarUint(nil, 1<<40), make([]byte, 8)...)
	b.ReportAllocs()
	for b.Loop() {
		v, _, _ := VarUint(buf, 0)
		sink += v
	}
}

func BenchmarkVarOctets(b *testing.B) {
	buf := AppendVarOctets(nil, make([]byte, 300))
	b.ReportAllocs()
	for b.Loop() {
		v, _, _ := VarOctets(buf, 0)
		sink += uint64(len(v))
	}
}
