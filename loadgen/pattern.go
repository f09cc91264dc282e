package main

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"sync"
)

const (
	// patternPeriod is after how many octets the pattern repeats: a prime, so that
	// nothing which is cut at powers of two, or displaced by them, fits again.
	patternPeriod = 65_521
	// patternChunk is the most that is written or compared at once.
	patternChunk = 64 << 10
)

// pattern is the octets that -data sends, twice over so that every chunk of it is in
// one piece. Each connection begins elsewhere in it.
var pattern = sync.OnceValue(func() []byte {
	once := make([]byte, patternPeriod)
	_, _ = rand.NewChaCha8([32]byte{'m', 'i', 'l', 'l', 'r', 'a', 'c', 'e'}).Read(once) // never fails
	return bytes.Repeat(once, 3)[:patternPeriod+patternChunk]
})

// patternPhase is where a connection begins: both ends know its secret.
func patternPhase(secret [32]byte) uint64 { return binary.BigEndian.Uint64(secret[:]) % patternPeriod }

// patternAt is the next n octets, at most patternChunk, at an offset.
func patternAt(phase, offset uint64, n int) []byte {
	from := (phase + offset) % patternPeriod
	return pattern()[from:][:min(n, patternChunk)]
}

// firstDifference is where octets differ from the pattern, or -1.
func firstDifference(phase, offset uint64, octets []byte) int {
	for at := 0; at < len(octets); {
		want := patternAt(phase, offset+uint64(at), len(octets)-at)
		if got := octets[at:][:len(want)]; !bytes.Equal(got, want) {
			for i := range got {
				if got[i] != want[i] {
					return at + i
				}
			}
		}
		at += len(want)
	}
	return -1
}
