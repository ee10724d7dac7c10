package helper

import (
	"context"
	"net/http"
	"testing"
	"time"

	"rotd/ipc"
)

func TestRotate(t *testing.T) {
	expires := testNow.Add(90 * 24 * time.Hour)
	d := newDaemon(t)
	d.stream("POST "+ipc.PathRotate,
		ipc.Event{Step: &ipc.Step{Name: "created", Text: "npm made the token", ROT: testROT}},
		ipc.Event{Result: &ipc.Result{Rotations: []ipc.Rotation{{ROT: testROT, Generation: 1, Expires: &expires, RevokedOld: true}}}})
	want := "note: around January 2027 npm ends direct publishing with tokens that bypass\n" +
		"      2FA; they will still read and stage, and --for stage goes on as it is.\n" +
		"      https://gh.io/bypass-2fa-tokens-no-longer-publish\n" +
		"rot: " + testROT + ": npm made the token\n✔ rotated " + testROT + "\n⮕ next: rot get " + testROT + "\n"
	d.run("rotate", testPas, "--for", "publish", "--name", "ci").want(t, 0, "", want)
	var req ipc.Rotate
	d.body("/v1/rotations/pas_uyfpwx73yney4bvr", &req)
	if req.Name != "ci" || req.Shape == nil || req.Shape.Permission != ipc.PermissionWrite || req.Interactive {
		t.Errorf("the request: %+v", req)
	}

	d.run("rotate", testPas, "--json").want(t, 0,
		`{"rot":"`+testROT+`","generation":1,"expires":"2027-02-21T12:00:00Z"}`+"\n", "npm made the token")
	req = ipc.Rotate{}
	if d.body("/v1/rotations/pas_uyfpwx73yney4bvr", &req); req.Shape != nil {
		t.Errorf("a shape that nobody asked for: %+v", req.Shape)
	}
}

func TestRotateSomeFail(t *testing.T) {
	other := "rot://rot_other"
	d := newDaemon(t)
	d.stream("POST "+ipc.PathRotate, ipc.Event{Result: &ipc.Result{Rotations: []ipc.Rotation{
		{ROT: testROT, Generation: 2, Warning: "the old token is not known to be dead yet"},
		{ROT: other, Generation: 1, Error: &ipc.Error{Code: ipc.CodeNeedsApproval, Message: "npm wants a code", Hint: "come here"}},
		{ROT: "rot://rot_third", Error: &ipc.Error{Code: ipc.CodeUnreachable, Message: "no answer"}},
	}}})
	got := d.run("rotate", testPas)
	got.want(t, ipc.ExitPerson, "", "✔ rotated "+testROT+"\nrot: warning: "+testROT+": the old token is not known to be dead yet\n"+
		"rot: "+other+": npm wants a code\n  hint: come here\nrot: rot://rot_third: no answer\n⮕ next: rot get "+testROT+"\n")
	got = d.run("rotate", testPas, "--json")
	got.want(t, ipc.ExitPerson, `{"rot":"`+testROT+`","generation":2,"warning":"the old token is not known to be dead yet"}`+"\n"+
		`{"rot":"`+other+`","generation":1,"error":{"code":"needs_approval","message":"npm wants a code","hint":"come here"}}`+"\n"+
		`{"rot":"rot://rot_third","generation":0,"error":{"code":"unreachable","message":"no answer"}}`+"\n", "")
}

func TestRotateWithoutAShapeInAScript(t *testing.T) {
	d := newDaemon(t)
	d.on("POST "+ipc.PathRotate, &ipc.Error{Code: ipc.CodeShapeRequired, Message: "the first rotation must say what the token is for", Hint: "--for publish, --for stage or --for install"})
	d.run("rotate", testPas).want(t, ipc.ExitUsage, "", "--for publish, --for stage or --for install")
}

func TestInterruptedRotationSaysThatItGoesOn(t *testing.T) {
	d := newDaemon(t)
	ctx, interrupt := context.WithCancel(t.Context())
	d.mux.HandleFunc("POST "+ipc.PathRotate, func(w http.ResponseWriter, r *http.Request) {
		d.keep(r)
		d.send(w, ipc.Event{Step: &ipc.Step{Name: "planned", Text: "asking npm"}})
		interrupt()
		<-r.Context().Done()
	})
	runEnv(ctx, d.env(), "rotate", testPas).want(t, exitInterrupted, "", "rot status tells how it ends\nrot: interrupted\n")
}
