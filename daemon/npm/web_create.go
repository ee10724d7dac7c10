package npm

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"rotd/daemon/browser"
	"rotd/daemon/rotate"
	"rotd/ipc"
	"rotd/ipc/secret"
	"rotd/store"
)

// What npm's form takes (A.7.1; DOCS, "Limits").
const (
	maxTokenName = 40
	maxPicked    = 50
)

// listPatience is the longest pause before a new token is looked for again.
const listPatience = 4 * time.Second

// Create makes a granular token with npm's form. Any error that leaves open
// whether npm made one does not wrap rotate.ErrNotCreated.
func (w *Web) Create(ctx context.Context, name string, want store.Shape) (rotate.Token, error) {
	const doing = "create a token"
	if err := formable(doing, name, &want); err != nil {
		return rotate.Token{}, notCreatedError{err}
	}
	var t rotate.Token
	open := false // whether npm may have made one
	err := w.during(ctx, doing, func(ctx context.Context) (err error) {
		if t.Value, err = w.make(ctx, name, want, &open); err != nil {
			return err
		}
		row, err := w.findNew(ctx, name)
		if err != nil {
			return err
		}
		listed := row.token(w.a.cfg.Now())
		listed.Value = t.Value
		t = listed
		w.a.made[t.Key] = row
		return nil
	})
	if err != nil {
		if !open {
			err = notCreatedError{err}
		}
		return rotate.Token{}, err
	}
	return t, nil
}

// findNew looks for a new token in the list, which may hear of it a moment
// later.
func (w *Web) findNew(ctx context.Context, name string) (fields, error) {
	for pause := time.Second; ; pause *= 2 {
		row, err := w.find(ctx, func(t rotate.Token) bool { return t.Name == name && t.Key != "" })
		switch {
		case err != nil || row != nil:
			return row, err
		case pause > listPatience:
			return nil, w.stray("the new token in the list", "none of that name")
		}
		if err := w.a.cfg.Sleep(ctx, pause); err != nil {
			return nil, err
		}
	}
}

// formable refuses what the form does not take, and spells out what npm's API
// takes as the default.
func formable(doing, name string, want *store.Shape) error {
	wrong := func(why string) error {
		return &Error{Kind: ErrRefused, Message: doing + ": " + why, Hint: "rot rotate --help lists the flags that shape a token"}
	}
	targets := want.PackagesAll || len(want.Packages)+len(want.Scopes) > 0
	permissionOr := func(p string, has bool) string {
		switch {
		case p != "":
			return p
		case has:
			return ipc.PermissionRead
		}
		return ipc.PermissionNone
	}
	want.Permission = permissionOr(want.Permission, targets)
	want.OrgsPerm = permissionOr(want.OrgsPerm, len(want.Orgs) > 0)
	switch {
	case name == "" || len([]rune(name)) > maxTokenName:
		return wrong(fmt.Sprintf("npm takes names of 1 to %d characters", maxTokenName))
	case len(want.Packages)+len(want.Scopes) > maxPicked || len(want.Orgs) > maxPicked:
		return wrong(fmt.Sprintf("npm takes %d packages and scopes at most, and as many organizations", maxPicked))
	case permissionWords[want.Permission] == nil || permissionWords[want.OrgsPerm] == nil || want.OrgsPerm == ipc.PermissionStage:
		return wrong("npm has no such permission")
	case targets != (want.Permission != ipc.PermissionNone):
		return wrong("packages and scopes go with a permission for them, and no-access with none")
	case (len(want.Orgs) > 0) != (want.OrgsPerm != ipc.PermissionNone):
		return wrong("organizations go with a permission for them, and no-access with none")
	case !targets && len(want.Orgs) == 0:
		return wrong("npm wants at least one package, scope or organization")
	case want.ExpiresDays < 0:
		return wrong("the expiry is a number of days, 1 or more")
	}
	return nil
}

// make fills in the form, submits it and returns the token that npm shows.
// open is set where npm may have made one.
func (w *Web) make(ctx context.Context, name string, want store.Shape, open *bool) (secret.Text, error) {
	// A check that comes on the submission may have swallowed it: then it is
	// done once more.
	for range 2 {
		if _, err := w.v.reach(ctx, w.page(newPage), w.formGoal()); err != nil {
			return secret.Text{}, err
		}
		if err := w.fill(ctx, name, want); err != nil {
			return secret.Text{}, err
		}
		if err := w.readBack(ctx, name, want); err != nil {
			return secret.Text{}, err
		}
		value, err := w.submit(ctx, open)
		if err != nil || !value.IsZero() {
			return value, err
		}
		row, err := w.find(ctx, func(t rotate.Token) bool { return t.Name == name })
		if err != nil {
			return secret.Text{}, err
		}
		if row != nil {
			return secret.Text{}, w.stray("the new token to be shown", "it in the list, without its value")
		}
		*open = false
	}
	return secret.Text{}, &Error{Kind: ErrPage, Message: w.v.doing + ": npm asks for a check after every submission and makes no token"}
}

// formGoal is the form for a new token.
func (w *Web) formGoal() goal {
	return goal{is: "npm's form for a new token", here: func(ctx context.Context, _ *glance) (bool, error) {
		return w.all(ctx, formMarks)
	}}
}

// submit sends the form and returns the token that the page then shows. It is
// the zero Text when a check came between and neither a token nor an error is
// to be seen behind it.
func (w *Web) submit(ctx context.Context, open *bool) (value secret.Text, err error) {
	v := w.v
	was, err := w.shown(ctx)
	if err != nil {
		return value, err
	}
	*open = true
	last := v.page.Answer().N
	before, err := w.send(ctx, generateButton, func(context.Context) error { return nil })
	if err != nil {
		*open = !errors.Is(err, browser.ErrNoControl) // it was not clicked
		return value, err
	}
	a := v.page.Answer()
	refused := a.N == last+1 && !a.Document && answer{status: a.Status}.refused()
	*open = !refused
	_, err = v.pass(ctx, goal{is: "the new token", here: func(ctx context.Context, _ *glance) (bool, error) {
		if v.acts > 0 { // behind the check it may have been carried out after all
			*open = true
		}
		now, err := w.shown(ctx)
		now = slices.DeleteFunc(now, func(s string) bool { return slices.Contains(was, s) })
		switch {
		case err != nil:
			return false, err
		case len(now) > 1:
			return false, w.stray("one new token", fmt.Sprintf("%d", len(now)))
		case len(now) == 1:
			value = secret.New(now[0])
			w.a.know(value)
			v.entered = append(v.entered, value)
			return true, nil
		}
		form, err := w.formGoal().here(ctx, nil)
		if err != nil {
			return false, err
		}
		if form {
			words, err := w.said(ctx, before)
			if err != nil {
				return false, err
			}
			if words != "" {
				// The browser may have sent it twice, and the name be taken by
				// the first; and a failure without a reason may be the answer's.
				*open = isDuplicate(words) || !refused && strings.Contains(words, failedBanner)
				return false, w.refusedFor(words)
			}
		}
		if v.acts == 0 || form {
			return v.acts > 0, nil
		}
		return w.all(ctx, listMarks)
	}})
	return value, err
}

// shown are the tokens that the page shows in full.
func (w *Web) shown(ctx context.Context) (all []string, err error) {
	return all, w.v.page.Read(ctx, readTokens, &all)
}

func isDuplicate(words string) bool {
	return slices.ContainsFunc(duplicateWords, func(d string) bool { return strings.Contains(strings.ToLower(words), d) })
}
