-- Times are microseconds since 1970, UTC; NULL is no time.
-- What is sealed is bound to its table, row and column: see seal.go.

-- +goose Up

-- One row. key_check is NULL until the first start has its master key; from
-- then on no other key will do.
CREATE TABLE meta (
	one       INTEGER PRIMARY KEY CHECK (one = 1),
	state_id  TEXT NOT NULL,
	key_check BLOB
) STRICT;

CREATE TABLE passcards (
	id       TEXT PRIMARY KEY,
	name     TEXT NOT NULL,
	registry TEXT NOT NULL,
	username TEXT NOT NULL,
	via      TEXT NOT NULL CHECK (via IN ('registry', 'website')),
	created  INTEGER NOT NULL,
	UNIQUE (registry, username)
) STRICT;

CREATE UNIQUE INDEX passcards_name ON passcards (name) WHERE name <> '';

CREATE TABLE passcard_secrets (
	passcard TEXT NOT NULL REFERENCES passcards (id),
	kind     TEXT NOT NULL,
	sealed   BLOB NOT NULL,
	PRIMARY KEY (passcard, kind)
) STRICT, WITHOUT ROWID;

CREATE TABLE rots (
	id           TEXT PRIMARY KEY,
	passcard     TEXT NOT NULL REFERENCES passcards (id),
	name         TEXT NOT NULL,
	shape        TEXT NOT NULL, -- JSON
	current      INTEGER NOT NULL CHECK (current >= 0),
	created      INTEGER NOT NULL,
	next         INTEGER,
	failures     INTEGER NOT NULL CHECK (failures >= 0),
	trouble      TEXT, -- JSON
	last_attempt INTEGER
) STRICT;

CREATE UNIQUE INDEX rots_name ON rots (name) WHERE name <> '';
CREATE INDEX rots_passcard ON rots (passcard);

CREATE TABLE generations (
	rot        TEXT NOT NULL REFERENCES rots (id),
	n          INTEGER NOT NULL CHECK (n >= 1),
	token_name TEXT NOT NULL UNIQUE,
	key        TEXT NOT NULL,
	step       TEXT NOT NULL CHECK (step IN ('planned', 'created', 'verified',
	                                         'current', 'retiring', 'revoked',
	                                         'discarding', 'abandoned')),
	sealed     BLOB,
	planned    INTEGER NOT NULL,
	created    INTEGER,
	expires    INTEGER,
	changed    INTEGER NOT NULL,
	PRIMARY KEY (rot, n),
	-- A value is there from its creation on, and is forgotten at the end.
	CHECK (step NOT IN ('created', 'verified', 'current', 'retiring') OR sealed IS NOT NULL),
	CHECK (step NOT IN ('planned', 'revoked', 'abandoned') OR sealed IS NULL)
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX generations_one_current ON generations (rot) WHERE step = 'current';
CREATE INDEX generations_unfinished ON generations (rot, n)
	WHERE step NOT IN ('current', 'revoked', 'abandoned');
