package npm

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"rotd/daemon/rotate"
	"rotd/ipc"
	"rotd/store"
)

// Verify asks the registry whether it accepts the value of got as a token of
// this account, and compares what its list tells of the token with want. Of
// packages, scopes, orgs and addresses that it does not tell of there is taken to
// be no limit: the token differs. What else it does not tell is told to the person
// and held against nobody.
func (a *Account) Verify(ctx context.Context, got rotate.Token, want store.Shape) error {
	const doing = "check the new token"
	if err := a.accepted(ctx, doing, got, want); err != nil {
		return err
	}
	listed, err := a.list(ctx)
	if errors.Is(err, ErrUnreachable) || errors.Is(err, ErrServer) {
		return notYet{err}
	}
	if err != nil {
		return err
	}
	i := slices.IndexFunc(listed, func(f fields) bool { return f.token(time.Time{}).Key == got.Key && !f.revoked() })
	if i < 0 {
		return notYet{&Error{Kind: ErrGarbled, Message: doing + ": the registry does not list it", Hint: "try again; the old token is untouched"}}
	}
	// What the listing leaves out, the answer to the creation may have told.
	told := maps.Clone(a.made[got.Key])
	if told == nil {
		told = fields{}
	}
	maps.Copy(told, listed[i])
	return a.compared(told, got, want)
}

// accepted asks the registry for the user of the new token's value.
func (a *Account) accepted(ctx context.Context, doing string, got rotate.Token, want store.Shape) error {
	name, err := a.whoami(ctx, doing, got.Value)
	switch {
	case errors.Is(err, errAddress) && len(want.CIDR) > 0:
		a.tell("noticed", "this machine is outside the token's CIDR ranges, so that its value could not be tried")
		return nil
	case errors.Is(err, ErrSessionExpired):
		return notYet{&Error{Kind: ErrRefused, Message: doing + ": the registry refuses its value", Hint: "try again; the old token is untouched"}}
	case errors.Is(err, ErrUnreachable) || errors.Is(err, ErrServer):
		return notYet{err}
	case err == nil && a.username != "" && !strings.EqualFold(name, a.username):
		return &rotate.MismatchError{Differences: []string{fmt.Sprintf("user: asked %s, got %s", a.username, name)}}
	}
	return err
}

// compared compares what npm tells of a token with what was asked for.
func (a *Account) compared(told fields, got rotate.Token, want store.Shape) error {
	c := comparison{told: told, clean: a.reg.clean}
	c.compare(got, want)
	if len(c.differences) > 0 {
		return &rotate.MismatchError{Differences: c.differences, Untold: c.limitless}
	}
	if len(c.untold) > 0 {
		a.tell("noticed", "the registry does not tell the token's "+strings.Join(c.untold, ", "))
	}
	return nil
}

// notYet marks what may be otherwise in a moment.
type notYet struct{ error }

func (e notYet) Unwrap() []error { return []error{e.error, rotate.ErrNotYet} }

// comparison collects in what a token differs from what was asked for.
type comparison struct {
	told        fields
	clean       func(string) string
	differences []string
	untold      []string
	limitless   bool // a difference is a limit that is not told of
}

func (c *comparison) differ(what, asked, got string) {
	c.differences = append(c.differences, fmt.Sprintf("%s: asked %s, got %s", what, c.clean(asked), c.clean(got)))
}

// unconfirmed is a limit that was asked for and is not told of.
func (c *comparison) unconfirmed(what, asked string) {
	c.differences = append(c.differences, fmt.Sprintf("%s: asked %s, and the registry tells of no such limit", what, c.clean(asked)))
	c.limitless = true
}

func (c *comparison) compare(got rotate.Token, want store.Shape) {
	if name := c.told.text("name", "token_name"); name != "" && name != got.Name {
		c.differ("name", got.Name, name)
	}
	hasPackages := want.PackagesAll || len(want.Packages)+len(want.Scopes) > 0
	c.permission("permission", "package", "packages_and_scopes_permission", want.Permission, hasPackages)
	c.permission("orgs permission", "org", "orgs_permission", want.OrgsPerm, len(want.Orgs) > 0)
	c.targets(want)
	c.cidr(want.CIDR)
	if bypass, told := c.told.truth("bypass_2fa"); told && bypass != want.Bypass2FA {
		c.differ("bypass-2fa", fmt.Sprint(want.Bypass2FA), fmt.Sprint(bypass))
	} else if !told && want.Bypass2FA {
		c.untold = append(c.untold, "bypass-2fa flag")
	}
	c.expiry(got, want.ExpiresDays)
}

// permission compares what a token may do with packages (and scopes) or with
// orgs.
func (c *comparison) permission(what, kind, flat, asked string, hasTargets bool) {
	if asked == "" { // npm's default (B.5)
		asked = ipc.PermissionNone
		if hasTargets {
			asked = ipc.PermissionRead
		}
	}
	got := c.told.text(flat)
	if got == "" {
		got = c.action(kind)
		// The list tells only read and write: a stage-only token shows as
		// write (npm-facts B.6). One flag for the whole token knows no staging.
		if asked == ipc.PermissionStage && got == ipc.PermissionWrite {
			if !c.told.list("permissions") {
				c.unconfirmed(what, asked)
			}
			return
		}
	}
	switch {
	case got == "" && hasTargets:
		c.untold = append(c.untold, what)
	case got != "" && got != asked:
		c.differ(what, asked, got)
	}
}

// action reads the list's permissions; empty where they are not told.
func (c *comparison) action(kind string) string {
	if c.told.list("permissions") {
		got := ipc.PermissionNone
		for _, p := range c.told.objects("permissions") {
			name := p.text("name", "type")
			if !strings.HasPrefix(name, kind) && (kind != "package" || !strings.HasPrefix(name, "scope")) {
				continue
			}
			switch action := p.text("action", "permission"); {
			case strings.Contains(action, "write"):
				return ipc.PermissionWrite
			case strings.Contains(action, "read"):
				got = ipc.PermissionRead
			}
		}
		return got
	}
	// Older registries have one flag for the whole token.
	if readonly, ok := c.told.truth("readonly"); ok && kind == "package" {
		if readonly {
			return ipc.PermissionRead
		}
		return ipc.PermissionWrite
	}
	return ""
}

// targets compares the packages, scopes and orgs.
func (c *comparison) targets(want store.Shape) {
	var asked, askedOrgs []string
	for _, p := range want.Packages {
		asked = append(asked, target(p, false))
	}
	for _, s := range want.Scopes {
		asked = append(asked, target(s, true))
	}
	for _, o := range want.Orgs {
		askedOrgs = append(askedOrgs, strings.TrimPrefix(o, "@"))
	}
	if !c.told.list("scopes") {
		if !want.PackagesAll && len(asked) > 0 {
			c.unconfirmed("packages and scopes", set(asked))
		}
		if len(askedOrgs) > 0 {
			c.unconfirmed("orgs", set(askedOrgs))
		}
		return
	}
	var packages, orgs []string
	for _, s := range c.told.objects("scopes") {
		name, kind := s.text("name"), s.text("type")
		switch {
		case name == "":
		case strings.HasPrefix(kind, "org"):
			orgs = append(orgs, strings.TrimPrefix(name, "@"))
		case kind == "" || strings.HasPrefix(kind, "package") || strings.HasPrefix(kind, "scope"):
			packages = append(packages, target(name, strings.HasPrefix(kind, "scope")))
		}
	}
	all := slices.ContainsFunc(packages, func(p string) bool { return p == "*" || p == "all" || p == "@*" })
	if want.PackagesAll {
		if len(packages) > 0 && !all {
			c.differ("packages", "all", set(packages))
		}
	} else if set(asked) != set(packages) {
		c.differ("packages and scopes", set(asked), set(packages))
	}
	if set(askedOrgs) != set(orgs) {
		c.differ("orgs", set(askedOrgs), set(orgs))
	}
}

// target is one spelling of a package or a scope: "@acme", "@acme/" and
// "@acme/*" are the same.
func target(name string, scope bool) string {
	if scope && !strings.HasPrefix(name, "@") {
		name = "@" + name
	}
	if strings.HasPrefix(name, "@") {
		name = strings.TrimSuffix(strings.TrimSuffix(name, "*"), "/")
	}
	return name
}

func (c *comparison) cidr(want []string) {
	if !c.told.told("cidr", "cidr_whitelist") {
		if len(want) > 0 {
			c.unconfirmed("CIDR ranges", ranges(want))
		}
		return
	}
	asked, got := ranges(want), ranges(c.told.texts("cidr", "cidr_whitelist"))
	if asked != got {
		c.differ("CIDR ranges", asked, got)
	}
}

// ranges is one spelling of a list of address ranges.
func ranges(list []string) string {
	norm := make([]string, 0, len(list))
	for _, s := range list {
		if p, err := netip.ParsePrefix(s); err == nil {
			s = p.Masked().String()
		} else if ip, err := netip.ParseAddr(s); err == nil {
			s = netip.PrefixFrom(ip, ip.BitLen()).String()
		}
		norm = append(norm, s)
	}
	return set(norm)
}

// set prints a list without order and repetition.
func set(list []string) string {
	list = slices.Compact(slices.Sorted(slices.Values(list)))
	if len(list) == 0 {
		return "none"
	}
	return strings.Join(list, ", ")
}

// expiry compares the days that were asked for, to the day: npm may round.
func (c *comparison) expiry(got rotate.Token, days int) {
	expires := c.told.when("expiry", "expires")
	switch {
	case days == 0: // npm's default, whichever it is
	case c.told.null("expiry", "expires"):
		c.differ("expiry", fmt.Sprintf("%d days", days), "none")
	case expires.IsZero() && got.Expires.IsZero():
		c.untold = append(c.untold, "expiry")
	case expires.IsZero(): // the token's own, of which nobody has a say
		c.untold = append(c.untold, "expiry, which is "+got.Expires.UTC().Format("2006-01-02 15:04 MST")+" by the token itself")
	default:
		created := c.told.when("created")
		if created.IsZero() {
			created = got.Created
		}
		const day = 24 * time.Hour
		if life := expires.Sub(created); life < time.Duration(days-1)*day || life > time.Duration(days+1)*day {
			c.differ("expiry", fmt.Sprintf("%d days", days), fmt.Sprintf("%.1f days", life.Hours()/24))
		}
	}
}
