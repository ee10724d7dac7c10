package daemon

import (
	"net"
	"net/http"
	"os"
	"strings"
	"testing"

	"rotd/ipc"
)

// FuzzReader has somebody come with any reference and any Authorization: he gets
// the value with the one right token, and else the refusal of the door. The owner
// comes with the reference alone.
func FuzzReader(f *testing.F) {
	r := newRig(f)
	r.d.users.look = doorUsers
	_, rot := r.first()
	good, expired, _ := r.grants(rot, rot)
	for _, header := range []string{"", "Bearer " + good, "bearer " + good, "Bearer " + expired, "Bearer ", "Basic x", "Bearer rat_", "Bearer rat_" + good} {
		f.Add(rot, header)
		f.Add("rot_", header)
	}
	f.Add("../../status", "Bearer "+good)
	f.Fuzz(func(t *testing.T, ref, header string) {
		if rec := r.as(caller{uid: uint32(os.Getuid())}, "GET", ipc.Path(ipc.PathToken, ref), ""); rec.Code >= 500 {
			t.Errorf("the owner with %q: %d %s", ref, rec.Code, rec.Body)
		}
		c := caller{uid: strangerUID, gid: nobodies, header: header}
		rec := r.as(c, "GET", ipc.Path(ipc.PathToken, ref), "")
		switch rec.Code {
		case http.StatusForbidden, http.StatusNotFound, http.StatusMovedPermanently, http.StatusTemporaryRedirect: // "" and dots are other paths
		case http.StatusOK:
			if !strings.HasSuffix(header, " "+good) {
				t.Errorf("%q reads %q", header, ref)
			}
		default:
			t.Errorf("%q with %q: %d %s", ref, header, rec.Code, rec.Body)
		}
	})
}

// FuzzGrantTo posts any body, and takes back whatever name it has.
func FuzzGrantTo(f *testing.F) {
	r := newRig(f)
	_, rot := r.first()
	for _, body := range []string{`{"kind":"uid","subject":"root"}`, `{"kind":"gid","subject":"0"}`, `{"kind":"unit","subject":"a@b.service"}`,
		`{"kind":"access-token","subject":"x","expires":"90d"}`, `{"kind":"uid","subject":"-1"}`, `{"kind":"uid","subject":"4294967296"}`, `{}`, `[]`, ``} {
		f.Add(body)
	}
	me := caller{uid: uint32(os.Getuid())}
	f.Fuzz(func(t *testing.T, body string) {
		if rec := r.as(me, "POST", ipc.Path(ipc.PathGrants, rot), body); rec.Code >= 500 {
			t.Errorf("%q: %d %s", body, rec.Code, rec.Body)
		}
		if rec := r.as(me, "DELETE", ipc.Path(ipc.Path(ipc.PathGrant, rot), body), ""); rec.Code >= 500 {
			t.Errorf("take back %q: %d %s", body, rec.Code, rec.Body)
		}
	})
}

// FuzzUnitOf reads any address.
func FuzzUnitOf(f *testing.F) {
	f.Add(forged)
	f.Add("@0/unit/a/b")
	f.Fuzz(func(t *testing.T, name string) {
		if unit, cred, ok := unitOf(&net.UnixAddr{Name: name}); ok != (unit != "" && cred != "") {
			t.Errorf("%q is unit %q, credential %q, %v", name, unit, cred, ok)
		}
	})
}
