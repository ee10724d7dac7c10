//go:build cgo

package store

import (
	"database/sql"
	"path/filepath"
	"testing"
)

func TestPragmasHoldOnEveryConnection(t *testing.T) {
	s := openNew(t)
	want := map[string]string{
		"busy_timeout": "5000", "foreign_keys": "1", "journal_mode": "wal", "secure_delete": "1",
		"synchronous": "2", "fullfsync": "1", "trusted_schema": "0", "cell_size_check": "1",
	}
	if len(want) != len(pragmas) {
		t.Errorf("%d pragmas are set and %d are checked", len(pragmas), len(want))
	}
	for range s.db.Stats().MaxOpenConnections {
		conn := must[*sql.Conn](t)(s.db.Conn(t.Context())) // held, so that the next one is another
		defer conn.Close()
		for name, value := range want {
			if got := pragmaOf(t, conn, name); got != value {
				t.Errorf("PRAGMA %s is %s, not %s", name, got, value)
			}
		}
	}
}

// TestUnknownDatabasesAreReadWarily: one that somebody brings is looked into
// before anything is known of it.
func TestUnknownDatabasesAreReadWarily(t *testing.T) {
	st := newState(t)
	ok(t, st.open(t).Close())
	db := openImmutable(filepath.Join(st.dir, databaseName))
	defer db.Close()
	conn := must[*sql.Conn](t)(db.Conn(t.Context()))
	defer conn.Close()
	for name, value := range map[string]string{"trusted_schema": "0", "cell_size_check": "1"} {
		if got := pragmaOf(t, conn, name); got != value {
			t.Errorf("PRAGMA %s is %s, not %s", name, got, value)
		}
	}
}

func pragmaOf(t *testing.T, conn *sql.Conn, name string) (value string) {
	t.Helper()
	ok(t, conn.QueryRowContext(t.Context(), "PRAGMA "+name).Scan(&value))
	return value
}

func TestTransactionsTakeTheWriteLockAtOnce(t *testing.T) {
	s := openNew(t)
	tx := must[*sql.Tx](t)(s.db.BeginTx(t.Context(), nil))
	defer tx.Rollback()
	conn := must[*sql.Conn](t)(s.db.Conn(t.Context()))
	defer conn.Close()
	_ = must[sql.Result](t)(conn.ExecContext(t.Context(), "PRAGMA busy_timeout = 0"))
	_, err := conn.ExecContext(t.Context(), "BEGIN IMMEDIATE")
	if sqliteFault(err) != faultOther {
		t.Errorf("a second writer got in: %v", err)
	}
	_ = must[sql.Result](t)(conn.ExecContext(t.Context(), "PRAGMA busy_timeout = 5000"))
}
