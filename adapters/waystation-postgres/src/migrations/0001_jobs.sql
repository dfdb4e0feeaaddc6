CREATE TABLE pipeline (
    name    text NOT NULL,
    version integer NOT NULL,
    source  text NOT NULL,
    PRIMARY KEY (name, version)
);

-- One row a job, for ever. Job ids grow with time, so that the unique index grows at one end.
-- A lower fill factor leaves room for updates in place: a hop changes no indexed column.
CREATE TABLE job (
    job_number       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    job_id           text NOT NULL UNIQUE,
    pipeline         text NOT NULL,
    pipeline_version integer NOT NULL,
    state            smallint NOT NULL,
    stage            text NOT NULL,
    created_at       bigint NOT NULL,
    updated_at       bigint NOT NULL,
    failure          text,
    body             bytea
) WITH (fillfactor = 85);
-- States 6 to 9 are the terminal ones. Written once a job, never on a hop.
CREATE INDEX job_ended ON job (pipeline, state, stage) WHERE state >= 6;

-- What is in the queues. `state`: 0 ready, 1 leased, 2 held back. `due`: the end of the lease, or
-- the moment until which it is held back. `rank` is the negated priority.
CREATE TABLE message (
    message_id  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    queue       text NOT NULL,
    rank        smallint NOT NULL,
    state       smallint NOT NULL,
    due         bigint,
    token       bigint,
    leased_at   bigint,
    deliveries  integer NOT NULL DEFAULT 0,
    job         bigint NOT NULL,
    enqueued_at bigint NOT NULL,
    abort       text,
    body        bytea NOT NULL
) WITH (fillfactor = 85, autovacuum_vacuum_scale_factor = 0.02);
CREATE INDEX message_ready ON message (queue, rank, message_id) WHERE state = 0;
CREATE INDEX message_due ON message (due) WHERE state <> 0;
CREATE INDEX message_of_job ON message (job);
CREATE INDEX message_abort ON message (message_id) WHERE abort IS NOT NULL;
-- Fences: each handing out takes the next number.
CREATE SEQUENCE lease_token CACHE 100;

CREATE TABLE task (
    task_id    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    job        bigint NOT NULL,
    pipeline   text NOT NULL,
    stage      text NOT NULL,
    created_at bigint NOT NULL,
    body       bytea NOT NULL
);
CREATE INDEX task_of_job ON task (job);

CREATE TABLE dead_letter (
    dead_letter_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    job            bigint NOT NULL,
    stage          text NOT NULL,
    failure        text NOT NULL,
    at             bigint NOT NULL,
    body           bytea NOT NULL
);
CREATE INDEX dead_letter_of_job ON dead_letter (job);

CREATE TABLE event (
    event_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    job      bigint NOT NULL,
    kind     smallint NOT NULL,
    stage    text NOT NULL,
    visit    integer NOT NULL,
    attempt  integer NOT NULL,
    at       bigint NOT NULL,
    detail   text
);
CREATE INDEX event_of_job ON event (job);

CREATE TABLE log (
    log_id  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    job     bigint NOT NULL,
    stage   text NOT NULL,
    attempt integer NOT NULL,
    at      bigint NOT NULL,
    level   smallint NOT NULL,
    line    text NOT NULL
);
CREATE INDEX log_of_job ON log (job);

-- Outlives the job it points to, so that a found item is never made a job twice.
CREATE TABLE dedupe (
    pipeline text NOT NULL,
    key      text NOT NULL,
    job_id   text NOT NULL,
    PRIMARY KEY (pipeline, key)
);

CREATE TABLE checkpoint (
    source     text PRIMARY KEY,
    value      text NOT NULL,
    updated_at bigint NOT NULL
);
