//go:build !race && !debug

package ws

const pooledAllocates = false
