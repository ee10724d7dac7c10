package npm

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"rotd/daemon/browser"
	"rotd/ipc"
	"rotd/ipc/secret"
	"rotd/store"
)

// offerFactor is how much sooner than a page a list has to show a name that was
// typed.
const offerFactor = 3

// fill fills in the form.
func (w *Web) fill(ctx context.Context, name string, want store.Shape) error {
	page := w.v.page
	if err := page.Fill(ctx, nameField, secret.New(name)); err != nil {
		return err
	}
	if want.Description != "" {
		if err := page.Fill(ctx, descriptionField, secret.New(want.Description)); err != nil {
			return err
		}
	}
	for _, part := range []func(context.Context, store.Shape) error{
		w.fillBypass, w.fillRanges, w.fillPackages, w.fillOrgs, w.fillExpiration,
	} {
		if err := part(ctx, want); err != nil {
			return err
		}
	}
	return nil
}

// notOffered is what npm's form does not have for this account.
func (w *Web) notOffered(what, hint string) error {
	return &Error{Kind: ErrRefused, Message: w.v.doing + ": npm's form does not offer " + what, Hint: hint}
}

func (w *Web) fillBypass(ctx context.Context, want store.Shape) error {
	here, enabled, err := w.v.page.Enabled(ctx, bypassBox)
	if err != nil || !here && !want.Bypass2FA {
		return err
	}
	if want.Bypass2FA && !enabled {
		return w.notOffered("to bypass two-factor authentication", "npm offers it to accounts with two-factor authentication only: see the account's settings there, or go without --bypass-2fa")
	}
	return w.v.page.Tick(ctx, bypassBox, want.Bypass2FA)
}

func (w *Web) fillRanges(ctx context.Context, want store.Shape) error {
	for i, r := range want.CIDR {
		if i > 0 {
			if err := w.v.page.Click(ctx, addRange); err != nil {
				return err
			}
		}
		if err := w.v.page.Fill(ctx, rangeField(i), secret.New(r)); err != nil {
			return err
		}
	}
	return nil
}

func (w *Web) fillPackages(ctx context.Context, want store.Shape) error {
	if err := w.choosePermission(ctx, packagesTitle, want.Permission); err != nil || want.Permission == ipc.PermissionNone {
		return err
	}
	if want.PackagesAll {
		return w.v.page.Tick(ctx, allPackages, true)
	}
	if err := w.v.page.Tick(ctx, somePackages, true); err != nil {
		return err
	}
	if err := w.v.page.Click(ctx, pickerMenu); err != nil {
		return err
	}
	for _, name := range picked(want) {
		if err := w.pick(ctx, name); err != nil {
			return err
		}
	}
	return w.v.page.Click(ctx, pickerMenu)
}

// picked are the names to pick: a scope takes the place of its packages.
func picked(want store.Shape) []string {
	var all []string
	for _, s := range want.Scopes {
		all = append(all, target(s, true))
	}
	for _, p := range want.Packages {
		if scope, _, scoped := strings.Cut(p, "/"); !scoped || !slices.Contains(all, scope) {
			all = append(all, p)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// pick picks a package or a scope from the open list.
func (w *Web) pick(ctx context.Context, name string) error {
	if err := w.v.page.Fill(ctx, pickerFilter, secret.New(name)); err != nil {
		return err
	}
	item, err := w.offered(ctx, pickerItems(name))
	if err != nil {
		return err
	}
	if item == nil {
		return w.notOffered("the package or scope "+name, "check the spelling; a package that was never published takes a token for all packages")
	}
	return w.v.page.Click(ctx, *item)
}

// offered waits for one of the controls, the first of those that are there, and
// returns nil when none comes.
func (w *Web) offered(ctx context.Context, list []browser.Control) (c *browser.Control, err error) {
	patient, cancel := context.WithTimeout(ctx, w.v.patience/offerFactor)
	defer cancel()
	err = w.v.page.WaitFor(patient, func(ctx context.Context) (bool, error) {
		c, err = w.first(ctx, list)
		return c != nil, err
	})
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		return nil, nil
	}
	return c, err
}

// first returns the first of the controls that is on the page, nil for none.
func (w *Web) first(ctx context.Context, list []browser.Control) (*browser.Control, error) {
	for i := range list {
		if here, err := w.v.page.Has(ctx, list[i]); err != nil || here {
			return &list[i], err
		}
	}
	return nil, nil
}

func (w *Web) fillOrgs(ctx context.Context, want store.Shape) error {
	if err := w.choosePermission(ctx, orgsTitle, want.OrgsPerm); err != nil || want.OrgsPerm == ipc.PermissionNone {
		return err
	}
	for _, org := range want.Orgs {
		box, err := w.orgBox(ctx, org)
		if err != nil {
			return err
		}
		if box == nil {
			return w.notOffered("the organization "+org, "check the spelling, and that the account belongs to it")
		}
		if err := w.v.page.Tick(ctx, *box, true); err != nil {
			return err
		}
	}
	return nil
}

// orgBox is what an organization is chosen with, nil where it is not offered.
// Where they are in a menu, it is opened.
func (w *Web) orgBox(ctx context.Context, org string) (*browser.Control, error) {
	boxes := orgBoxes(strings.TrimPrefix(org, "@"))
	box, err := w.first(ctx, boxes)
	if err != nil || box != nil {
		return box, err
	}
	if menu, err := w.v.page.Has(ctx, orgsMenu); err != nil {
		return nil, err
	} else if menu {
		if err := w.v.page.Click(ctx, orgsMenu); err != nil {
			return nil, err
		}
	}
	return w.offered(ctx, boxes)
}

// choosePermission chooses in whichever generation of the picker is there
// (A.7.2): radio buttons, or a menu.
func (w *Web) choosePermission(ctx context.Context, title, permission string) error {
	var items []browser.Control
	for _, word := range permissionWords[permission] {
		items = append(items, permissionRadio(title, word))
	}
	radios, err := w.v.page.Has(ctx, permissionRadio(title, permissionWords[ipc.PermissionNone][0]))
	if err != nil {
		return err
	}
	if !radios {
		if err := w.v.page.Click(ctx, permissionMenu(title)); err != nil {
			return err
		}
		items = nil
		for _, word := range permissionWords[permission] {
			items = append(items, menuItem(word))
		}
	}
	item, err := w.offered(ctx, items)
	switch {
	case err != nil:
		return err
	case item == nil:
		return w.notOffered("the permission "+permission+" of "+title, "choose another permission, or create the token by the registry's API: rot connect npm")
	case radios:
		return w.v.page.Tick(ctx, *item, true)
	}
	return w.v.page.Click(ctx, *item)
}

func (w *Web) fillExpiration(ctx context.Context, want store.Shape) error {
	if want.ExpiresDays == 0 {
		return nil // npm's default
	}
	menu, err := w.expirationMenu(ctx)
	if err != nil {
		return err
	}
	if err := w.v.page.Click(ctx, menu); err != nil {
		return err
	}
	item, err := w.offered(ctx, []browser.Control{daysItem(want.ExpiresDays), customDate})
	if err != nil {
		return err
	}
	if item == nil {
		item = &customDate // whose absence is told
	}
	if err := w.v.page.Click(ctx, *item); err != nil || *item != customDate {
		return err
	}
	return w.v.page.SetDate(ctx, dateField, w.expires(want.ExpiresDays))
}

func (w *Web) expirationMenu(ctx context.Context) (browser.Control, error) {
	menu, err := w.first(ctx, expirationMenus)
	if err != nil || menu == nil {
		return expirationMenus[0], err
	}
	return *menu, nil
}

// expires is the date on which a token of so many days expires, as npm counts:
// full days in UTC, a begun one as a whole.
func (w *Web) expires(days int) string {
	return w.a.cfg.Now().UTC().AddDate(0, 0, days).Format(time.DateOnly)
}
