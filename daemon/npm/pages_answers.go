package npm

import (
	"context"
	"slices"
	"strings"

	"rotd/ipc"
	"rotd/ipc/secret"
)

// able reports whether the form can be answered without a person.
func (v *visit) able(f *pageForm) bool {
	switch f {
	case signInForm, passwordForm:
		return !v.c.Password.IsZero()
	case codeForm:
		return v.c.TOTP != nil
	case keyForm:
		return v.c.Passkey != nil
	}
	return false
}

// anotherWay changes to a check that can be answered without a person, or,
// from the security key, to a code that a person can tell. Each way is taken
// once.
func (v *visit) anotherWay(ctx context.Context, f *pageForm) (changed bool, err error) {
	for _, way := range otherWays {
		told := f == keyForm && way.to == codeForm && v.c.Ask != nil
		if way.to == f || slices.Contains(v.tried, way.to) || !v.able(way.to) && !told {
			continue
		}
		c, err := v.only(ctx, way.controls)
		if err != nil {
			return false, err
		}
		if c == nil {
			continue
		}
		v.tried = append(v.tried, way.to)
		if err := v.page.Click(ctx, *c); err != nil {
			return false, err
		}
		_, err = v.look(ctx, func(s *sight) bool { return s.form != f })
		return true, err
	}
	return false, nil
}

// values is what goes into the fields of the form, from what is known or from
// the person.
func (v *visit) values(ctx context.Context, s *sight) ([]secret.Text, error) {
	switch s.form {
	case signInForm:
		name, err := v.orAsk(ctx, secret.New(v.c.Username), ipc.AskUsername, "npm user name")
		if err != nil {
			return nil, err
		}
		password, err := v.orAsk(ctx, v.c.Password, ipc.AskPassword, "npm password of "+name.Reveal())
		v.c.Password = password
		return []secret.Text{name, password}, err
	case passwordForm:
		password, err := v.orAsk(ctx, v.c.Password, ipc.AskPassword, "npm password of "+v.c.Username)
		v.c.Password = password
		return []secret.Text{password}, err
	case codeForm:
		if v.c.TOTP != nil {
			v.codes++
			code, err := v.c.TOTP(ctx)
			return []secret.Text{code}, err
		}
		code, err := v.orAsk(ctx, secret.Text{}, ipc.AskOTP, "one-time code of the authenticator app")
		return []secret.Text{code}, err
	case emailForm:
		text := "one-time code that npm has sent by e-mail"
		if strings.Contains(s.Email, "*") { // masked
			text = "one-time code that npm has sent to " + cut(s.Email, 100)
		}
		code, err := v.orAsk(ctx, secret.Text{}, ipc.AskEmailOTP, text)
		return []secret.Text{code}, err
	}
	if v.c.Passkey == nil {
		return nil, &Error{Kind: ErrNeedsPerson, Message: v.doing + ": npm wants the security key",
			Hint: "pass the check with your own security key in a browser window: run the command again where there is a display"}
	}
	return nil, nil
}

// orAsk returns known, or what the person answers.
func (v *visit) orAsk(ctx context.Context, known secret.Text, kind, text string) (secret.Text, error) {
	if !known.IsZero() {
		return known, nil
	}
	if v.c.Ask == nil {
		return known, &Error{Kind: ErrNeedsPerson, Message: v.doing + ": npm wants the " + text + ", and nobody is there to give it", Hint: hintToRemember(kind)}
	}
	answer, err := v.c.Ask(ctx, kind, text)
	if err == nil && answer.IsZero() {
		err = &Error{Kind: ErrNeedsPerson, Message: v.doing + ": the question for the " + text + " was left unanswered", Hint: hintToRemember(kind)}
	}
	return answer, err
}
