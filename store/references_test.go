package store

import (
	"database/sql"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"
)

// insertROT adds a ROT with an id of the test's choice.
func insertROT(t testing.TB, s *Store, id, passcard, name string) {
	t.Helper()
	_ = must[sql.Result](t)(s.db.Exec(`INSERT INTO rots (id, passcard, name, shape, current, created, failures) VALUES (?, ?, ?, '{}', 0, 0, 0)`, id, passcard, name))
}

func TestResolve(t *testing.T) {
	s := openNew(t)
	p := must[Passcard](t)(s.AddPasscard(t.Context(), Passcard{Name: "work", Registry: "r", Username: "ada", Via: "registry"}))
	const one, two, three = "rot_abcdaaaaaaaaaaaa", "rot_abcdbbbbbbbbbbbb", "rot_zzzzzzzzzzzzzzzz"
	insertROT(t, s, one, p.ID, "deploy")
	insertROT(t, s, two, p.ID, "abcd")
	insertROT(t, s, three, p.ID, "pas-like")
	for ref, want := range map[string]string{
		one: one, "rot://" + one: one, "dotenvx://" + one: one,
		"rot_abcda": one, "rot://rot_abcdb": two, "rot_zzzz": three, "rot_zzzzzzzzzzzzzzz": three,
		"deploy": one, "rot://deploy": one, "abcd": two, "pas-like": three,
		p.ID: p.ID, "rot://" + p.ID: p.ID, p.ID[:8]: p.ID, "work": p.ID, "dotenvx://work": p.ID,
	} {
		got, err := s.Resolve(t.Context(), ref)
		if err != nil || got.ID != want || (got.Kind == RefPasscard) != (want == p.ID) {
			t.Errorf("%s: %+v, %v, want %s", ref, got, err, want)
		}
	}
	for _, ref := range []string{
		"", "rot://", "rot_", "rot_abc", "rot_zzz", "pas_" + one[4:], "rot_aaaa", one + "a", "rot_abc%", "rot_abcd%", "rot_abcd____________",
		"rot_ABCD", "%", "_", "depl", "Deploy", "rot://rot://" + one, "npm://deploy", "rat_abcd", "' OR 1=1", "rot_abcd\x00", "rot_zzzz{", strings.Repeat("a", 5000),
	} {
		got, err := s.Resolve(t.Context(), ref)
		if !errors.Is(err, ErrNotFound) || HintOf(err) == "" || len(err.Error()) > 200 {
			t.Errorf("%q: %+v, %v", ref, got, err)
		}
	}
	if _, err := s.Resolve(t.Context(), "rot_abc"); !strings.Contains(HintOf(err), "at least 4") {
		t.Errorf("a short prefix: %v (hint %q)", err, HintOf(err))
	}
	_, err := s.Resolve(t.Context(), "rot_abcd")
	if !errors.Is(err, ErrAmbiguous) || !strings.Contains(err.Error(), one+", "+two) || strings.Contains(err.Error(), "more") {
		t.Errorf("an ambiguous prefix: %v", err)
	}
	if _, err := s.Resolve(t.Context(), "npm_tokenEXAMPLE"); err == nil || strings.Contains(err.Error(), "EXAMPLE") {
		t.Errorf("a token in the place of a reference: %v", err)
	}
}

func TestAmbiguousNamesAFewCandidates(t *testing.T) {
	s := openNew(t)
	p := addPasscard(t, s, "ada")
	for i := range 6 {
		insertROT(t, s, fmt.Sprintf("rot_abcdaaaaaaaaaaa%c", 'a'+i), p.ID, "")
	}
	_, err := s.Resolve(t.Context(), "rot_abcd")
	if !errors.Is(err, ErrAmbiguous) || strings.Count(err.Error(), "rot_abcdaaaa") != 4 || !strings.Contains(err.Error(), "and more") {
		t.Errorf("Resolve: %v", err)
	}
}

func TestIDs(t *testing.T) {
	s := openNew(t)
	p := addPasscard(t, s, "ada")
	r := addROT(t, s, p.ID, "")
	for id, form := range map[string]string{p.ID: `^pas_[a-z2-7]{16}$`, r.ID: `^rot_[a-z2-7]{16}$`} {
		if !regexp.MustCompile(form).MatchString(id) {
			t.Errorf("%s is not like %s", id, form)
		}
	}
	s.rand = strings.NewReader("") // randomness fails
	if _, err := s.AddROT(t.Context(), ROT{Passcard: p.ID}); err == nil {
		t.Error("a ROT without randomness was made")
	}
}

func TestValidName(t *testing.T) {
	for _, name := range []string{"a", "A1", "my-project.ci_2", "rot", "pas-x", "npm", strings.Repeat("a", 64)} {
		if err := ValidName(name); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, name := range []string{"", "-a", ".a", "_a", "a b", "a/b", "a\n", "ä", "rot_x", "pas_x", "rat_x", "a%", strings.Repeat("a", 65)} {
		if err := ValidName(name); err == nil || HintOf(err) == "" {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func FuzzResolve(f *testing.F) {
	s := openNew(f)
	p := must[Passcard](f)(s.AddPasscard(f.Context(), Passcard{Name: "work", Registry: "r", Username: "ada", Via: "registry"}))
	for _, seed := range []string{"rot://rot_abcd", "dotenvx://pas_abcd", p.ID, "work", "%", "rot_abcd%", "'", "rot_\x00aaa"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, ref string) {
		got, err := s.Resolve(t.Context(), ref)
		if err != nil {
			if !errors.Is(err, ErrNotFound) {
				t.Errorf("%q: %v", ref, err)
			}
			return
		}
		if bare := ref[strings.LastIndex(ref, "/")+1:]; got.ID != p.ID || (bare != "work" && !strings.HasPrefix(p.ID, bare)) {
			t.Errorf("%q led to %+v", ref, got)
		}
	})
}
