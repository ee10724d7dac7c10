package store

import (
	"context"
	"database/sql"
	"errors"
)

// row is a *sql.Row or the present one of *sql.Rows.
type row interface{ Scan(...any) error }

// querier is a *sql.DB or a *sql.Tx.
type querier interface {
	QueryContext(context.Context, string, ...any) (*sql.Rows, error)
	QueryRowContext(context.Context, string, ...any) *sql.Row
}

// one returns the only row of a query, or ErrNotFound.
func one[T any](ctx context.Context, q querier, doing string, scan func(row) (T, error), query string, args ...any) (T, error) {
	v, err := scan(q.QueryRowContext(ctx, query, args...))
	if err == nil {
		return v, nil
	}
	var none T
	if errors.Is(err, sql.ErrNoRows) {
		err = ErrNotFound
	}
	return none, failed(doing, err)
}

// list returns all rows of a query.
func list[T any](ctx context.Context, q querier, doing string, scan func(row) (T, error), query string, args ...any) ([]T, error) {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, failed(doing, err)
	}
	defer rows.Close()
	var all []T
	for rows.Next() {
		v, err := scan(rows)
		if err != nil {
			return nil, failed(doing, err)
		}
		all = append(all, v)
	}
	if err := rows.Err(); err != nil {
		return nil, failed(doing, err)
	}
	return all, nil
}

// changeOne checks that a statement changed a row. ErrNotFound: it did not.
func changeOne(res sql.Result, err error) error {
	if err != nil {
		return err
	}
	n, err := res.RowsAffected()
	if err == nil && n == 0 {
		err = ErrNotFound
	}
	return err
}

const connections = 4

// openAll opens every connection there will be. SQLite opens one for reading
// only where the file cannot be written at that moment, and such a one would
// never write again: none is opened later.
func openAll(ctx context.Context, db *sql.DB) error {
	for range connections {
		c, err := db.Conn(ctx)
		if err != nil {
			return err
		}
		defer c.Close() // back to the pool, when all are open
		if err := c.PingContext(ctx); err != nil {
			return err
		}
	}
	return nil
}
