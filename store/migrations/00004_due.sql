-- +goose Up

-- What the timer looks for at every look, however many ROTs there are.
CREATE INDEX rots_next ON rots (next) WHERE next IS NOT NULL;
CREATE INDEX rots_last_attempt ON rots (last_attempt) WHERE last_attempt IS NOT NULL;
CREATE INDEX rots_notable ON rots (id) WHERE trouble IS NOT NULL OR notified <> '';
CREATE INDEX generations_expires ON generations (expires) WHERE step = 'current';
