package daemon

import (
	"strings"
	"testing"

	"rotd/ipc"
)

func TestCheckShape(t *testing.T) {
	publish := ipc.Shape{PackagesAll: true, Permission: ipc.PermissionWrite, Bypass2FA: true, ExpiresDays: 90}
	with := func(change func(*ipc.Shape)) ipc.Shape {
		s := publish
		change(&s)
		return s
	}
	for _, c := range []struct {
		name  string
		shape ipc.Shape
		want  string // in the error; empty: none
	}{
		{"publish", publish, ""},
		{"stage", with(func(s *ipc.Shape) { s.Permission = ipc.PermissionStage }), ""},
		{"read-only for years", ipc.Shape{Scopes: []string{"@acme"}, Permission: ipc.PermissionRead, ExpiresDays: 1000}, ""},
		{"an organization only", ipc.Shape{Orgs: []string{"acme"}, OrgsPerm: ipc.PermissionRead}, ""},
		{"too long a life", with(func(s *ipc.Shape) { s.ExpiresDays = 91 }), "90 days"},
		{"a negative life", with(func(s *ipc.Shape) { s.ExpiresDays = -1 }), "1 or more"},
		{"an unknown permission", with(func(s *ipc.Shape) { s.Permission = "write" }), "read-write"},
		{"staging for organizations", with(func(s *ipc.Shape) { s.OrgsPerm = ipc.PermissionStage }), "organizations"},
		{"all and some", with(func(s *ipc.Shape) { s.Packages = []string{"a"} }), "not both"},
		{"nothing", with(func(s *ipc.Shape) { s.PackagesAll = false }), "at least one"},
		{"51 packages", ipc.Shape{Packages: make([]string, 51), Permission: ipc.PermissionRead}, "50"},
		{"a scope without @", ipc.Shape{Scopes: []string{"acme"}, Permission: ipc.PermissionRead}, "@"},
		{"IPv6", with(func(s *ipc.Shape) { s.CIDR = []string{"2001:db8::/32"} }), "IPv4"},
		{"no range", with(func(s *ipc.Shape) { s.CIDR = []string{"203.0.113.7"} }), "IPv4"},
		{"a long description", with(func(s *ipc.Shape) { s.Description = strings.Repeat("ü", 121) }), "120"},
	} {
		err := checkShape(&c.shape)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}
