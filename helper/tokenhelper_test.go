package helper

import (
	"testing"

	"rotd/ipc"
)

// TestTokenHelper has rot answer under the name that pnpm runs it by: with one
// line, and where there is no value with none, and a status.
func TestTokenHelper(t *testing.T) {
	d := newDaemon(t)
	d.hasToken()
	run := func(argv ...string) outcome { return runEnv(t.Context(), d.env(), Arguments(argv)...) }
	run("/h/rot-helper-rot_a2c4q7y3k5m6n2p4").want(t, 0, "Bearer "+testToken+"\n", "")
	run("rot-helper-rot_a2c4q7y3k5m6n2p4", "--socket", "/nonexistent").want(t, ipc.ExitUnreachable, "", "rotd is not running")
	run("/usr/bin/rot", "get", testROT).want(t, 0, testToken+"\n", "")
	run("rot-helper-").want(t, ipc.ExitUsage, "", "the reference is empty")
}
