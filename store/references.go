package store

import (
	"context"
	"fmt"
	"strings"
)

// RefKind is what a reference leads to.
type RefKind string

// The kinds of reference.
const (
	RefPasscard RefKind = "passcard"
	RefROT      RefKind = "rot"
)

// Ref is a reference that was found.
type Ref struct {
	Kind RefKind
	ID   string // the whole id
}

const (
	idLength   = 16 // after the underscore
	idAlphabet = "abcdefghijklmnopqrstuvwxyz234567"
	// minPrefix characters after the underscore are a reference, where they
	// fit one id only.
	minPrefix = 4
	// shownCandidates of an ambiguous prefix are named in the error.
	shownCandidates = 4
)

// Resolve finds what ref leads to: rot://… or dotenvx://… or neither, and
// behind it an id, a name, or the beginning of an id, at least 4 characters
// after the underscore. An id goes before a name, a name before a prefix.
// ErrNotFound, ErrAmbiguous; the latter's text names candidates.
func (s *Store) Resolve(ctx context.Context, ref string) (Ref, error) {
	bare := bareRef(ref)
	return remembered(&s.memory, askedReference, bare, func() (Ref, error) { return s.resolve(ctx, bare) })
}

func (s *Store) resolve(ctx context.Context, bare string) (Ref, error) {
	kind, tail, isID := cutID(bare)
	if !isID {
		return s.resolveName(ctx, bare)
	}
	if len(tail) < minPrefix {
		return Ref{}, withHint(fmt.Errorf("%s: %w: too short", shown(bare), ErrNotFound),
			"give at least %d characters after the underscore; `rot ls` lists the references", minPrefix)
	}
	if len(tail) > idLength || strings.Trim(tail, idAlphabet) != "" {
		return Ref{}, notFound(bare)
	}
	return s.resolvePrefix(ctx, kind, bare)
}

// bareRef takes the scheme off a reference.
func bareRef(ref string) string {
	for _, scheme := range []string{"rot://", "dotenvx://"} {
		if rest, ok := strings.CutPrefix(ref, scheme); ok {
			return rest
		}
	}
	return ref
}

// cutID tells an id, whole or not, from a name.
func cutID(bare string) (kind RefKind, tail string, ok bool) {
	if tail, ok = strings.CutPrefix(bare, prefixPasscard); ok {
		return RefPasscard, tail, true
	}
	if tail, ok = strings.CutPrefix(bare, prefixROT); ok {
		return RefROT, tail, true
	}
	return "", "", false
}

func (s *Store) resolveName(ctx context.Context, name string) (Ref, error) {
	if ValidName(name) != nil {
		return Ref{}, notFound(name)
	}
	refs, err := list(ctx, s.db, "look up a name", scanRef,
		`SELECT 'passcard', id FROM passcards WHERE name = ?1 AND name <> ''
		 UNION ALL SELECT 'rot', id FROM rots WHERE name = ?1 AND name <> ''`, name) // as the indexes say it
	if err != nil {
		return Ref{}, err
	}
	if len(refs) == 0 {
		return Ref{}, notFound(name)
	}
	return refs[0], nil // passcards and ROTs share one set of names
}

// resolvePrefix compares by range, so that nothing in a reference is a
// wildcard. A whole id is its own only match.
func (s *Store) resolvePrefix(ctx context.Context, kind RefKind, prefix string) (Ref, error) {
	table := "rots"
	if kind == RefPasscard {
		table = "passcards"
	}
	const pastAlphabet = "{" // the character after z
	refs, err := list(ctx, s.db, "look up a reference", scanRef,
		`SELECT ?, id FROM `+table+` WHERE id >= ? AND id < ? ORDER BY id LIMIT ?`,
		kind, prefix, prefix+pastAlphabet, shownCandidates+1)
	switch {
	case err != nil:
		return Ref{}, err
	case len(refs) == 0:
		return Ref{}, notFound(prefix)
	case len(refs) > 1:
		return Ref{}, ambiguous(prefix, refs)
	}
	return refs[0], nil
}

func scanRef(from row) (r Ref, err error) { return r, from.Scan(&r.Kind, &r.ID) }

func notFound(bare string) error {
	return withHint(fmt.Errorf("%s: %w", shown(bare), ErrNotFound), "`rot ls` lists the references")
}

func ambiguous(prefix string, refs []Ref) error {
	var ids []string
	for _, r := range refs[:min(len(refs), shownCandidates)] {
		ids = append(ids, r.ID)
	}
	more := ""
	if len(refs) > shownCandidates {
		more = " and more"
	}
	return withHint(fmt.Errorf("%s: %w: %s%s", prefix, ErrAmbiguous, strings.Join(ids, ", "), more),
		"give more characters of the one that you mean")
}

// shown is a reference as an error may quote it. What could be a token that
// was pasted in the wrong place is not repeated.
func shown(bare string) string {
	if len(bare) > 64 || strings.Contains(bare, "npm_") || strings.Contains(bare, prefixAccess) {
		return "this"
	}
	return fmt.Sprintf("%q", bare)
}
