package early

import "syscall"

const sysStat = syscall.SYS_FSTATAT
