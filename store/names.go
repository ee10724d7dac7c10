package store

import (
	"context"
	"database/sql"
	"fmt"
	"regexp"
	"strings"
)

// The prefixes of ids. A name never begins with one.
const (
	prefixPasscard = "pas_"
	prefixROT      = "rot_"
	prefixAccess   = "rat_"
)

var nameForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

// ValidName says why name cannot be the name of a passcard or a ROT.
func ValidName(name string) error {
	if !nameForm.MatchString(name) {
		return withHint(fmt.Errorf("%q cannot be a name", name),
			"a name has 1 to 64 letters, digits, dots, underscores and hyphens, and begins with a letter or a digit")
	}
	for _, p := range []string{prefixPasscard, prefixROT, prefixAccess} {
		if strings.HasPrefix(name, p) {
			return withHint(fmt.Errorf("%q cannot be a name: it begins like an id", name), "choose one that does not begin with %s", p)
		}
	}
	return nil
}

// nameIsFree checks a name that the row with id self is to have; the empty
// name is none, and always free. Passcards and ROTs share one set of names, so
// that a name is a reference wherever one is accepted.
func nameIsFree(ctx context.Context, tx *sql.Tx, name, self string) error {
	if name == "" {
		return nil
	}
	if err := ValidName(name); err != nil {
		return err
	}
	var taken int
	err := tx.QueryRowContext(ctx,
		`SELECT count(*) FROM (SELECT id FROM passcards WHERE name = ?1 AND name <> ''
		                       UNION ALL SELECT id FROM rots WHERE name = ?1 AND name <> '') WHERE id <> ?2`,
		name, self).Scan(&taken)
	if err == nil && taken > 0 {
		err = withHint(fmt.Errorf("%q: %w", name, ErrTaken), "choose another name")
	}
	return err
}
