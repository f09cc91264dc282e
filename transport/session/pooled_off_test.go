//go:build !race && !debug

package session

const pooledAllocates = false
