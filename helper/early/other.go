//go:build !linux || !(amd64 || arm64)

package early

import "io"

// Connection is nil: nothing runs before the runtime here.
func Connection() io.ReadWriteCloser { return nil }
