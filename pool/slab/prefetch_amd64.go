//go:build !purego

package slab

import "unsafe"

//go:noescape
func prefetch(p unsafe.Pointer, lines int)
