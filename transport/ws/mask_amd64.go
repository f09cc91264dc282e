//go:build !purego

package ws

import (
	"unsafe"

	"github.com/klauspost/cpuid/v2"
)

// wide says that maskWide works here.
var wide = cpuid.CPU.Supports(cpuid.AVX512F, cpuid.AVX512BW, cpuid.BMI2)

//go:noescape
func maskWide(b *byte, n int, key uint32)

// Mask applies a masking key to b in place; applied twice it is undone (RFC 6455
// §5.3). key holds the four octets of the key with the first one lowest.
func Mask(b []byte, key uint32) {
	if wide && len(b) >= 64 {
		maskWide(unsafe.SliceData(b), len(b), key)
		return
	}
	maskWords(b, key)
}
