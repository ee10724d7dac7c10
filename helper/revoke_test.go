package helper

import (
	"testing"

	"rotd/ipc"
)

func TestRevoke(t *testing.T) {
	d := newDaemon(t)
	other := "rot://rot_other"
	d.stream("POST "+ipc.PathRevoke, ipc.Event{Result: &ipc.Result{Revocations: []ipc.Revocation{
		{ROT: testROT, Confirmed: true},
		{ROT: other, Error: &ipc.Error{Code: ipc.CodeUnreachable, Message: "no answer"}},
	}}})
	d.run("revoke", "--json", "ci").want(t, 0, `{"rot":"`+testROT+`","confirmed":true}`+"\n"+
		`{"rot":"`+other+`","confirmed":false,"error":{"code":"unreachable","message":"no answer"}}`+"\n", "")
	d.run("revoke", "ci").want(t, 0, "", "✔ revoked "+testROT+"\n✔ "+other+" is not served any more\n"+
		"rot: warning: npm may still accept its token, rotd keeps at it: no answer\n⮕ next: rot rotate ci: until then nothing is served\n")
}

func TestRevokeThatNeedsAPerson(t *testing.T) {
	d := newDaemon(t)
	d.stream("POST "+ipc.PathRevoke, ipc.Event{Result: &ipc.Result{Revocations: []ipc.Revocation{
		{ROT: testROT, Error: &ipc.Error{Code: ipc.CodeNeedsApproval, Message: "npm wants a code", Hint: "rot approve ci"}},
	}}})
	d.run("revoke", "ci").want(t, ipc.ExitPerson, "", "npm wants a code\n  hint: rot approve ci\n")
}

func TestRemove(t *testing.T) {
	d := newDaemon(t)
	d.stream("POST "+ipc.PathRemove, ipc.Event{Result: &ipc.Result{Removal: &ipc.Removal{Removed: []string{testROT, testPas}, Left: []string{"rotd-1", "rotd-2"}}}})
	d.run("remove", "work", "--yes", "--forget").want(t, 0, "", "✔ removed "+testROT+"\n✔ removed "+testPas+"\n"+
		"rot: warning: npm may still accept these tokens, delete them on its website: rotd-1, rotd-2\n")
	var req ipc.Remove
	if d.body("/v1/removals/work", &req); !req.Yes || !req.Forget || req.Interactive {
		t.Errorf("the request: %+v", req)
	}
	d.run("remove", "work", "--json").want(t, 0, `{"removed":["`+testROT+`","`+testPas+`"],"left":["rotd-1","rotd-2"]}`+"\n", "")
}
