PRAGMA foreign_keys = OFF;
CREATE TABLE goose_db_version (
		id INTEGER PRIMARY KEY AUTOINCREMENT,
		version_id INTEGER NOT NULL,
		is_applied INTEGER NOT NULL,
		tstamp TIMESTAMP DEFAULT (datetime('now'))
	);
INSERT INTO goose_db_version VALUES (1, 0, 1, '2026-11-23 21:05:01');
INSERT INTO goose_db_version VALUES (2, 1, 1, '2026-11-23 21:05:01');
INSERT INTO goose_db_version VALUES (3, 2, 1, '2026-11-23 21:05:01');
CREATE TABLE meta (
	one       INTEGER PRIMARY KEY CHECK (one = 1),
	state_id  TEXT NOT NULL,
	key_check BLOB
) STRICT;
INSERT INTO meta VALUES (1, 'fm3yunyypidons5e6ibomoelq3', X'010FCC14F8B36CB0FD333F3055662B54C96A18FCCA170C81DA437D13EE6AFA1DD0AAC3E097A842D124DA18741E12E9953F18F2CE0A90A73647C9D128E1EB614BF9927EF778');
CREATE TABLE passcards (
	id       TEXT PRIMARY KEY,
	name     TEXT NOT NULL,
	registry TEXT NOT NULL,
	username TEXT NOT NULL,
	via      TEXT NOT NULL CHECK (via IN ('registry', 'website')),
	created  INTEGER NOT NULL,
	UNIQUE (registry, username)
) STRICT;
INSERT INTO passcards VALUES ('pas_c7yso7oijlr7zc2w', '', 'http://localhost:1', 'ada', 'registry', 1793534400123456);
CREATE TABLE passcard_secrets (
	passcard TEXT NOT NULL REFERENCES passcards (id),
	kind     TEXT NOT NULL,
	sealed   BLOB NOT NULL,
	PRIMARY KEY (passcard, kind)
) STRICT, WITHOUT ROWID;
INSERT INTO passcard_secrets VALUES ('pas_c7yso7oijlr7zc2w', 'password', X'014548ABC17C6CD670BC30BE3B7BE7974D2A4554BBD5AFB3B09A60388D26E3C0044012B182C1697313EDF49022914EA03F013FC70060DA596C5AA16BF1AE7E');
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
INSERT INTO rots VALUES ('rot_stwzughmaxuipfel', 'pas_c7yso7oijlr7zc2w', 'dumped', '{"packages_all":true,"packages_and_scopes_permission":"read-write"}', 2, 1793534400123456, 1793538000123456, 1, '{"code":"unreachable","message":"m","hint":"h"}', 1793534400123456, NULL, NULL, 0, 0, '', NULL);
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
	changed    INTEGER NOT NULL, hurry INTEGER NOT NULL DEFAULT 0 CHECK (hurry IN (0, 1)), delivered INTEGER,
	PRIMARY KEY (rot, n),
	-- A value is there from its creation on, and is forgotten at the end.
	CHECK (step NOT IN ('created', 'verified', 'current', 'retiring') OR sealed IS NOT NULL),
	CHECK (step NOT IN ('planned', 'revoked', 'abandoned') OR sealed IS NULL)
) STRICT, WITHOUT ROWID;
INSERT INTO generations VALUES ('rot_stwzughmaxuipfel', 1, 'rotd-dump-1', 'key-of-rotd-dump-1', 'revoked', NULL, 1793534400123456, 1793534400123456, 1801310400123456, 1793534400123456, 0, NULL);
INSERT INTO generations VALUES ('rot_stwzughmaxuipfel', 2, 'rotd-dump-2', 'key-of-rotd-dump-2', 'current', X'01DDE40EC24A197A027730E249F76E18643A35854DFAF2C346CB07E4B614E8EDB070B85B00A4E0A7C2C6253D383F3F9A4DBDA36FCE0EE3C310DAA3AC960E42F9', 1793534400123456, 1793534400123456, 1801310400123456, 1793534400123456, 0, NULL);
INSERT INTO generations VALUES ('rot_stwzughmaxuipfel', 3, 'rotd-dump-3', '', 'planned', NULL, 1793534400123456, NULL, NULL, 1793534400123456, 0, NULL);
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
