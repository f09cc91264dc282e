//go:build !purego

#include "textflag.h"

// func prefetch(p unsafe.Pointer, lines int)
TEXT ·prefetch(SB), NOSPLIT, $0-16
	MOVQ p+0(FP), AX
	MOVQ lines+8(FP), CX

next:
	PREFETCHT0 (AX)
	DECQ       CX
	JZ         done
	PREFETCHT0 64(AX)
	DECQ       CX
	JZ         done
	ADDQ       $128, AX
	JMP        next

done:
	RET
