package npm

import (
	"context"
	"errors"
	"maps"
	"net/url"
	"slices"
	"strings"

	"rotd/daemon/rotate"
	"rotd/store"
)

// Verify asks the registry whether it accepts the value of got, and compares
// what the website's list and its page of the token tell with want.
func (w *Web) Verify(ctx context.Context, got rotate.Token, want store.Shape) error {
	const doing = "check the new token"
	if err := w.a.accepted(ctx, doing, got, want); err != nil {
		return err
	}
	var told fields
	err := w.during(ctx, doing, func(ctx context.Context) (err error) {
		told, err = w.told(ctx, got)
		return err
	})
	switch {
	case errors.Is(err, ErrUnreachable) || errors.Is(err, ErrServer):
		return notYet{err}
	case err != nil:
		return err
	case told == nil:
		return notYet{&Error{Kind: ErrGarbled, Message: doing + ": npm's website does not list it", Hint: "try again; the old token is untouched"}}
	}
	// A scope takes the place of its packages.
	want.Packages = slices.DeleteFunc(slices.Clone(want.Packages), func(p string) bool { return !slices.Contains(picked(want), p) })
	return w.a.compared(told, got, want)
}

// told is what the website tells of a token, in the registry's words; nil when
// it does not list it.
func (w *Web) told(ctx context.Context, got rotate.Token) (fields, error) {
	row := w.a.made[got.Key]
	if row == nil {
		var err error
		if row, err = w.find(ctx, func(t rotate.Token) bool { return t.Key == got.Key }); err != nil || row == nil {
			return nil, err
		}
	}
	_, err := w.v.reach(ctx, w.page(detailsPage)+url.PathEscape(got.Key), goal{is: "npm's page of the token", here: func(_ context.Context, g *glance) (bool, error) {
		return strings.HasSuffix(g.Path, "/"+got.Key), nil
	}})
	if err != nil {
		return nil, err
	}
	var details fields
	if err := w.v.page.Read(ctx, readDetails, &details); err != nil {
		return nil, err
	}
	told := maps.Clone(row)
	maps.Copy(told, details.asRegistry())
	if _, is := told["bypass_2fa"]; !is {
		here, err := w.v.page.Has(ctx, detailsBypass)
		if err != nil {
			return nil, err
		}
		if here {
			state, err := w.v.page.State(ctx, detailsBypass)
			if err != nil {
				return nil, err
			}
			told["bypass_2fa"] = state.On
		}
	}
	return told, nil
}

// asRegistry spells the website's details of a token as the registry does.
func (f fields) asRegistry() fields {
	told := fields{}
	for from, to := range map[string]string{"tokenName": "name", "bypass2FA": "bypass_2fa", "allowedIPRanges": "cidr"} {
		if v, ok := f[from]; ok {
			told[to] = v
		}
	}
	for from, to := range map[string]string{"packagesAndScopesPermission": "packages_and_scopes_permission", "orgsPermission": "orgs_permission"} {
		if p := permissionOf(f.text(from)); p != "" {
			told[to] = p
		}
	}
	if !f.told("selectedPackagesAndScopes", "selectedPackages", "selectedScopes", "selectedOrgs") {
		return told
	}
	scopes := []any{}
	add := func(kind string, names ...string) {
		for _, name := range names {
			scopes = append(scopes, map[string]any{"type": kind, "name": name})
		}
	}
	if f.text("selectedPackagesAndScopes") == allPackages.Value {
		add("package", "*")
	}
	add("package", f.texts("selectedPackages")...)
	add("scope", f.texts("selectedScopes")...)
	add("org", f.texts("selectedOrgs")...)
	told["scopes"] = scopes
	return told
}

// permissionOf is the permission of a word that the website uses, empty for
// another word.
func permissionOf(word string) string {
	for permission, words := range permissionWords {
		for _, w := range append(words, permission) {
			if strings.EqualFold(w, word) {
				return permission
			}
		}
	}
	return ""
}
