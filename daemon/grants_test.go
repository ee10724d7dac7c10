package daemon

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/quick"
	"time"

	"rotd/ipc"
	"rotd/store"
)

func TestAccessTokenForm(t *testing.T) {
	form := regexp.MustCompile(`^rat_[0-9A-Za-z]{33}$`)
	seen := make(map[string]bool)
	for range 1000 {
		text := newAccessToken().Reveal()
		if !form.MatchString(text) || !isAccessToken(text) || seen[text] {
			t.Fatalf("it is %q", text)
		}
		seen[text] = true
		for i := len(accessPrefix); i < len(text); i++ { // no slip of one character passes
			slip := text[:i] + string(base62[(strings.IndexByte(base62, text[i])+1)%62]) + text[i+1:]
			if isAccessToken(slip) {
				t.Fatalf("%q passes for %q", slip, text)
			}
		}
	}
	if !isAccessToken("rat_" + strings.Repeat("0", 27) + "2MvMGi") { // by another implementation
		t.Error("the checksum is another one than scanners know")
	}
	if err := quick.Check(func(s string) bool { return !isAccessToken(s) && !isAccessToken("rat_"+s) }, nil); err != nil {
		t.Error(err)
	}
}

// TestGuessingIsShutOut: ten wrong tokens in a minute, and the uid is out for
// one; nobody else is, and the owner only with tokens.
func TestGuessingIsShutOut(t *testing.T) {
	r := newRig(t)
	r.d.users.look = doorUsers
	_, rot := r.first()
	good, _, _ := r.grants(rot, rot)
	me := uint32(os.Getuid())
	path := "/v1/rots/" + rot + "/token"
	try := func(uid uint32, token string) *ipc.Error {
		t.Helper()
		req := caller{uid: uid, gid: nobodies, token: token}
		rec := r.send(req, "GET", path, "")
		if rec.Code == 200 {
			return nil
		}
		return r.errorOf(rec)
	}
	wrong := func(i int) string {
		if i%2 == 0 {
			return "rat_nonsenseEXAMPLE"
		}
		return newAccessToken().Reveal()
	}
	for _, uid := range []uint32{grantedUID, me} {
		for i := range maxStrikes {
			if err := try(uid, good); err != nil {
				t.Fatalf("uid %d is out after %d: %+v", uid, i, err)
			}
			if err := try(uid, wrong(i)); err == nil || err.Code != ipc.CodeNotAllowed || err.RetryAfter != 0 {
				t.Fatalf("wrong token %d: %+v", i, err)
			}
		}
		if err := try(uid, good); err == nil || err.Code != ipc.CodeNotAllowed || err.RetryAfter < 1 || err.RetryAfter > 60 {
			t.Errorf("uid %d after ten: %+v", uid, err)
		}
		if err := try(uid, ""); (err == nil) != (uid == me) {
			t.Errorf("uid %d without a token: %+v", uid, err)
		}
	}
	if err := try(strangerUID, good); err != nil {
		t.Errorf("another uid is out, too: %+v", err)
	}
	r.advance(shutOut - time.Second)
	if err := try(grantedUID, good); err == nil || err.RetryAfter != 1 {
		t.Errorf("a second too early: %+v", err)
	}
	r.advance(time.Second)
	if err := try(grantedUID, good); err != nil {
		t.Errorf("a minute later: %+v", err)
	}
	for i := range 3 * maxStrikes { // nine a minute are slips
		if i%(maxStrikes-1) == 0 {
			r.advance(strikeTime)
		}
		if err := try(supplyUID, wrong(i)); err == nil || err.RetryAfter != 0 {
			t.Fatalf("slip %d: %+v", i, err)
		}
	}
}

// TestTheLogSaysWhoRead: by uid and by the name of the access token, and who was
// refused what; the token's text is nowhere.
func TestTheLogSaysWhoRead(t *testing.T) {
	r := newRig(t)
	r.d.users.look = doorUsers
	_, rot := r.first()
	good, expired, _ := r.grants(rot, rot)
	wrong := newAccessToken().Reveal()
	path := "/v1/rots/" + rot + "/token"
	for _, c := range []caller{{uid: strangerUID, token: good}, {uid: strangerUID, token: expired}, {uid: strangerUID, token: wrong}, {uid: strangerUID}, {uid: grantedUID}} {
		r.as(c, "GET", path, "")
	}
	if err := r.d.writeLog(t.Context()); err != nil {
		t.Fatal(err)
	}
	var told []string
	for _, kind := range []string{store.LogRead, store.LogRefused} {
		for _, e := range r.entries(rot, kind) {
			told = append(told, fmt.Sprintf("%s uid %d %s", e.Kind, *e.UID, e.Detail))
		}
	}
	for _, want := range []string{
		fmt.Sprintf("read uid %d access token good", strangerUID),
		fmt.Sprintf("read uid %d ", grantedUID),
		fmt.Sprintf("refused uid %d %s", strangerUID, ipc.PathToken),
		fmt.Sprintf("refused uid %d %s, with access token expired, expired", strangerUID, ipc.PathToken),
		fmt.Sprintf("refused uid %d %s, with a wrong access token", strangerUID, ipc.PathToken),
	} {
		if n := strings.Count(strings.Join(told, "\n")+"\n", want+"\n"); n != 1 {
			t.Errorf("%q is told %d times in %q", want, n, told)
		}
	}
	for _, g := range r.grantsOf(rot) {
		if (g.Used != nil) != (g.Subject == "good") {
			t.Errorf("%s was used %v", g.ID, g.Used)
		}
	}
	kept := r.log.String()
	for _, name := range []string{"rotd.db", "rotd.db-wal"} {
		b, err := os.ReadFile(filepath.Join(r.d.cfg.StateDir, name))
		if err != nil {
			t.Fatal(err)
		}
		kept += string(b)
	}
	for _, text := range []string{good, expired, wrong} {
		if strings.Contains(kept, text[len(accessPrefix):][:10]) {
			t.Error("an access token, or a part of it, is in the log of the daemon or in the state")
		}
	}
}

func (r *rig) grantsOf(rot string) []ipc.Grant {
	r.t.Helper()
	var all struct{ Grants []ipc.Grant }
	if err := r.call("GET", "/v1/rots/"+rot+"/grants", nil, &all); err != nil {
		r.t.Fatal(err)
	}
	return all.Grants
}

func TestGrantsByTheAPI(t *testing.T) {
	r := newRig(t)
	r.d.cfg.Socket = filepath.Join(r.d.cfg.StateDir, "s") // mode 0700
	_, rot := r.first()
	path := "/v1/rots/" + rot + "/grants"
	for _, bad := range []ipc.GrantTo{
		{}, {Kind: "uid"}, {Kind: "uid", Subject: "no-such-user"}, {Kind: "uid", Subject: "4294967296"}, {Kind: "gid", Subject: "no-such-group"},
		{Kind: "unit", Subject: "a b"}, {Kind: "unit"}, {Kind: "access-token"}, {Kind: "access-token", Subject: "rat_x"},
		{Kind: "access-token", Subject: "x", Expires: "soon"}, {Kind: "uid", Subject: "root", Expires: "90d"}, {Kind: "host", Subject: "x"},
		{Kind: "uid", Subject: number(anybodysID)}, {Kind: "gid", Subject: number(anybodysID)},
	} {
		if err := r.call("POST", path, bad, nil); err == nil || err.Code != ipc.CodeBadRequest || err.Hint == "" {
			t.Errorf("%+v: %+v", bad, err)
		}
	}
	grant := func(kind, subject, expires string) (g ipc.Grant) {
		t.Helper()
		if err := r.call("POST", path, ipc.GrantTo{Kind: kind, Subject: subject, Expires: expires}, &g); err != nil {
			t.Fatalf("%s %s: %+v", kind, subject, err)
		}
		return g
	}
	if g := grant("uid", "root", ""); g.ID != "uid:0" || g.Name != "root" || g.Warning != "" {
		t.Errorf("a user by name: %+v", g)
	}
	if g := grant("gid", "0", ""); g.ID != "gid:0" || g.Name == "" {
		t.Errorf("a group by number: %+v", g)
	}
	if g := grant("unit", "publish", ""); g.ID != "unit:publish.service" || !strings.Contains(g.Warning, "--credential-socket") {
		t.Errorf("a unit: %+v", g)
	}
	g := grant("access-token", "runner", "90d")
	if !isAccessToken(g.AccessToken.Reveal()) || g.Expires == nil || g.Expires.Sub(r.clock()).Round(time.Second) != 90*24*time.Hour {
		t.Errorf("an access token: %+v", g)
	}
	if err := r.call("POST", path, ipc.GrantTo{Kind: "access-token", Subject: "runner"}, nil); err == nil || err.Code != ipc.CodeBadRequest || !strings.Contains(err.Hint, "rot ungrant") {
		t.Errorf("one of the same name: %+v", err)
	}
	all := r.grantsOf(rot)
	if len(all) != 4 || !all[3].AccessToken.IsZero() || all[3].ID != "access-token:runner" {
		t.Errorf("all: %+v", all)
	}
	for _, id := range []string{"uid:root", "gid:0", "unit:publish", "access-token:runner"} {
		if err := r.call("DELETE", path+"/"+id, nil, nil); err != nil {
			t.Errorf("take back %s: %+v", id, err)
		}
	}
	for _, id := range []string{"uid:root", "uid:4242", "nonsense", "access-token:runner"} {
		if err := r.call("DELETE", path+"/"+id, nil, nil); err == nil || err.Code != ipc.CodeNotFound || !strings.Contains(err.Hint, "rot grants") {
			t.Errorf("take back %s again: %+v", id, err)
		}
	}
	if all := r.grantsOf(rot); len(all) != 0 {
		t.Errorf("left: %+v", all)
	}
}

// TestClosedTo has a socket below a private directory, a group's and an open one.
func TestClosedTo(t *testing.T) {
	base, err := os.MkdirTemp("", "t")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(base) })
	dir, sock := filepath.Join(base, "d"), filepath.Join(base, "d", "s")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(sock, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	group, me := uint32(os.Getgid()), int64(os.Getuid())
	for _, c := range []struct {
		base, dir, sock           os.FileMode
		me, member, other, holder string
	}{
		{0o700, 0o700, 0o600, "", sock, sock, sock},
		{0o755, 0o700, 0o660, "", dir, sock, dir},
		{0o755, 0o750, 0o660, "", "", sock, ""},
		{0o750, 0o755, 0o666, "", "", base, ""},
		{0o700, 0o755, 0o666, "", base, base, base},
		{0o755, 0o755, 0o666, "", "", "", ""},
	} {
		for path, mode := range map[string]os.FileMode{base: c.base, dir: c.dir, sock: c.sock} {
			if err := os.Chmod(path, mode); err != nil {
				t.Fatal(err)
			}
		}
		got := [4]string{
			closedTo(sock, me, nil, false), closedTo(sock, strangerUID, []uint32{group}, false),
			closedTo(sock, strangerUID, []uint32{nobodies}, false), closedTo(sock, noID, nil, true),
		}
		if want := [4]string{c.me, c.member, c.other, c.holder}; got != want {
			t.Errorf("%o %o %o: %q, want %q", c.base, c.dir, c.sock, got, want)
		}
	}
}
