//go:build !cgo

package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
)

// SQLite is C. A build without cgo compiles, so that the code can be checked
// for a system whose C compiler is not at hand, and opens no database.

var errNoCgo = errors.New("this rotd was built without cgo, which SQLite needs")

type noDatabase struct{}

func (noDatabase) Connect(context.Context) (driver.Conn, error) { return nil, errNoCgo }
func (noDatabase) Driver() driver.Driver                        { return nil }

func openDatabase(string) *sql.DB  { return sql.OpenDB(noDatabase{}) }
func openImmutable(string) *sql.DB { return sql.OpenDB(noDatabase{}) }

func sqliteFault(err error) fault {
	if errors.Is(err, errNoCgo) {
		return faultOther
	}
	return faultNone
}

func isDuplicate(error) bool { return false }
func isOrphan(error) bool    { return false }
