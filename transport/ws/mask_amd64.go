//go:build !purego

package ws

import "github.com/klauspost/cpuid/v2"

// wide says that maskWide works here.
var wide = cpuid.CPU.Supports(cpuid.AVX512F, cpuid.AVX512BW, cpuid.BMI2)

//go:noescape
func maskWide(b *byte, n int, key uint32)
