-- A fourth state of a message, 3 away: a broker has it, and the row is its shadow. `leased_at` is
-- then since when a worker is known to have it, `not_before` until when it is put off there, and
-- `told_at` as of when it is. Its `due` and `token` are NULL.
ALTER TABLE message ADD COLUMN not_before INTEGER;
ALTER TABLE message ADD COLUMN told_at INTEGER;
-- What is away is never due: it costs this index nothing, and the look for the next due nothing.
DROP INDEX message_due;
CREATE INDEX message_due ON message (due) WHERE due IS NOT NULL;
