package daemon

import (
	"context"
	"errors"
	"strings"
	"time"

	"rotd/daemon/browser"
	"rotd/daemon/npm"
	"rotd/daemon/parcel"
	"rotd/daemon/rotate"
	"rotd/ipc"
	"rotd/store"
)

// wireCodes maps the errors that the parts of the daemon return to the codes of
// the API. It is the only place that does.
var wireCodes = []struct {
	err  error
	code ipc.Code
}{
	{npm.ErrWrongPassword, ipc.CodeWrongPassword},
	{npm.ErrWrongCode, ipc.CodeWrongCode},
	{npm.ErrSessionExpired, ipc.CodeSessionExpired},
	{npm.ErrUnreachable, ipc.CodeUnreachable},
	{npm.ErrRateLimited, ipc.CodeRateLimited},
	{npm.ErrServer, ipc.CodeRegistryError},
	{npm.ErrRefused, ipc.CodeRefused},
	{npm.ErrGarbled, ipc.CodeGarbled},
	{npm.ErrNeedsPerson, ipc.CodeNeedsApproval},
	{npm.ErrNeedsSignIn, ipc.CodeNeedsSignIn},
	{npm.ErrBotCheck, ipc.CodeBotCheck},
	{npm.ErrPage, ipc.CodePageUnrecognised},
	{browser.ErrNotFound, ipc.CodeBrowserNotFound},
	{browser.ErrRootSandbox, ipc.CodeBrowserFailed},
	{browser.ErrFailed, ipc.CodeBrowserFailed},
	{browser.ErrLoad, ipc.CodeUnreachable},
	{browser.ErrNoControl, ipc.CodePageUnrecognised},
	{parcel.ErrKey, ipc.CodeBadFile},
	{parcel.ErrFile, ipc.CodeBadFile},
	{parcel.ErrRecipient, ipc.CodeBadRequest},
	{rotate.ErrUnconfirmed, ipc.CodeUnconfirmed},
	{store.ErrNotFound, ipc.CodeNotFound},
	{store.ErrAmbiguous, ipc.CodeAmbiguous},
	{store.ErrTaken, ipc.CodeBadRequest},
	{store.ErrStep, ipc.CodeBusy},
	{store.ErrStorage, ipc.CodeStorage},
	{context.Canceled, ipc.CodeCancelled},
	{context.DeadlineExceeded, ipc.CodeUnreachable},
}

var errStopping = &ipc.Error{Code: ipc.CodeCancelled, Message: "rotd is stopping", Hint: "run the command again when it is back"}

// hinted is an error that knows what to do about it.
type hinted interface{ Hint() string }

// toWire gives an error the shape that the API shows.
func toWire(err error) *ipc.Error {
	var wire *ipc.Error
	if errors.As(err, &wire) {
		return wire
	}
	out := &ipc.Error{Code: ipc.CodeInternal, Message: strings.ReplaceAll(err.Error(), "\n", "; ")}
	var mismatch *rotate.MismatchError
	if errors.As(err, &mismatch) {
		out.Code = ipc.CodeTokenMismatch
		out.Hint = "the new token is not used and is being revoked; compare the flags of rot rotate with what npm offers"
		if mismatch.Untold {
			out.Hint = "the new token is not used and is being revoked; a registry without such limits has tokens for everything: rot rotate --packages-all, with --packages-and-scopes-permission read-only or read-write"
		}
		return out
	}
	for _, m := range wireCodes {
		if errors.Is(err, m.err) {
			out.Code = m.code
			break
		}
	}
	var of *npm.Error
	if errors.As(err, &of) {
		out.Hint = of.Hint
		out.RetryAfter = int((of.RetryAfter + time.Second - 1) / time.Second)
	}
	var ofBrowser *browser.Error
	if out.Hint == "" && errors.As(err, &ofBrowser) {
		out.Hint = ofBrowser.Hint
	}
	var h hinted
	if out.Hint == "" && errors.As(err, &h) {
		out.Hint = h.Hint()
	}
	if out.Code == ipc.CodeCancelled {
		out.Message = errStopping.Message
	}
	if out.Hint == "" {
		out.Hint = defaultHints[out.Code]
	}
	return out
}

// defaultHints serve errors that bring no hint of their own.
var defaultHints = map[ipc.Code]string{
	ipc.CodeInternal:      "this is a fault of rotd: its log says more",
	ipc.CodeNotFound:      "rot ls shows what there is",
	ipc.CodeAmbiguous:     "give more of the reference; rot ls shows them whole",
	ipc.CodeBusy:          "another command changed it meanwhile: see rot status",
	ipc.CodeUnconfirmed:   "rotd asks npm again until it is so; rot log tells when",
	ipc.CodeCancelled:     "rotd is stopping; run the command again when it is back",
	ipc.CodeStorage:       "see that the disk has room and that the state directory can be written",
	ipc.CodeBrowserFailed: "rotd's log says more; --browser PATH names another Chromium",
}

// trouble is what the store keeps of an error.
func trouble(e *ipc.Error) store.Trouble {
	return store.Trouble{Code: string(e.Code), Message: e.Message, Hint: e.Hint}
}

// wireTrouble is what is shown of it; nil where there is none.
func wireTrouble(t store.Trouble) *ipc.Error {
	if t.Code == "" {
		return nil
	}
	return &ipc.Error{Code: ipc.Code(t.Code), Message: t.Message, Hint: t.Hint}
}
