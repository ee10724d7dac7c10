package store

import (
	"context"
	"database/sql"
	"errors"
	"testing"
	"time"

	"rotd/ipc/secret"
)

// column is one of the database.
type column struct{ table, name, kind string }

// FuzzStoredRow puts any value that SQLite takes there into any column, as a
// hand with its shell could, and reads everything. What cannot be read is an
// error, and nothing worse.
func FuzzStoredRow(f *testing.F) {
	st := newState(f)
	s := st.open(f)
	ctx := f.Context()
	p := addPasscard(f, s, "ada")
	ok(f, s.PutSecret(ctx, p.ID, KindPassword, secret.New("pw-EXAMPLE")))
	r := addROT(f, s, p.ID, "ci")
	rotate(f, s, r.ID, "rotd-1", "npm_1_EXAMPLE")
	rotate(f, s, r.ID, "rotd-2", "npm_2_EXAMPLE")
	_ = must[Delivery](f)(s.AddDelivery(ctx, Delivery{ROT: r.ID, Name: "fleet", Command: []string{"true"}}))
	ok(f, s.SetTrouble(ctx, r.ID, Trouble{Code: "unreachable", Message: "m"}, 1, s.stamp()))
	_, _, err := s.AddTokenGrant(ctx, r.ID, "token", [32]byte{1}, time.Time{}, nil)
	ok(f, err)

	// One connection, so that what is read is what the transaction has written.
	s.db.SetMaxOpenConns(1)
	_ = must[sql.Result](f)(s.db.Exec(`PRAGMA foreign_keys = OFF`))
	columns := must[[]column](f)(list(ctx, s.db, "read the schema", func(from row) (c column, err error) {
		return c, from.Scan(&c.table, &c.name, &c.kind)
	}, `SELECT m.name, c.name, c.type FROM sqlite_schema m, pragma_table_info(m.name) c
		WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%' AND m.name NOT LIKE 'goose_%' ORDER BY m.name, c.cid`))
	for i := range columns {
		for _, text := range []string{"", "null", `["x",1]`, "\x00"} {
			f.Add(uint8(i), int64(len(text)-1), text)
		}
		f.Add(uint8(i), int64(-1<<63), "x")
		f.Add(uint8(i), int64(1<<63-1), "y")
	}
	f.Fuzz(func(t *testing.T, which uint8, number int64, text string) {
		c := columns[int(which)%len(columns)]
		var value any = text
		switch c.kind {
		case "INTEGER":
			value = number
		case "BLOB":
			value = []byte(text)
		}
		_ = must[sql.Result](t)(s.db.Exec(`BEGIN`))
		if _, err := s.db.Exec(`UPDATE `+c.table+` SET `+c.name+` = ?`, value); err == nil {
			_ = readEverything(ctx, s, p.ID, r.ID)
		}
		_ = must[sql.Result](t)(s.db.Exec(`ROLLBACK`))
		if err := readEverything(ctx, s, p.ID, r.ID); err != nil {
			t.Errorf("%s.%s = %q was taken back, and: %v", c.table, c.name, value, err)
		}
	})
}

// readEverything reads all there is, the passcard and the ROT in every way, and
// returns what could not be read.
func readEverything(ctx context.Context, s *Store, passcard, rot string) error {
	_ = s.memory.change(func() error { return nil })
	var errs []error
	note := func(_ any, err error) { errs = append(errs, err) }
	note(s.Passcards(ctx))
	note(s.Passcard(ctx, passcard))
	note(s.PasscardByAccount(ctx, "http://localhost:1", "ada"))
	note(s.Kinds(ctx, passcard))
	note(s.Secret(ctx, passcard, KindPassword))
	note(s.ROTs(ctx))
	note(s.ROTsOf(ctx, passcard))
	note(s.ROT(ctx, rot))
	note(s.Generations(ctx, rot))
	note(s.Unfinished(ctx))
	note(s.Live(ctx))
	note(s.Withdrawn(ctx))
	note(s.Value(ctx, rot, 2))
	note(s.Deliveries(ctx, rot))
	note(s.AllDeliveries(ctx))
	note(s.Undelivered(ctx))
	note(s.Grants(ctx, rot))
	note(s.ReadableBy(ctx, Subject{Kind: "uid", Name: "1"}))
	note(s.Log(ctx, LogQuery{Limit: 100}))
	note(s.Log(ctx, LogQuery{ROT: rot, After: -1, Limit: 100}))
	note(s.Resolve(ctx, "ci"))
	_, _, err := s.Current(ctx, rot)
	errs = append(errs, err)
	_, _, err = s.ReadableWith(ctx, [32]byte{1})
	return errors.Join(append(errs, err)...)
}
