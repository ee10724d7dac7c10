package daemon

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"rotd/ipc"
	"rotd/ipc/socket"
	"rotd/store"
)

// The users of the machine in these tests, beside the daemon's own: a stranger,
// one with a grant, two that groups have, and one who was removed.
const (
	strangerUID = 64001 + iota
	grantedUID
	memberUID  // runs as the group that has a grant
	supplyUID  // is in it by the user database
	removedUID // has a grant, and is no user any more

	builders = 64100
	nobodies = 64101
)

// doorUsers is their user database.
func doorUsers(uid uint32) (account, bool) {
	known := map[uint32]account{
		strangerUID: {"stranger", []uint32{nobodies}},
		grantedUID:  {"granted", []uint32{nobodies}},
		memberUID:   {"member", []uint32{builders}},
		supplyUID:   {"supply", []uint32{nobodies, builders}},
		anybodysID:  {"nobody", []uint32{anybodysID}},
	}
	a, ok := known[uid]
	return a, ok
}

// grants gives the users of the tests what they have, and makes access tokens:
// a good one, one that has expired, one for another ROT.
func (r *rig) grants(rot, other string) (good, expired, elsewhere string) {
	r.t.Helper()
	st := r.d.store.Load()
	for kind, id := range map[string][]uint32{store.GrantUID: {grantedUID, removedUID, anybodysID}, store.GrantGID: {builders, anybodysID}} {
		for _, n := range id {
			if _, err := st.AddGrant(r.t.Context(), store.Grant{ROT: rot, Kind: kind, Subject: number(n)}, nil); err != nil {
				r.t.Fatal(err)
			}
		}
	}
	token := func(rot, name string, life time.Duration) string {
		text := newAccessToken()
		if _, _, err := st.AddTokenGrant(r.t.Context(), rot, name, accessHash(text), r.clock().Add(life), nil); err != nil {
			r.t.Fatal(err)
		}
		return text.Reveal()
	}
	return token(rot, "good", time.Hour), token(rot, "expired", -time.Second), token(other, "elsewhere", time.Hour)
}

// caller is somebody at the door.
type caller struct {
	name  string
	uid   uint32
	gid   uint32
	token string
	may   []access
	reads bool // the ROT that was granted

	header string // for Authorization, where it is not to be a token's
}

func doorCallers(good, expired, elsewhere string) []caller {
	me, myGroup := uint32(os.Getuid()), uint32(os.Getgid())
	all := []access{accessOwner, accessReader, accessAnyone}
	some := []access{accessReader, accessAnyone}
	return []caller{
		{"the owner", me, myGroup, "", all, true, ""},
		{"root", 0, 0, "", all, true, ""},
		{"a stranger", strangerUID, nobodies, "", some, false, ""},
		{"a granted uid", grantedUID, nobodies, "", some, true, ""},
		{"one of a granted gid", memberUID, builders, "", some, true, ""},
		{"one of a granted supplementary gid", supplyUID, nobodies, "", some, true, ""},
		{"whoever has no number here", anybodysID, anybodysID, "", some, false, ""},
		{"a removed uid that has a grant", removedUID, builders, "", some, false, ""},
		{"a good token", strangerUID, nobodies, good, some, true, ""},
		{"a good token of a removed uid", removedUID, nobodies, good, some, true, ""},
		{"an expired token", strangerUID, nobodies, expired, some, false, ""},
		{"a wrong token", strangerUID, nobodies, newAccessToken().Reveal(), some, false, ""},
		{"a malformed token", strangerUID, nobodies, good[:len(good)-1], some, false, ""},
		{"another ROT's token", strangerUID, nobodies, elsewhere, some, false, ""},
		{"a granted uid with another ROT's token", grantedUID, nobodies, elsewhere, some, false, ""},
		{"the owner with another ROT's token", me, myGroup, elsewhere, all, false, ""},
	}
}

// doorNeeds is what each path is for, written a second time: a new one, or one
// that is opened further, has to be entered here.
var doorNeeds = map[string]access{
	"GET " + ipc.PathVersion:     accessAnyone,
	"GET " + ipc.PathToken:       accessReader,
	"GET " + ipc.PathStatus:      accessOwner,
	"GET " + ipc.PathStaged:      accessOwner,
	"GET " + ipc.PathDoctor:      accessOwner,
	"GET " + ipc.PathPasscards:   accessOwner,
	"POST " + ipc.PathPasscards:  accessOwner,
	"GET " + ipc.PathROTs:        accessOwner,
	"POST " + ipc.PathRotate:     accessOwner,
	"POST " + ipc.PathApprove:    accessOwner,
	"POST " + ipc.PathRevoke:     accessOwner,
	"POST " + ipc.PathRemove:     accessOwner,
	"GET " + ipc.PathLog:         accessOwner,
	"GET " + ipc.PathSchedule:    accessOwner,
	"PUT " + ipc.PathSchedule:    accessOwner,
	"GET " + ipc.PathDeliver:     accessOwner,
	"POST " + ipc.PathDeliver:    accessOwner,
	"DELETE " + ipc.PathDelivery: accessOwner,
	"GET " + ipc.PathGrants:      accessOwner,
	"POST " + ipc.PathGrants:     accessOwner,
	"DELETE " + ipc.PathGrant:    accessOwner,
	"POST " + ipc.PathAnswer:     accessOwner,
	"POST " + ipc.PathPasskey:    accessOwner,
	"DELETE " + ipc.PathPasskey:  accessOwner,
	"POST " + ipc.PathExport:     accessOwner,
	"POST " + ipc.PathImport:     accessOwner,

	"POST " + ipc.PathStrays:      accessOwner,
	"POST " + ipc.PathStrayRevoke: accessOwner,
}

// TestTheDoor is the table of path and caller: what each path is for, who may
// have that, and that everybody else gets the one refusal.
func TestTheDoor(t *testing.T) {
	r := newRig(t)
	r.d.users.look = doorUsers
	_, rot := r.first()
	res, werr := r.stream("/v1/rotations/"+r.passcardOf(rot), ipc.Rotate{Name: "other", Shape: publish})
	if werr != nil {
		t.Fatal(werr)
	}
	other := bare(res.Rotations[0].ROT)
	callers := doorCallers(r.grants(rot, other))
	for _, rt := range routes {
		name := rt.method + " " + rt.path
		if want, ok := doorNeeds[name]; !ok || rt.need != want {
			t.Errorf("%s is for access %d, and the table of this test says %d", name, rt.need, want)
		}
		for _, c := range callers {
			r.tryDoor(rt, c, rot, "rot_aaaaaaaaaaaaaaaa")
		}
		req := httptest.NewRequest(rt.method, "http://rotd"+pathOf(rt, rot), nil)
		rec := httptest.NewRecorder()
		r.handler.ServeHTTP(rec, req) // nobody knows who
		if e := r.errorOf(rec); e.Code != ipc.CodeNotAllowed {
			t.Errorf("%s by nobody knows whom: %+v", name, e)
		}
	}
	if len(routes) != len(doorNeeds) {
		t.Errorf("%d paths, and %d in the table", len(routes), len(doorNeeds))
	}
}

// tryDoor has a caller try a path: with a ROT that is there, and with one that
// is not. What he may do is tried in a way that changes nothing.
func (r *rig) tryDoor(rt route, c caller, rot, none string) {
	r.t.Helper()
	what := fmt.Sprintf("%s %s by %s", rt.method, rt.path, c.name)
	rec := r.as(c, rt.method, pathOf(rt, rot), "no JSON")
	refused := rec.Code/100 != 2 && r.errorOf(rec).Code == ipc.CodeNotAllowed
	want := slices.Contains(c.may, rt.need) && (rt.need != accessReader || c.reads)
	if refused == want {
		r.t.Errorf("%s: %d %s, want admitted %v", what, rec.Code, rec.Body, want)
	}
	if rt.need == accessReader && want && !strings.Contains(rec.Body.String(), `"value":"npm_`) {
		r.t.Errorf("%s: no value: %s", what, rec.Body)
	}
	if want {
		return
	}
	if e := r.errorOf(rec); rec.Code != http.StatusForbidden || e.Message == "" || e.Hint == "" || strings.Contains(rec.Body.String(), "npm_") {
		r.t.Errorf("%s is refused by %d %+v", what, rec.Code, e)
	}
	// What is not there is refused in the same words.
	twin := r.as(c, rt.method, pathOf(rt, none), "no JSON")
	if got := strings.ReplaceAll(twin.Body.String(), none, rot); twin.Code != rec.Code || got != rec.Body.String() {
		r.t.Errorf("%s learns what is there:\n%s%s", what, rec.Body, got)
	}
}

// pathOf is a path with a ROT in it.
func pathOf(rt route, rot string) string {
	return strings.NewReplacer("{ref}", rot, "{name}", "none", "{id}", "none").Replace(rt.path)
}

// as makes a request as somebody whose earlier ones the door has forgotten: the
// tables of the tests are longer than its patience.
func (r *rig) as(c caller, method, path, body string) *httptest.ResponseRecorder {
	r.d.strikes.mu.Lock()
	r.d.strikes.uid = nil
	r.d.strikes.mu.Unlock()
	return r.send(c, method, path, body)
}

func (r *rig) send(c caller, method, path, body string) *httptest.ResponseRecorder {
	req := httptest.NewRequest(method, "http://rotd"+path, strings.NewReader(body))
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	if c.header != "" {
		req.Header.Set("Authorization", c.header)
	}
	req = req.WithContext(context.WithValue(req.Context(), peerKey{}, socket.Peer{UID: c.uid, GID: c.gid}))
	rec := httptest.NewRecorder()
	r.handler.ServeHTTP(rec, req)
	return rec
}

func (r *rig) passcardOf(rot string) string { return bare(r.rot(rot).Passcard) }

func TestAnyoneLearnsNothing(t *testing.T) {
	for _, rt := range routes {
		if rt.need == accessAnyone && rt.path != ipc.PathVersion {
			t.Errorf("%s is open to everybody: say here why", rt.path)
		}
	}
}

func TestRequestsByWayOfABrowser(t *testing.T) {
	for _, c := range []struct {
		host, header, value string
		want                bool
	}{
		{"rotd", "", "", false},
		{"localhost", "", "", false},
		{"", "", "", false},
		{"localhost:4899", "", "", true},
		{"attacker.example", "", "", true},
		{"rotd", "Origin", "http://localhost", true},
		{"rotd", "Origin", "null", true},
		{"rotd", "Referer", "http://localhost/x", true},
	} {
		r := httptest.NewRequest("GET", "http://x/v1/version", nil)
		r.Host = c.host
		if c.header != "" {
			r.Header.Set(c.header, c.value)
		}
		if got := fromBrowser(r); got != c.want {
			t.Errorf("Host %q, %s %q: %v, want %v", c.host, c.header, c.value, got, c.want)
		}
	}
}

// TestVisitorsDoNotHoldUpTheOwner has others take all the turns that they get.
func TestVisitorsDoNotHoldUpTheOwner(t *testing.T) {
	r := newRig(t)
	r.d.users.look = doorUsers
	_, rot := r.first()
	for range visitorsAtOnce {
		leave, err := r.d.visitors.take(httptest.NewRequest("GET", "http://rotd/", nil))
		if err != nil {
			t.Fatal(err)
		}
		defer leave()
	}
	r.token(rot) // the owner's
	ctx, gone := context.WithCancel(context.WithValue(t.Context(), peerKey{}, socket.Peer{UID: strangerUID, GID: nobodies}))
	gone() // a visitor who does not wait
	rec := httptest.NewRecorder()
	r.handler.ServeHTTP(rec, httptest.NewRequest("GET", "http://rotd/v1/rots/"+rot+"/token", nil).WithContext(ctx))
	if e := r.errorOf(rec); e.Code != ipc.CodeCancelled {
		t.Errorf("a visitor without a turn: %+v", e)
	}
}
