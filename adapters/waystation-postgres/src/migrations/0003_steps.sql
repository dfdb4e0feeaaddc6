-- What the steps of handlers gave. By the job's id and not its number: a step may be done before
-- the database has heard of its job, where a broker moves the jobs. Job ids grow with time, so
-- that the index grows at one end, more or less.
CREATE TABLE step (
    job_id      text NOT NULL,
    stage       text NOT NULL,
    first_visit integer NOT NULL,
    name        text NOT NULL,
    kept_at     bigint NOT NULL,
    result      bytea NOT NULL,
    PRIMARY KEY (job_id, stage, first_visit, name)
);
