//go:build cgo

package store

import (
	"database/sql"
	"testing"
)

func TestPragmasHoldOnEveryConnection(t *testing.T) {
	s := openNew(t)
	want := map[string]string{
		"busy_timeout": "5000", "foreign_keys": "1", "journal_mode": "wal", "secure_delete": "1",
		"synchronous": "2", "fullfsync": "1", "trusted_schema": "0",
	}
	if len(want) != len(pragmas) {
		t.Errorf("%d pragmas are set and %d are checked", len(pragmas), len(want))
	}
	for range s.db.Stats().MaxOpenConnections {
		conn := must[*sql.Conn](t)(s.db.Conn(t.Context())) // held, so that the next one is another
		defer conn.Close()
		for name, value := range want {
			var got string
			ok(t, conn.QueryRowContext(t.Context(), "PRAGMA "+name).Scan(&got))
			if got != value {
				t.Errorf("PRAGMA %s is %s, not %s", name, got, value)
			}
		}
	}
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
