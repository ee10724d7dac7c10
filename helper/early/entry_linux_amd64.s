#include "textflag.h"

// func entry()
//
// Where the process begins: the stack has argc, argv and the environment. There is
// no g, and what is called must not look for it: so by the function's value, as a
// call by name goes through a wrapper that does.
TEXT ·entry(SB),NOSPLIT|NOFRAME|TOPFRAME,$0-0
	MOVQ	SP, ·stack(SB)
	SUBQ	$64, SP
	XORL	R14, R14	// g
	XORPS	X15, X15	// zero, as compiled code expects
	MOVQ	·first(SB), DX
	MOVQ	(DX), AX
	CALL	AX
	ADDQ	$64, SP
	JMP	_rt0_amd64_linux(SB)
