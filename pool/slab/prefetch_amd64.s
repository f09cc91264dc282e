//go:build !purego

#include "textflag.h"

// func prefetch(p unsafe.Pointer, lines int)
TEXT ·prefetch(SB), NOSPLIT, $0-16
	MOVQ p+0(FP), AX
	MOVQ lines+8(FP), CX

next:
	PREFETCHT0 (AX)
	ADDQ $64, AX
	DECQ CX
	JNZ  next
	RET

// func prefetchBoth(p unsafe.Pointer, lines int, q unsafe.Pointer)
TEXT ·prefetchBoth(SB), NOSPLIT, $0-24
	MOVQ       p+0(FP), AX
	MOVQ       lines+8(FP), CX
	MOVQ       q+16(FP), DX
	PREFETCHT0 (DX)

next:
	PREFETCHT0 (AX)
	ADDQ $64, AX
	DECQ CX
	JNZ  next
	RET
