package store

import (
	"database/sql"
	"time"
)

// Times are kept as microseconds since 1970 and come back in UTC. The zero
// time is kept as NULL.

func micros(t time.Time) sql.NullInt64 {
	return sql.NullInt64{Int64: t.UnixMicro(), Valid: !t.IsZero()}
}

func fromMicros(us sql.NullInt64) time.Time {
	if !us.Valid {
		return time.Time{}
	}
	return time.UnixMicro(us.Int64).UTC()
}

// stamp is the present time as it is kept.
func (s *Store) stamp() time.Time { return s.now().UTC().Truncate(time.Microsecond) }
