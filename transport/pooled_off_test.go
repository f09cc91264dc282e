//go:build !race && !debug

package transport

const pooledAllocates = false
