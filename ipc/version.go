package ipc

// BuildVersion is the version of the program that this package is linked into.
// The build sets it: -ldflags "-X rotd/ipc.BuildVersion=1.2.3".
var BuildVersion = "dev"

// APIVersion is the version of the messages in this package. It grows when a
// message changes its meaning, not when a field is added.
const APIVersion = 1
