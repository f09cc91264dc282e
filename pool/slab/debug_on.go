//go:build debug

package slab

// debug turns on the checks that cost something on the hot path.
const debug = true
