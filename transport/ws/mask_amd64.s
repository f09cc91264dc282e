//go:build !purego

#include "textflag.h"

// func maskWide(b *byte, n int, key uint32)
// Requires AVX512BW and BMI2. n is at least 1.
TEXT ·maskWide(SB), NOSPLIT, $0-20
	MOVQ         b+0(FP), AX
	MOVQ         n+8(FP), CX
	MOVL         key+16(FP), DX
	VPBROADCASTD DX, Z0
	SUBQ         $64, CX
	JBE          last

next:
	VPXORD    (AX), Z0, Z1
	VMOVDQU64 Z1, (AX)
	ADDQ      $64, AX
	SUBQ      $64, CX
	JA        next

last:
	// 1 to 64 octets, by a mask of as many bits.
	ADDQ       $64, CX
	MOVQ       $-1, DX
	NEGQ       CX
	SHRXQ      CX, DX, DX
	KMOVQ      DX, K1
	VMOVDQU8.Z (AX), K1, Z1
	VPXORD     Z0, Z1, Z1
	VMOVDQU8   Z1, K1, (AX)
	VZEROUPPER
	RET
