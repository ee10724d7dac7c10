package store

import (
	"crypto/sha256"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestGrants(t *testing.T) {
	st := newState(t)
	s, ctx := st.open(t), t.Context()
	pas := addPasscard(t, s, "ada").ID
	ci, other := addROT(t, s, pas, "ci").ID, addROT(t, s, pas, "").ID
	by := uint32(7)
	add := func(rot, kind, subject string) Grant {
		t.Helper()
		st.clock.advance(time.Second)
		return must[Grant](t)(s.AddGrant(ctx, Grant{ROT: rot, Kind: kind, Subject: subject}, &by))
	}
	uid, gid := add(ci, GrantUID, "1001"), add(ci, GrantGID, "100")
	add(other, GrantUnit, "publish.service")
	if again := add(ci, GrantUID, "1001"); again != uid {
		t.Errorf("granted twice: %+v, then %+v", uid, again)
	}
	if diff := cmp.Diff([]Grant{uid, gid}, must[[]Grant](t)(s.Grants(ctx, ci))); diff != "" {
		t.Errorf("grants (-want +got):\n%s", diff)
	}
	for _, bad := range []Grant{{ROT: "rot_none", Kind: GrantUID, Subject: "1"}, {ROT: ci, Kind: "group", Subject: "1"}, {ROT: ci, Kind: GrantUID}, {ROT: ci, Kind: GrantToken, Subject: "x"}} {
		if _, err := s.AddGrant(ctx, bad, nil); err == nil {
			t.Errorf("kept %+v", bad)
		}
	}

	readable := func(who ...Subject) []Readable { t.Helper(); return must[[]Readable](t)(s.ReadableBy(ctx, who...)) }
	isCI := []Readable{{ci, "ci"}}
	for _, c := range []struct {
		who  []Subject
		want []Readable
	}{
		{[]Subject{{GrantUID, "1001"}}, isCI},
		{[]Subject{{GrantUID, "1002"}, {GrantGID, "5"}, {GrantGID, "100"}}, isCI},
		{[]Subject{{GrantUID, "1001"}, {GrantGID, "100"}}, isCI}, // once
		{[]Subject{{GrantUnit, "publish.service"}}, []Readable{{other, ""}}},
		{[]Subject{{GrantUID, "100"}, {GrantGID, "1001"}, {GrantUnit, "1001"}, {GrantToken, "1001"}}, nil},
	} {
		if got := readable(c.who...); !slices.Equal(got, c.want) {
			t.Errorf("%v may read %v, want %v", c.who, got, c.want)
		}
	}

	ok(t, s.RemoveGrant(ctx, ci, GrantUID, "1001", &by))
	if err := s.RemoveGrant(ctx, ci, GrantUID, "1001", &by); !errors.Is(err, ErrNotFound) {
		t.Errorf("taken back twice: %v", err)
	}
	if got := readable(Subject{GrantUID, "1001"}); got != nil {
		t.Errorf("still readable: %v", got)
	}
	var told []string
	for _, e := range must[[]LogEntry](t)(s.Log(ctx, LogQuery{ROT: ci, After: -1, Limit: 10})) {
		told = append(told, e.Kind+" "+e.Detail)
		if e.UID == nil || *e.UID != by {
			t.Errorf("the log does not say who: %+v", e)
		}
	}
	if want := []string{"granted to uid 1001", "granted to gid 100", "ungranted from uid 1001"}; !slices.Equal(told, want) {
		t.Errorf("the log tells %q", told)
	}
	ok(t, s.RemoveROT(ctx, other, nil))
	if got := readable(Subject{GrantUnit, "publish.service"}); got != nil {
		t.Errorf("of a ROT that is gone: %v", got)
	}
}

func TestAccessTokens(t *testing.T) {
	st := newState(t)
	s, ctx := st.open(t), t.Context()
	pas := addPasscard(t, s, "ada").ID
	ci, other := addROT(t, s, pas, "ci").ID, addROT(t, s, pas, "other").ID
	hash, another := sha256.Sum256([]byte("rat_EXAMPLE1")), sha256.Sum256([]byte("rat_EXAMPLE2"))
	expires := st.clock.t.Add(90 * 24 * time.Hour).Truncate(time.Microsecond)

	g, made, err := s.AddTokenGrant(ctx, ci, "runner", hash, expires, nil)
	if err != nil || !made || g.Token.Name != "runner" || !g.Token.Expires.Equal(expires) {
		t.Fatalf("the first: %+v, %v, %v", g, made, err)
	}
	if _, _, err := s.AddTokenGrant(ctx, ci, "runner", another, time.Time{}, nil); !errors.Is(err, ErrTaken) || HintOf(err) == "" {
		t.Errorf("the same again: %v", err)
	}
	if _, _, err := s.AddTokenGrant(ctx, other, "runner", another, expires, nil); !errors.Is(err, ErrTaken) {
		t.Errorf("another expiry: %v", err)
	}
	if _, _, err := s.AddTokenGrant(ctx, "rot_none", "nobody", another, time.Time{}, nil); !errors.Is(err, ErrNotFound) {
		t.Errorf("of no ROT: %v", err)
	}
	if _, _, err := s.AddTokenGrant(ctx, ci, "two words", another, time.Time{}, nil); err == nil {
		t.Error("a name with a space")
	}
	if _, made, err := s.AddTokenGrant(ctx, other, "runner", another, time.Time{}, nil); err != nil || made {
		t.Errorf("for a second ROT: made %v, %v", made, err)
	}

	tok, rots, err := s.ReadableWith(ctx, hash)
	if err != nil || tok != g.Token || len(rots) != 2 {
		t.Errorf("by its hash: %+v, %v, %v", tok, rots, err)
	}
	if _, rots, err := s.ReadableWith(ctx, another); !errors.Is(err, ErrNotFound) || len(rots) > 0 {
		t.Errorf("by another hash: %v, %v", rots, err)
	}
	used := st.clock.t.Add(time.Hour).Truncate(time.Microsecond)
	ok(t, s.TokensUsed(ctx, map[string]time.Time{tok.ID: used, "rat_gone": used}))
	ok(t, s.TokensUsed(ctx, map[string]time.Time{tok.ID: used.Add(-time.Minute)}))
	if all := must[[]Grant](t)(s.Grants(ctx, other)); len(all) != 1 || !all[0].Token.Used.Equal(used) || all[0].Subject != "runner" {
		t.Errorf("grants: %+v", all)
	}
	st.clock.advance(91 * 24 * time.Hour)
	third := addROT(t, s, pas, "third").ID
	if _, _, err := s.AddTokenGrant(ctx, third, "runner", another, time.Time{}, nil); !errors.Is(err, ErrTaken) {
		t.Errorf("more for one that has expired: %v", err)
	}

	// It goes with the last that it may read, by whatever way that goes.
	ok(t, s.RemoveGrant(ctx, ci, GrantToken, "runner", nil))
	if _, rots, err := s.ReadableWith(ctx, hash); err != nil || len(rots) != 1 {
		t.Errorf("after one of two: %v, %v", rots, err)
	}
	ok(t, s.RemoveROT(ctx, other, nil))
	if _, _, err := s.ReadableWith(ctx, hash); !errors.Is(err, ErrNotFound) {
		t.Errorf("with nothing to read: %v", err)
	}
	if _, made, err := s.AddTokenGrant(ctx, ci, "runner", another, time.Time{}, nil); err != nil || !made {
		t.Errorf("the name is not free again: %v, %v", made, err)
	}
}

func TestAmong(t *testing.T) {
	rots := []Readable{{"rot_aaaabbbbccccdddd", "ci"}, {"rot_aaaaccccddddeeee", ""}, {"rot_zzzzbbbbccccdddd", "other"}}
	for ref, want := range map[string]string{
		"ci": rots[0].ID, "rot://ci": rots[0].ID, "dotenvx://" + rots[1].ID: rots[1].ID, "rot_zzzz": rots[2].ID, "rot_aaaac": rots[1].ID,
		"": "", "rot_": "", "rot_zzz": "", "rot_aaaa": "", "c": "", "rot_yyyy": "", "pas_zzzz": "", "%": "",
	} {
		if id, ok := Among(rots, ref); id != want || ok != (want != "") {
			t.Errorf("%q leads to %q, %v", ref, id, ok)
		}
	}
}
