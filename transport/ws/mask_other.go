//go:build !amd64 || purego

package ws

// Mask applies a masking key to b in place; applied twice it is undone (RFC 6455
// §5.3). key holds the four octets of the key with the first one lowest.
func Mask(b []byte, key uint32) { maskWords(b, key) }
