-- Small documents. The row's number is its revision: it is never given again.
CREATE TABLE record (
    revision   INTEGER PRIMARY KEY AUTOINCREMENT,
    collection TEXT NOT NULL,
    key        TEXT NOT NULL,
    value      TEXT NOT NULL,
    updated_at INTEGER NOT NULL,
    expires_at INTEGER,
    UNIQUE (collection, key)
);
CREATE INDEX record_expires ON record (expires_at) WHERE expires_at IS NOT NULL;

-- What is counted, by minutes, and since ever under the minute 0. What was before this table came
-- is not counted.
CREATE TABLE statistic (
    minute   INTEGER NOT NULL,
    pipeline INTEGER NOT NULL,
    stage    INTEGER NOT NULL,
    measure  INTEGER NOT NULL,
    bucket   INTEGER NOT NULL,
    count    INTEGER NOT NULL,
    total_ms INTEGER NOT NULL,
    PRIMARY KEY (minute, pipeline, stage, measure, bucket)
) WITHOUT ROWID;

ALTER TABLE task ADD COLUMN assignee TEXT;
ALTER TABLE task ADD COLUMN claimed_until INTEGER;
ALTER TABLE task ADD COLUMN due_at INTEGER;
-- All that a listing asks of a task, so that none reads through the bodies.
CREATE INDEX task_asked ON task (pipeline, stage, assignee, claimed_until, due_at);

-- The same of a dead letter. Its pipeline is the job's.
ALTER TABLE dead_letter ADD COLUMN pipeline INTEGER;
UPDATE dead_letter SET pipeline = (SELECT pipeline FROM job WHERE job_number = dead_letter.job);
CREATE INDEX dead_letter_asked ON dead_letter (pipeline, stage);
