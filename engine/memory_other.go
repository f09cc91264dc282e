//go:build !linux || (!amd64 && !arm64)

package engine

import "github.com/millrace-ilp/millrace/pool/slab"

// newMemory is none: the heap serves.
func newMemory(int) (take func(octets int) []byte, ok bool) { return nil, true }

// newLender likewise.
func newLender(int) (slab.Lender, bool) { return nil, true }
