-- What the steps of handlers gave. By the job's id and not its number: a step may be done before
-- the file has heard of its job, where a broker moves the jobs. Job ids grow with time, so that
-- the index grows at one end, more or less.
CREATE TABLE step (
    job_id      TEXT NOT NULL,
    stage       TEXT NOT NULL,
    first_visit INTEGER NOT NULL,
    name        TEXT NOT NULL,
    kept_at     INTEGER NOT NULL,
    result      BLOB NOT NULL
);
CREATE UNIQUE INDEX step_of_job ON step (job_id, stage, first_visit, name);
