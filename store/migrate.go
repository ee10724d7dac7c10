package store

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"io/fs"

	"github.com/pressly/goose/v3"
)

//go:embed migrations/*.sql
var embedded embed.FS

// migrations holds one file for each version of the schema. A file that was
// released is never changed.
func migrations() fs.FS {
	sub, err := fs.Sub(embedded, "migrations")
	if err != nil {
		panic(err) // the directive above names the folder
	}
	return sub
}

func migrator(db *sql.DB) (*goose.Provider, error) {
	return goose.NewProvider(goose.DialectSQLite3, db, migrations(), goose.WithDisableGlobalRegistry(true))
}

// newestVersion is the schema version that this program writes.
func newestVersion(db *sql.DB) (int64, error) {
	p, err := migrator(db)
	if err != nil {
		return 0, fmt.Errorf("read the migrations: %w", err)
	}
	sources := p.ListSources()
	return sources[len(sources)-1].Version, nil
}

// migrate brings db to the newest version.
func migrate(ctx context.Context, db *sql.DB) error {
	p, err := migrator(db)
	if err != nil {
		return fmt.Errorf("read the migrations: %w", err)
	}
	_, err = p.Up(ctx)
	return err
}
