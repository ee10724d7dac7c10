PRAGMA foreign_keys = OFF;
CREATE TABLE goose_db_version (
		id INTEGER PRIMARY KEY AUTOINCREMENT,
		version_id INTEGER NOT NULL,
		is_applied INTEGER NOT NULL,
		tstamp TIMESTAMP DEFAULT (datetime('now'))
	);
INSERT INTO goose_db_version VALUES (1, 0, 1, '2026-11-23 20:57:47');
INSERT INTO goose_db_version VALUES (2, 1, 1, '2026-11-23 20:57:47');
INSERT INTO goose_db_version VALUES (3, 2, 1, '2026-11-23 20:57:47');
CREATE TABLE meta (
	one       INTEGER PRIMARY KEY CHECK (one = 1),
	state_id  TEXT NOT NULL,
	key_check BLOB
) STRICT;
INSERT INTO meta VALUES (1, '6fk3ewhujpuwa76xw5njcu4fnh', X'013466AB48196D2CFAF90C51F5E478CDFD9C04BE8E4B836F26F4D5A2D091AAFD2F38C7BB8BC5DEFE9FEF0CAABAD252E9F029E231922D11BBD93715E27A539A58A38E09BD68');
CREATE TABLE passcards (
	id       TEXT PRIMARY KEY,
	name     TEXT NOT NULL,
	registry TEXT NOT NULL,
	username TEXT NOT NULL,
	via      TEXT NOT NULL CHECK (via IN ('registry', 'website')),
	created  INTEGER NOT NULL,
	UNIQUE (registry, username)
) STRICT;
INSERT INTO passcards VALUES ('pas_u4fpw3aml3pnyucv', '', 'http://localhost:1', 'ada', 'registry', 1793534400123456);
CREATE TABLE passcard_secrets (
	passcard TEXT NOT NULL REFERENCES passcards (id),
	kind     TEXT NOT NULL,
	sealed   BLOB NOT NULL,
	PRIMARY KEY (passcard, kind)
) STRICT, WITHOUT ROWID;
INSERT INTO passcard_secrets VALUES ('pas_u4fpw3aml3pnyucv', 'password', X'016BEEB2D7E3EBFDC2C6A23284F66B4514B6AC63540BB12FB089EE5F13EDAC6E44D6F045521697C6256898705289FB7EBAE0A817A204FF2C5174821C63AE60');
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
, every INTEGER CHECK (every > 0), before_expiry INTEGER CHECK (before_expiry > 0), paused INTEGER NOT NULL DEFAULT 0 CHECK (paused IN (0, 1)), grace INTEGER NOT NULL DEFAULT 0 CHECK (grace >= 0), notified TEXT NOT NULL DEFAULT '', notified_at INTEGER) STRICT;
INSERT INTO rots VALUES ('rot_gkszl36prutpj7i7', 'pas_u4fpw3aml3pnyucv', 'dumped', '{"packages_all":true,"packages_and_scopes_permission":"read-write"}', 2, 1793534400123456, 1793538000123456, 1, '{"code":"unreachable","message":"m","hint":"h"}', 1793534400123456, NULL, NULL, 0, 0, '', NULL);
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
	changed    INTEGER NOT NULL, hurry INTEGER NOT NULL DEFAULT 0 CHECK (hurry IN (0, 1)),
	PRIMARY KEY (rot, n),
	-- A value is there from its creation on, and is forgotten at the end.
	CHECK (step NOT IN ('created', 'verified', 'current', 'retiring') OR sealed IS NOT NULL),
	CHECK (step NOT IN ('planned', 'revoked', 'abandoned') OR sealed IS NULL)
) STRICT, WITHOUT ROWID;
INSERT INTO generations VALUES ('rot_gkszl36prutpj7i7', 1, 'rotd-dump-1', 'key-of-rotd-dump-1', 'revoked', NULL, 1793534400123456, 1793534400123456, 1801310400123456, 1793534400123456, 0);
INSERT INTO generations VALUES ('rot_gkszl36prutpj7i7', 2, 'rotd-dump-2', 'key-of-rotd-dump-2', 'current', X'01C73F3FE1649E1F7AF851CA5EA33CCDBA127FA605809440B6CECAC2C0D73BDEDB7F2C428C00342F0D1DA4B58267C30F2D31FF2AB1202445A4F7AB2AAB1B5612', 1793534400123456, 1793534400123456, 1801310400123456, 1793534400123456, 0);
INSERT INTO generations VALUES ('rot_gkszl36prutpj7i7', 3, 'rotd-dump-3', '', 'planned', NULL, 1793534400123456, NULL, NULL, 1793534400123456, 0);
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
CREATE UNIQUE INDEX passcards_name ON passcards (name) WHERE name <> '';
CREATE UNIQUE INDEX rots_name ON rots (name) WHERE name <> '';
CREATE INDEX rots_passcard ON rots (passcard);
CREATE UNIQUE INDEX generations_one_current ON generations (rot) WHERE step = 'current';
CREATE INDEX generations_unfinished ON generations (rot, n)
	WHERE step NOT IN ('current', 'revoked', 'abandoned');
CREATE INDEX log_rot ON log (rot, id);
PRAGMA foreign_keys = ON;
