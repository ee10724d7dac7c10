-- Times are microseconds since 1970, UTC; NULL is no time.

-- +goose Up

-- The website way. site is where npm's pages are, no trailing slash; '' where
-- it goes with the registry. terms is when the user agreed to have the website
-- operated for him, NULL: not.
ALTER TABLE passcards ADD COLUMN site TEXT NOT NULL DEFAULT '';
ALTER TABLE passcards ADD COLUMN terms INTEGER;
-- When the website session was last looked at, and why the account cannot be
-- used until a person signs in (JSON); NULL: it can, as far as is known.
ALTER TABLE passcards ADD COLUMN checked INTEGER;
ALTER TABLE passcards ADD COLUMN trouble TEXT;
-- When the user was last told of that.
ALTER TABLE passcards ADD COLUMN notified_at INTEGER;

-- Access tokens (rat_…): random text whose hash alone is kept.
CREATE TABLE access_tokens (
	id      TEXT PRIMARY KEY,
	name    TEXT NOT NULL UNIQUE,
	hash    BLOB NOT NULL UNIQUE, -- SHA-256
	created INTEGER NOT NULL,
	expires INTEGER,  -- NULL: never
	used    INTEGER   -- last; NULL: not yet
) STRICT;

-- Who may read the value of a ROT beside the owner.
CREATE TABLE grants (
	id      TEXT PRIMARY KEY,
	rot     TEXT NOT NULL REFERENCES rots (id) ON DELETE CASCADE,
	kind    TEXT NOT NULL CHECK (kind IN ('uid', 'gid', 'access-token', 'unit')),
	subject TEXT NOT NULL, -- the number, the access token's id, or the unit's name
	created INTEGER NOT NULL,
	UNIQUE (rot, kind, subject)
) STRICT;

CREATE INDEX grants_subject ON grants (kind, subject);
