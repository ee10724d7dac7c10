package npm

import (
	"testing"

	"rotd/daemon/npm/sandbox"
)

// Signing out ends npm's session, and asks for none where there is none.
func TestWebSignOut(t *testing.T) {
	t.Parallel()
	w := inSandbox(t, sandbox.Config{TOTPSecret: totpSecret})
	ctx := t.Context()
	nobody := w.web()
	w.must(nobody.SignOut(ctx))
	if n := len(w.box.Requests()); n != 0 {
		t.Errorf("%d requests without a session", n)
	}
	signer := w.web(knowing(knowingPassword, knowingTOTP))
	w.must(signer.SignIn(ctx))
	w.must(signer.Close(ctx))
	kept := w.web()
	w.must(kept.Check(ctx))
	w.must(kept.SignOut(ctx))
	w.fails(kept.Check(ctx), ErrNeedsSignIn)
	w.must(kept.SignOut(ctx)) // there is nothing more to do
	w.must(kept.Close(ctx))
	w.set(`{"bot_challenge": 1}`)
	stopped := w.web()
	w.fails(stopped.SignOut(ctx), ErrBotCheck)
	w.must(stopped.Close(ctx))
}
