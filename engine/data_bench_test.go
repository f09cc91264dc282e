package engine

import (
	"testing"

	"github.com/millrace-ilp/millrace/engine/stream"
)

// BenchmarkData carries octets over one stream of one connection between two
// engines over a socket: blocking Write in blocks of 64 KiB, as the JavaScript
// figure's, or longer ones, and blocking Read. For a gibibyte, as BENCHMARKS.md has it:
// -benchtime 16x.
func BenchmarkData(b *testing.B) {
	const octets = 64 << 20
	for _, block := range []struct {
		name string
		n    int
	}{{"64KiB", 64 << 10}, {"256KiB", 256 << 10}} {
		b.Run("block="+block.name, func(b *testing.B) {
			ctx, out, in := dataPair(b, Config{Loops: 1}, stream.Options{}, stream.Options{})
			b.SetBytes(octets)
			b.ReportAllocs()
			for b.Loop() {
				carry(ctx, b, out, in, octets, block.n)
			}
		})
	}
}
