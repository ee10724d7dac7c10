#include "textflag.h"

// func entry()
//
// See entry_linux_amd64.s.
TEXT ·entry(SB),NOSPLIT|NOFRAME|TOPFRAME,$0-0
	MOVD	RSP, R0
	MOVD	R0, ·stack(SB)
	SUB	$64, RSP
	MOVD	ZR, g
	MOVD	·first(SB), R26
	MOVD	(R26), R0
	CALL	(R0)
	ADD	$64, RSP
	JMP	_rt0_arm64_linux(SB)
