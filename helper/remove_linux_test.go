package helper

import (
	"testing"

	"rotd/ipc"
)

func TestRemoveAsksOnATerminal(t *testing.T) {
	d := newDaemon(t)
	got := d.asks("POST "+ipc.PathRemove, []ipc.Question{{ID: "1", Kind: ipc.AskRemove, Text: "remove it?"}}, ipc.Result{Removal: &ipc.Removal{Removed: []string{testROT}}})
	p := newPTY(t)
	done := start(t.Context(), d.onTerminal(p), "remove", "ci")
	p.waitFor("remove it? [y/N] ")
	p.typeIn("y\n")
	(<-done).want(t, 0, "", "")
	if got["1"] != "yes" {
		t.Errorf("answered %q", got)
	}
}
