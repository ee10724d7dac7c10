package helper

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"rotd/ipc"
)

func TestShapes(t *testing.T) {
	for args, want := range map[string]*ipc.Shape{
		"":          nil,
		"--name ci": nil,
		"--for publish": {
			ExpiresDays: 90, PackagesAll: true, Permission: "read-write", Bypass2FA: true,
		},
		"--for stage": {
			ExpiresDays: 90, PackagesAll: true, Permission: "read-write-stage-only",
		},
		"--for install": {
			ExpiresDays: 30, PackagesAll: true, Permission: "read-only",
		},
		"--for publish --packages a,@b/c --packages d": {
			ExpiresDays: 90, Packages: []string{"a", "@b/c", "d"}, Permission: "read-write", Bypass2FA: true,
		},
		"--for install --scopes @acme": {
			ExpiresDays: 30, Scopes: []string{"@acme"}, Permission: "read-only",
		},
		"--for install --orgs acme --orgs-permission read-only": {
			ExpiresDays: 30, PackagesAll: true, Permission: "read-only", Orgs: []string{"acme"}, OrgsPerm: "read-only",
		},
		"--for publish --bypass-2fa=false --expires 7 --packages-and-scopes-permission read-only": {
			ExpiresDays: 7, PackagesAll: true, Permission: "read-only",
		},
		"--for stage --bypass-2fa --cidr 203.0.113.0/24 --description for_CI": {
			ExpiresDays: 90, PackagesAll: true, Permission: "read-write-stage-only", Bypass2FA: true, CIDR: []string{"203.0.113.0/24"}, Description: "for_CI",
		},
		"--for publish --packages-all=false --orgs acme": {
			ExpiresDays: 90, Permission: "read-write", Bypass2FA: true, Orgs: []string{"acme"},
		},
		"--packages a":                {Packages: []string{"a"}},
		"--packages-all --bypass-2fa": {PackagesAll: true, Bypass2FA: true},
		"--name ci --expires 30":      {ExpiresDays: 30},
	} {
		fs := new(flagSet)
		f := newShapeFlags(fs)
		if err := fs.Parse(strings.Fields(args)); err != nil {
			t.Fatal(err)
		}
		got, err := f.wanted()
		if err != nil {
			t.Errorf("%s: %v", args, err)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s: (-want +got)\n%s", args, d)
		}
	}
}

func TestTheAnnouncementIsMadeWhereItApplies(t *testing.T) {
	for args, want := range map[string]bool{
		"--for publish":                    true,
		"--for publish --bypass-2fa=false": false,
		"--for stage":                      false,
		"--for install":                    false,
		"--packages a --packages-and-scopes-permission read-write --bypass-2fa": true,
		"": false,
	} {
		d := newDaemon(t)
		d.stream("POST "+ipc.PathRotate, ipc.Event{Result: &ipc.Result{}})
		got := d.run(append([]string{"rotate", testPas}, strings.Fields(args)...)...)
		if strings.Contains(got.stderr, "January 2027") != want {
			t.Errorf("%s: %q", args, got.stderr)
		}
	}
}
