//go:build !amd64 || purego

package ws

const wide = false

func maskWide(*byte, int, uint32) {}
