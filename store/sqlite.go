//go:build cgo

package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"net/url"

	"github.com/mattn/go-sqlite3"
)

type pragma struct{ name, value string }

// wary are for whatever database it is, also one that somebody brings to
// restore. The driver has no way to SQLite's "defensive" flag, which only keeps
// SQL of ours from damaging the file.
var wary = []pragma{
	{"trusted_schema", "OFF"}, // what a schema calls may only look, and not at more than it is given
	{"cell_size_check", "ON"}, // a damaged page is an error, and not read beyond its end
}

// pragmas are set on every connection by name, not in the data source's
// address, where the driver ignores what it does not know without a word.
var pragmas = append([]pragma{
	{"busy_timeout", "5000"}, // milliseconds
	{"foreign_keys", "ON"},
	{"journal_mode", "WAL"},
	{"secure_delete", "ON"}, // what is deleted is overwritten
	{"synchronous", "FULL"}, // a commit waits for the disk…
	{"fullfsync", "ON"},     // …and on macOS for the disk's own cache
}, wary...)

// connector opens SQLite connections. It stands in for sql.Open, whose drivers
// are registered for the whole process.
type connector struct {
	driver *sqlite3.SQLiteDriver
	dsn    string
}

func (c connector) Connect(context.Context) (driver.Conn, error) { return c.driver.Open(c.dsn) }
func (c connector) Driver() driver.Driver                        { return c.driver }

// openDatabase opens the existing database file at path for use.
// Every transaction takes the write lock when it begins.
func openDatabase(path string) *sql.DB {
	db := sql.OpenDB(connector{
		driver: &sqlite3.SQLiteDriver{ConnectHook: set(pragmas)},
		dsn:    dsn(path, "mode=rw&_txlock=immediate"),
	})
	db.SetMaxOpenConns(connections)
	db.SetMaxIdleConns(connections) // a new connection costs more than a query
	return db
}

// openImmutable opens the database file at path for reading only and as if
// nothing but the file existed: no lock is taken and no file is made.
func openImmutable(path string) *sql.DB {
	return sql.OpenDB(connector{&sqlite3.SQLiteDriver{ConnectHook: set(wary)}, dsn(path, "mode=ro&immutable=1")})
}

func dsn(path, query string) string {
	return (&url.URL{Scheme: "file", Path: path, RawQuery: query}).String()
}

func set(pragmas []pragma) func(*sqlite3.SQLiteConn) error {
	return func(conn *sqlite3.SQLiteConn) error {
		for _, p := range pragmas {
			if _, err := conn.Exec(fmt.Sprintf("PRAGMA %s = %s", p.name, p.value), nil); err != nil {
				return fmt.Errorf("set %s: %w", p.name, err)
			}
		}
		return nil
	}
}

func sqliteFault(err error) fault {
	var e sqlite3.Error
	if !errors.As(err, &e) {
		return faultNone
	}
	switch e.Code {
	case sqlite3.ErrConstraint:
		return faultNone
	case sqlite3.ErrInterrupt:
		return faultInterrupted
	case sqlite3.ErrFull:
		return faultFull
	case sqlite3.ErrReadonly, sqlite3.ErrPerm, sqlite3.ErrCantOpen:
		return faultReadOnly
	case sqlite3.ErrCorrupt, sqlite3.ErrNotADB:
		return faultCorrupt
	case sqlite3.ErrIoErr:
		return systemFault(e.SystemErrno) // a file beside the database's, as on a full disk
	default:
		return faultOther
	}
}

// isDuplicate reports whether err is a row that collides with another.
func isDuplicate(err error) bool {
	var e sqlite3.Error
	return errors.As(err, &e) &&
		(e.ExtendedCode == sqlite3.ErrConstraintUnique || e.ExtendedCode == sqlite3.ErrConstraintPrimaryKey)
}

// isOrphan reports whether err is a row whose parent does not exist.
func isOrphan(err error) bool {
	var e sqlite3.Error
	return errors.As(err, &e) && e.ExtendedCode == sqlite3.ErrConstraintForeignKey
}
