PRAGMA foreign_keys = OFF;
CREATE TABLE goose_db_version (
		id INTEGER PRIMARY KEY AUTOINCREMENT,
		version_id INTEGER NOT NULL,
		is_applied INTEGER NOT NULL,
		tstamp TIMESTAMP DEFAULT (datetime('now'))
	);
INSERT INTO goose_db_version VALUES (1, 0, 1, '2026-11-23 20:22:36');
INSERT INTO goose_db_version VALUES (2, 1, 1, '2026-11-23 20:22:36');
CREATE TABLE meta (
	one       INTEGER PRIMARY KEY CHECK (one = 1),
	state_id  TEXT NOT NULL,
	key_check BLOB
) STRICT;
INSERT INTO meta VALUES (1, 'mnhxrcy6ozlffhkcoe27lhgp5n', X'01D5197DC70738E1BAB68932131769065005BD3D508FC4D2FC6D15291628DFCDC2EAE7A06749D484B27D8862D3A916E78B1A62EA75F3517B5EE520644B31A929D1E3AC3DE8');
CREATE TABLE passcards (
	id       TEXT PRIMARY KEY,
	name     TEXT NOT NULL,
	registry TEXT NOT NULL,
	username TEXT NOT NULL,
	via      TEXT NOT NULL CHECK (via IN ('registry', 'website')),
	created  INTEGER NOT NULL,
	UNIQUE (registry, username)
) STRICT;
INSERT INTO passcards VALUES ('pas_xpdxhw253kaojagy', '', 'http://localhost:1', 'ada', 'registry', 1793534400123456);
CREATE TABLE passcard_secrets (
	passcard TEXT NOT NULL REFERENCES passcards (id),
	kind     TEXT NOT NULL,
	sealed   BLOB NOT NULL,
	PRIMARY KEY (passcard, kind)
) STRICT, WITHOUT ROWID;
INSERT INTO passcard_secrets VALUES ('pas_xpdxhw253kaojagy', 'password', X'012D8067219DF0A0740666FD7954E084758D482750F9BFDCBBD0746CCB8C2E588617412C14680289FBF0378CB806FDE12586233FD534A31560708AE67EBF65');
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
INSERT INTO rots VALUES ('rot_rqjmiem4qlftaov2', 'pas_xpdxhw253kaojagy', 'dumped', '{"packages_all":true,"packages_and_scopes_permission":"read-write"}', 2, 1793534400123456, 1793538000123456, 1, '{"code":"unreachable","message":"m","hint":"h"}', 1793534400123456);
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
INSERT INTO generations VALUES ('rot_rqjmiem4qlftaov2', 1, 'rotd-dump-1', 'key-of-rotd-dump-1', 'revoked', NULL, 1793534400123456, 1793534400123456, 1801310400123456, 1793534400123456);
INSERT INTO generations VALUES ('rot_rqjmiem4qlftaov2', 2, 'rotd-dump-2', 'key-of-rotd-dump-2', 'current', X'016414789B1978D035E58C5583B2221404969E3F798565DB435E4E25F0BBD7AD8165755DF1E1B2C3CD6B9D0AB7C8E6BE98D32D605610CDF106607B567675B6D3', 1793534400123456, 1793534400123456, 1801310400123456, 1793534400123456);
INSERT INTO generations VALUES ('rot_rqjmiem4qlftaov2', 3, 'rotd-dump-3', '', 'planned', NULL, 1793534400123456, NULL, NULL, 1793534400123456);
CREATE UNIQUE INDEX passcards_name ON passcards (name) WHERE name <> '';
CREATE UNIQUE INDEX rots_name ON rots (name) WHERE name <> '';
CREATE INDEX rots_passcard ON rots (passcard);
CREATE UNIQUE INDEX generations_one_current ON generations (rot) WHERE step = 'current';
CREATE INDEX generations_unfinished ON generations (rot, n)
	WHERE step NOT IN ('current', 'revoked', 'abandoned');
PRAGMA foreign_keys = ON;
