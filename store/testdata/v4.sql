PRAGMA foreign_keys = OFF;
CREATE TABLE goose_db_version (
		id INTEGER PRIMARY KEY AUTOINCREMENT,
		version_id INTEGER NOT NULL,
		is_applied INTEGER NOT NULL,
		tstamp TIMESTAMP DEFAULT (datetime('now'))
	);
INSERT INTO goose_db_version VALUES (1, 0, 1, '2026-11-24 02:40:40');
INSERT INTO goose_db_version VALUES (2, 1, 1, '2026-11-24 02:40:40');
INSERT INTO goose_db_version VALUES (3, 2, 1, '2026-11-24 02:40:40');
INSERT INTO goose_db_version VALUES (4, 3, 1, '2026-11-24 02:40:40');
INSERT INTO goose_db_version VALUES (5, 4, 1, '2026-11-24 02:40:40');
CREATE TABLE meta (
	one       INTEGER PRIMARY KEY CHECK (one = 1),
	state_id  TEXT NOT NULL,
	key_check BLOB
) STRICT;
INSERT INTO meta VALUES (1, '5t2mjkogljkhzaymdbc224g4lj', X'01FEBE779BA900DD3BE6FBC59E14A7D7D3DD56FECE31979220A366BDD4BD27261D7F22D89A73D000D628C6339EE391B704F56E9FD2A77751A34E15D6A51D5B8B73A7200642');
CREATE TABLE passcards (
	id       TEXT PRIMARY KEY,
	name     TEXT NOT NULL,
	registry TEXT NOT NULL,
	username TEXT NOT NULL,
	via      TEXT NOT NULL CHECK (via IN ('registry', 'website')),
	created  INTEGER NOT NULL, site TEXT NOT NULL DEFAULT '', terms INTEGER, checked INTEGER, trouble TEXT, notified_at INTEGER,
	UNIQUE (registry, username)
) STRICT;
INSERT INTO passcards VALUES ('pas_je4d4pcq75pbvfdg', '', 'http://localhost:1', 'ada', 'registry', 1793534400123456, '', NULL, NULL, NULL, NULL);
CREATE TABLE passcard_secrets (
	passcard TEXT NOT NULL REFERENCES passcards (id),
	kind     TEXT NOT NULL,
	sealed   BLOB NOT NULL,
	PRIMARY KEY (passcard, kind)
) STRICT, WITHOUT ROWID;
INSERT INTO passcard_secrets VALUES ('pas_je4d4pcq75pbvfdg', 'password', X'011129DD351772007DC8627F1E0ECF600A156315936D97A7BA9D9A9E771C61A1EABF4F8BB6C0F6A0110FAB5623A434A60A3A52C3BFE1E348538EA16A3DB33D');
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
INSERT INTO rots VALUES ('rot_yxr4uuporerky6ao', 'pas_je4d4pcq75pbvfdg', 'dumped', '{"packages_all":true,"packages_and_scopes_permission":"read-write"}', 2, 1793534400123456, 1793538000123456, 1, '{"code":"unreachable","message":"m","hint":"h"}', 1793534400123456, NULL, NULL, 0, 0, '', NULL);
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
INSERT INTO generations VALUES ('rot_yxr4uuporerky6ao', 1, 'rotd-dump-1', 'key-of-rotd-dump-1', 'revoked', NULL, 1793534400123456, 1793534400123456, 1801310400123456, 1793534400123456, 0, NULL);
INSERT INTO generations VALUES ('rot_yxr4uuporerky6ao', 2, 'rotd-dump-2', 'key-of-rotd-dump-2', 'current', X'0165812873752ACB0C96B853B3FBE1C033A0795B9260260013165D860152FFEA02B495C977B6F2CAF63254E395A9FFDD8B434AEBE6603E04F9F7AC8746485C0C', 1793534400123456, 1793534400123456, 1801310400123456, 1793534400123456, 0, NULL);
INSERT INTO generations VALUES ('rot_yxr4uuporerky6ao', 3, 'rotd-dump-3', '', 'planned', NULL, 1793534400123456, NULL, NULL, 1793534400123456, 0, NULL);
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
INSERT INTO log VALUES (1, 1793534400123456, 'rotated', 'rot_yxr4uuporerky6ao', '', 1, NULL, 1, 'rotd-dump-1');
INSERT INTO log VALUES (2, 1793534400123456, 'rotated', 'rot_yxr4uuporerky6ao', '', 2, NULL, 1, 'rotd-dump-2');
INSERT INTO log VALUES (3, 1793534400123456, 'revoked', 'rot_yxr4uuporerky6ao', '', 1, NULL, 1, 'npm refuses it');
INSERT INTO log VALUES (4, 1793534400123456, 'failed', 'rot_yxr4uuporerky6ao', '', 0, NULL, 1, 'm');
CREATE TABLE access_tokens (
	id      TEXT PRIMARY KEY,
	name    TEXT NOT NULL UNIQUE,
	hash    BLOB NOT NULL UNIQUE, -- SHA-256
	created INTEGER NOT NULL,
	expires INTEGER,  -- NULL: never
	used    INTEGER   -- last; NULL: not yet
) STRICT;
CREATE TABLE grants (
	id      TEXT PRIMARY KEY,
	rot     TEXT NOT NULL REFERENCES rots (id) ON DELETE CASCADE,
	kind    TEXT NOT NULL CHECK (kind IN ('uid', 'gid', 'access-token', 'unit')),
	subject TEXT NOT NULL, -- the number, the access token's id, or the unit's name
	created INTEGER NOT NULL,
	UNIQUE (rot, kind, subject)
) STRICT;
CREATE UNIQUE INDEX passcards_name ON passcards (name) WHERE name <> '';
CREATE UNIQUE INDEX rots_name ON rots (name) WHERE name <> '';
CREATE INDEX rots_passcard ON rots (passcard);
CREATE UNIQUE INDEX generations_one_current ON generations (rot) WHERE step = 'current';
CREATE INDEX generations_unfinished ON generations (rot, n)
	WHERE step NOT IN ('current', 'revoked', 'abandoned');
CREATE INDEX log_rot ON log (rot, id);
CREATE INDEX grants_subject ON grants (kind, subject);
CREATE INDEX rots_next ON rots (next) WHERE next IS NOT NULL;
CREATE INDEX rots_last_attempt ON rots (last_attempt) WHERE last_attempt IS NOT NULL;
CREATE INDEX rots_notable ON rots (id) WHERE trouble IS NOT NULL OR notified <> '';
CREATE INDEX generations_expires ON generations (expires) WHERE step = 'current';
PRAGMA foreign_keys = ON;
