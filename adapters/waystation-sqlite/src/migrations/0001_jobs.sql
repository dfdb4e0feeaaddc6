-- Numbers instead of texts for every name that repeats: queues, pipelines, stages.
CREATE TABLE name (
    name_id INTEGER PRIMARY KEY,
    text    TEXT NOT NULL UNIQUE
);

CREATE TABLE pipeline (
    name    TEXT NOT NULL,
    version INTEGER NOT NULL,
    source  TEXT NOT NULL,
    PRIMARY KEY (name, version)
) WITHOUT ROWID;

-- One row a job, for ever. `live` is its message while it is in a queue and its task while it
-- waits for a person; an index from message to job would cost every hop, this costs nothing.
-- Job ids grow with time, so that the unique index grows at one end.
CREATE TABLE job (
    job_number       INTEGER PRIMARY KEY,
    job_id           TEXT NOT NULL UNIQUE,
    pipeline         INTEGER NOT NULL,
    pipeline_version INTEGER NOT NULL,
    state            INTEGER NOT NULL,
    stage            INTEGER NOT NULL,
    created_at       INTEGER NOT NULL,
    updated_at       INTEGER NOT NULL,
    live             INTEGER,
    failure          TEXT,
    body             BLOB
);
-- States 6 to 9 are the terminal ones. Written once a job, never on a hop.
CREATE INDEX job_ended ON job (pipeline, state, stage) WHERE state >= 6;

-- What is in the queues. `state`: 0 ready, 1 leased, 2 held back. `due`: the end of the lease, or
-- the moment until which it is held back. `rank` is the negated priority.
CREATE TABLE message (
    message_id  INTEGER PRIMARY KEY,
    queue       INTEGER NOT NULL,
    rank        INTEGER NOT NULL,
    state       INTEGER NOT NULL,
    due         INTEGER,
    token       INTEGER,
    leased_at   INTEGER,
    deliveries  INTEGER NOT NULL DEFAULT 0,
    job         INTEGER NOT NULL,
    enqueued_at INTEGER NOT NULL,
    abort       TEXT,
    body        BLOB NOT NULL
);
CREATE INDEX message_ready ON message (queue, rank, message_id) WHERE state = 0;
CREATE INDEX message_due ON message (due) WHERE state <> 0;
CREATE INDEX message_abort ON message (message_id) WHERE abort IS NOT NULL;

CREATE TABLE task (
    task_id    INTEGER PRIMARY KEY AUTOINCREMENT,
    job        INTEGER NOT NULL,
    pipeline   INTEGER NOT NULL,
    stage      INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    body       BLOB NOT NULL
);

CREATE TABLE dead_letter (
    dead_letter_id INTEGER PRIMARY KEY AUTOINCREMENT,
    job            INTEGER NOT NULL,
    stage          INTEGER NOT NULL,
    failure        TEXT NOT NULL,
    at             INTEGER NOT NULL,
    body           BLOB NOT NULL
);
CREATE INDEX dead_letter_of_job ON dead_letter (job);

CREATE TABLE event (
    event_id INTEGER PRIMARY KEY,
    job      INTEGER NOT NULL,
    kind     INTEGER NOT NULL,
    stage    INTEGER NOT NULL,
    visit    INTEGER NOT NULL,
    attempt  INTEGER NOT NULL,
    at       INTEGER NOT NULL,
    detail   TEXT
);
CREATE INDEX event_of_job ON event (job);

CREATE TABLE log (
    log_id  INTEGER PRIMARY KEY,
    job     INTEGER NOT NULL,
    stage   INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    at      INTEGER NOT NULL,
    level   INTEGER NOT NULL,
    line    TEXT NOT NULL
);
CREATE INDEX log_of_job ON log (job);

-- Outlives the job it points to, so that a found item is never made a job twice.
CREATE TABLE dedupe (
    pipeline INTEGER NOT NULL,
    key      TEXT NOT NULL,
    job_id   TEXT NOT NULL,
    PRIMARY KEY (pipeline, key)
) WITHOUT ROWID;

CREATE TABLE checkpoint (
    source     TEXT PRIMARY KEY,
    value      TEXT NOT NULL,
    updated_at INTEGER NOT NULL
) WITHOUT ROWID;
