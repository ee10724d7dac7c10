package desk

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"

	"rotd/helper"
	"rotd/helper/npmrc"
	"rotd/ipc"
	"rotd/ipc/secret"
)

// replace goes from file to file, each changed in one step: at every moment npm
// finds a token that works, wherever it found one before. First the user's own
// file has the ROT's value; then lines go that hide it; and last, when nothing
// holds them, the old tokens are revoked.
func (a *adoption) replace(ctx context.Context) error {
	seen := map[string]bool{}
	for _, t := range a.found {
		if t.rot == "" || seen[t.registry] {
			continue
		}
		seen[t.registry] = true
		if err := a.replaceAt(ctx, t.registry); err != nil {
			return err
		}
	}
	for _, t := range a.found {
		if err := a.revokeOld(ctx, t); err != nil {
			return err
		}
	}
	return nil
}

// replaceAt does so with the tokens of one registry.
func (a *adoption) replaceAt(ctx context.Context, registry string) error {
	rot, own := a.ownROT(registry)
	ok, err := a.replaceOwn(ctx, registry, rot, own)
	if err != nil {
		return err
	}
	for _, t := range a.found {
		for _, l := range t.lines {
			switch {
			case t.registry != registry || t.rot == "" || l.own:
			case !ok:
				l.outcome = "your own file does not have the new token"
			case t.rot != rot:
				l.outcome = "your own file has a token of " + rot
			default:
				if err := a.takeOut(ctx, l, registry, rot); err != nil {
					return err
				}
			}
			if l.outcome != "" && !l.own { // of that one is told already
				a.Warn(fmt.Sprintf("line %d of %s stays: %s", l.line, short(a.Call, l.file), l.outcome))
			}
		}
	}
	return nil
}

// ownROT is the ROT that the user's own file is to have: that for the token in
// it, or else that for the first of the projects'. own is the line there.
func (a *adoption) ownROT(registry string) (rot string, own *standing) {
	for _, t := range a.found {
		for _, l := range t.lines {
			if t.registry == registry && l.own && t.rot != "" {
				return t.rot, l
			}
			if t.registry == registry && rot == "" {
				rot = t.rot
			}
		}
	}
	return rot, nil
}

// replaceOwn has the user's own file kept current, and tells whether the value
// in it works and is what npm takes.
func (a *adoption) replaceOwn(ctx context.Context, registry, rot string, own *standing) (bool, error) {
	file, err := a.UserConfig()
	if err != nil {
		return false, err
	}
	file = a.Absolute(file)
	fail := func(err error) (bool, error) {
		if ctx.Err() != nil {
			return false, context.Cause(ctx)
		}
		e := helper.AsError(err)
		a.failed = true
		a.Warn(short(a.Call, file) + ": " + e.Message)
		if e.Hint != "" {
			a.Note("  hint: " + helper.Clean(e.Hint))
		}
		if own != nil {
			own.outcome = e.Message
		}
		return false, nil
	}
	tok, err := a.works(ctx, registry, rot)
	if err != nil {
		return fail(err)
	}
	prompt := "Keep " + short(a.Call, file) + " current with " + rot + "?"
	if own != nil {
		prompt = fmt.Sprintf("Have %s take the place of the token in line %d of %s, and keep it current?", rot, own.line, short(a.Call, file))
	}
	if yes, err := a.ask(ctx, prompt, a.yes); err != nil || !yes {
		if own != nil {
			own.outcome = "you said no"
		}
		return false, err
	}
	key, err := npmrc.Key(registry)
	if err == nil {
		err = unchanged(file, key, own)
	}
	if err == nil {
		err = a.Link(ctx, ref(rot), file)
	}
	if err == nil && own != nil && own.key != key { // the same without the last slash
		_, err = npmrc.RemoveAll(file, own.key, own.value)
	}
	if err == nil {
		err = a.taken(ctx, "/", registry, tok)
	}
	if err != nil {
		return fail(err)
	}
	if own != nil {
		own.done = true
	}
	return true, nil
}

// unchanged fails where a file has another token by now than the one that was
// found, which is nil where there was none.
func unchanged(file, key string, found *standing) error {
	var was secret.Text
	if found != nil {
		key, was = found.key, found.value
	}
	src, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if _, is, _ := npmrc.Value(src, key); !is.Equal(was) {
		return helper.Local("run rot adopt again", "%v", npmrc.ErrAnother)
	}
	return nil
}

// takeOut takes a line out of a project's file, behind which the user's own has
// the ROT's value.
func (a *adoption) takeOut(ctx context.Context, l *standing, registry, rot string) error {
	yes, err := a.ask(ctx, fmt.Sprintf("Take line %d out of %s?", l.line, short(a.Call, l.file)), a.yes)
	if err != nil {
		return err
	}
	if !yes {
		l.outcome = "you said no"
		return nil
	}
	tok, err := a.works(ctx, registry, rot)
	if err == nil {
		_, err = npmrc.RemoveAll(l.file, l.key, l.value)
	}
	if err == nil {
		a.Done(short(a.Call, l.file) + ": taken out")
		l.done = true
		err = a.taken(ctx, l.dir(), registry, tok)
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err != nil {
		a.failed = true
		l.done = false
		l.outcome = helper.AsError(err).Message
	}
	return nil
}

// works has the registry asked whether it takes the ROT's present value.
func (a *adoption) works(ctx context.Context, registry, rot string) (ipc.Token, error) {
	tok, err := a.Token(ctx, ref(rot))
	if err != nil {
		return tok, err
	}
	var s ipc.Stray
	err = a.Client().Post(ctx, ipc.PathStrays, ipc.FindStray{Registry: registry, Value: tok.Value}, &s)
	if err == nil && !s.Accepted {
		err = helper.Local("rot rotate "+rot, "the registry refuses the value of %s", rot)
	}
	return tok, err
}

// taken makes sure that npm, in a directory, takes the value.
func (a *adoption) taken(ctx context.Context, dir, registry string, tok ipc.Token) error {
	s := &seeker{Call: a.Call, registry: registry, dir: dir, ctx: ctx}
	npm := helper.Clients[0]
	t := s.take(npm)
	if t.trouble == "" && t.value.Equal(tok.Value.Text) {
		return nil
	}
	if t.at == "" {
		t.at = "nothing"
	}
	return helper.Local("rot npmrc "+tok.ROT+" --check tells more", "%s would take %s there", npm.Name, t.at)
}

// revokeOld revokes a token that every file has given up.
func (a *adoption) revokeOld(ctx context.Context, t *adoptee) error {
	for _, l := range t.lines {
		if !l.done {
			return nil
		}
	}
	if !t.Accepted || t.ROT != "" {
		return nil
	}
	name := "the old token of " + t.Username
	if t.Name != "" {
		name += " called " + strconv.Quote(t.Name)
	}
	yes, err := a.ask(ctx, "No file found here holds "+name+" any more. Revoke it?", a.revoke)
	if err != nil || !yes {
		return err
	}
	_, err = a.Follow(ctx, "revoking…", ipc.PathStrayRevoke,
		ipc.RevokeStray{Registry: t.registry, Value: secret.Wire{Text: t.value}, Interactive: a.person != nil}, a.person)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err != nil {
		e := helper.AsError(err)
		a.failed = true
		a.Warn(name + " is not revoked: " + e.Message + "; revoke it on npm's website, as no file holds it any more")
		return nil
	}
	t.revoked = true
	a.Done("revoked " + name)
	return nil
}

// ask puts a question to the person, unless it was answered beforehand. Nobody
// there is a no.
func (a *adoption) ask(ctx context.Context, question string, yes bool) (bool, error) {
	if yes || a.person == nil {
		return yes, nil
	}
	answer, err := a.Ask(ctx, a.person, helper.Clean(question)+" [y/N] ")
	return answer == "y" || answer == "yes", err
}

// ref is a reference as paths of the API want it.
func ref(rot string) string { return rot[len("rot://"):] }
