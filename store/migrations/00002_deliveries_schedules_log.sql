-- Times are microseconds since 1970, UTC; NULL is no time. Lengths of time are
-- microseconds too.

-- +goose Up

-- When to rotate, where the user said so; all NULL: at two thirds of the life.
-- At most one of every and before_expiry is set.
ALTER TABLE rots ADD COLUMN every INTEGER CHECK (every > 0);
ALTER TABLE rots ADD COLUMN before_expiry INTEGER CHECK (before_expiry > 0);
ALTER TABLE rots ADD COLUMN paused INTEGER NOT NULL DEFAULT 0 CHECK (paused IN (0, 1));
-- How long an old token lives on after the last delivery has taken the new one.
ALTER TABLE rots ADD COLUMN grace INTEGER NOT NULL DEFAULT 0 CHECK (grace >= 0);
-- What the user was last told about this ROT (a state), and when.
ALTER TABLE rots ADD COLUMN notified TEXT NOT NULL DEFAULT '';
ALTER TABLE rots ADD COLUMN notified_at INTEGER;

-- A retiring generation that is revoked whatever deliveries and grace say.
ALTER TABLE generations ADD COLUMN hurry INTEGER NOT NULL DEFAULT 0 CHECK (hurry IN (0, 1));
-- When the last delivery had taken a newer one than a retiring generation: its
-- grace period runs from here. NULL: not yet.
ALTER TABLE generations ADD COLUMN delivered INTEGER;

CREATE TABLE deliveries (
	id           TEXT PRIMARY KEY,
	rot          TEXT NOT NULL REFERENCES rots (id) ON DELETE CASCADE,
	name         TEXT NOT NULL,    -- unique within the ROT
	command      TEXT NOT NULL,    -- JSON: the argument vector
	created      INTEGER NOT NULL,
	delivered    INTEGER NOT NULL DEFAULT 0, -- the newest generation it has taken; 0: none
	delivered_at INTEGER,
	failures     INTEGER NOT NULL DEFAULT 0 CHECK (failures >= 0), -- since the last success
	next         INTEGER,          -- when to try again after a failure
	last_attempt INTEGER,
	last_result  TEXT NOT NULL DEFAULT '', -- why it failed; '' after a success
	last_output  TEXT NOT NULL DEFAULT '', -- secrets redacted, the end of it only
	UNIQUE (rot, name)
) STRICT;

-- What happened, append-only. No value ever stands here, a fingerprint at most.
CREATE TABLE log (
	id         INTEGER PRIMARY KEY AUTOINCREMENT,
	at         INTEGER NOT NULL,
	kind       TEXT NOT NULL,    -- rotated, failed, revoked, delivered, read, …
	rot        TEXT NOT NULL DEFAULT '', -- no reference: it outlives the ROT
	passcard   TEXT NOT NULL DEFAULT '',
	generation INTEGER NOT NULL DEFAULT 0,
	uid        INTEGER,          -- who, where somebody asked for it
	count      INTEGER NOT NULL DEFAULT 1, -- reads are batched
	detail     TEXT NOT NULL DEFAULT ''
) STRICT;

CREATE INDEX log_rot ON log (rot, id);
