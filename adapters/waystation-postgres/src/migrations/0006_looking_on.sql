-- Small documents. Revisions are never given again.
CREATE SEQUENCE record_revision;
CREATE TABLE record (
    collection text COLLATE "C" NOT NULL,
    key        text COLLATE "C" NOT NULL,
    revision   bigint NOT NULL,
    value      text NOT NULL,
    updated_at bigint NOT NULL,
    expires_at bigint,
    PRIMARY KEY (collection, key)
);
CREATE INDEX record_expires ON record (expires_at) WHERE expires_at IS NOT NULL;

-- What is counted, by minutes, and since ever under the minute 0. What was before this table came
-- is not counted. Each process adds to the rows of one slot, so that few wait for each other; what
-- is told is the sum over all slots. Adding changes no indexed column, and finds room in the page.
CREATE TABLE statistic (
    minute   bigint NOT NULL,
    slot     smallint NOT NULL,
    pipeline text COLLATE "C" NOT NULL,
    stage    text COLLATE "C" NOT NULL,
    measure  smallint NOT NULL,
    bucket   smallint NOT NULL,
    count    bigint NOT NULL,
    total_ms bigint NOT NULL,
    PRIMARY KEY (minute, slot, pipeline, stage, measure, bucket)
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02);
-- When a message's job was submitted, so that ending a delivery tells how long the job took without
-- a look at the job. What a broker has goes without.
ALTER TABLE message ADD COLUMN created_at bigint;

-- States 7 to 9: those that few jobs come to, by age. Written once such a job, never on a hop.
CREATE INDEX job_unfulfilled ON job (state, job_number) WHERE state >= 7;

ALTER TABLE task
    ADD COLUMN assignee      text COLLATE "C",
    ADD COLUMN claimed_until bigint,
    ADD COLUMN due_at        bigint;
-- All that a listing asks of a task, so that none reads through the bodies.
CREATE INDEX task_asked ON task (pipeline, stage, task_id, assignee, claimed_until, due_at);

-- The same of a dead letter. Its pipeline is the job's.
ALTER TABLE dead_letter ADD COLUMN pipeline text;
UPDATE dead_letter SET pipeline = job.pipeline FROM job WHERE job_number = dead_letter.job;
CREATE INDEX dead_letter_asked ON dead_letter (pipeline, stage, dead_letter_id);
