package npm

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"rotd/daemon/browser"
	"rotd/ipc"
	"rotd/store"
)

// readBack reads the whole form before it is submitted. One that holds anything
// else than what was asked for is an ErrPage.
func (w *Web) readBack(ctx context.Context, name string, want store.Shape) error {
	r := reading{ctx: ctx, w: w}
	r.field("name", nameField, name)
	r.field("description", descriptionField, want.Description)
	r.ranges(want.CIDR)
	r.permission("permission", packagesTitle, want.Permission)
	r.permission("orgs permission", orgsTitle, want.OrgsPerm)
	r.targets(want)
	r.boxes(want)
	r.expiration(want.ExpiresDays)
	switch {
	case r.err != nil:
		return r.err
	case len(r.wrong) > 0:
		return w.stray("the form to hold what was filled in", strings.Join(r.wrong, "; "))
	}
	return nil
}

// reading collects in what a form differs from what was asked for.
type reading struct {
	ctx   context.Context // of the one readBack
	w     *Web
	wrong []string
	err   error
}

// state reads a control that must be there.
func (r *reading) state(c browser.Control) (s browser.State) {
	if r.err == nil {
		s, r.err = r.w.v.page.State(r.ctx, c)
	}
	return s
}

func (r *reading) has(c browser.Control) (here bool) {
	if r.err == nil {
		here, r.err = r.w.v.page.Has(r.ctx, c)
	}
	return here
}

func (r *reading) read(script string, v any) {
	if r.err == nil {
		r.err = r.w.v.page.Read(r.ctx, script, v)
	}
}

func (r *reading) equal(what, asked, got string) {
	if r.err == nil && asked != got {
		r.wrong = append(r.wrong, fmt.Sprintf("%s: asked %q, the form holds %q", what, asked, got))
	}
}

func (r *reading) field(what string, c browser.Control, asked string) {
	r.equal(what, asked, r.state(c).Value)
}

func (r *reading) ranges(asked []string) {
	var got []string
	for i := 0; i <= len(asked) && r.has(rangeField(i)); i++ {
		if v := r.state(rangeField(i)).Value; v != "" {
			got = append(got, v)
		}
	}
	r.equal("CIDR ranges", strings.Join(asked, ", "), strings.Join(got, ", "))
}

// permission reads the chosen radio button, or what the menu says.
func (r *reading) permission(what, title, asked string) {
	got := ""
	for permission, words := range permissionWords {
		for _, word := range words {
			if radio := permissionRadio(title, word); r.has(radio) {
				if r.state(radio).On {
					got += permission
				}
			}
		}
	}
	if none := permissionRadio(title, permissionWords[ipc.PermissionNone][0]); !r.has(none) {
		shown := r.state(permissionMenu(title)).Text
		for permission, words := range permissionWords {
			if slices.Contains(words, shown) {
				got = permission
			}
		}
	}
	r.equal(what, asked, got)
}

func (r *reading) targets(want store.Shape) {
	if want.Permission == ipc.PermissionNone {
		return
	}
	r.equal("all packages", fmt.Sprint(want.PackagesAll), fmt.Sprint(r.state(allPackages).On))
	r.equal("only some", fmt.Sprint(!want.PackagesAll), fmt.Sprint(r.state(somePackages).On))
	if want.PackagesAll {
		return
	}
	var got []string
	r.read(readChosen, &got)
	r.equal("packages and scopes", set(picked(want)), set(got))
}

// boxes reads every tick box: none may be ticked but those of the bypass and of
// the organizations that were asked for.
func (r *reading) boxes(want store.Shape) {
	asked := len(want.Orgs)
	for _, org := range want.Orgs {
		box, err := r.w.orgBox(r.ctx, org)
		if r.err == nil {
			r.err = err
		}
		if box != nil {
			r.equal(org, "true", fmt.Sprint(r.state(*box).On))
		} else {
			r.equal(org, "true", "nothing")
		}
	}
	if want.Bypass2FA {
		asked++
		r.equal("bypass-2fa", "true", fmt.Sprint(r.state(bypassBox).On))
	}
	var ticked int
	r.read(countTicked, &ticked)
	r.equal("tick boxes", fmt.Sprint(asked), fmt.Sprint(ticked))
}

func (r *reading) expiration(days int) {
	if days == 0 || r.err != nil {
		return
	}
	menu, err := r.w.expirationMenu(r.ctx)
	if r.err = err; err != nil {
		return
	}
	shown := r.state(menu).Text
	if strings.Contains(shown, strings.TrimRight(customDate.Name, ".")) {
		r.equal("expiry", r.w.expires(days), r.state(dateField).Value)
		return
	}
	r.equal("expiry", daysItem(days).Name, shown)
}
