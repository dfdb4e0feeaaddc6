-- Whose child a job is: its parent's number, the stage run of it that made the child, and which of
-- that run's children it is.
ALTER TABLE job ADD COLUMN parent INTEGER;
ALTER TABLE job ADD COLUMN parent_visit INTEGER;
ALTER TABLE job ADD COLUMN position INTEGER;
CREATE INDEX job_child ON job (parent, parent_visit, position) WHERE parent IS NOT NULL;

-- The jobs that wait for children. A fifth state of a message, 4 held: it is the one that such a job
-- goes on with, and becomes ready when one of the three numbers is reached. The row goes then.
CREATE TABLE family (
    job              INTEGER PRIMARY KEY,
    message          INTEGER NOT NULL,
    visit            INTEGER NOT NULL,
    completed_needed INTEGER NOT NULL,
    failed_needed    INTEGER NOT NULL,
    ended_needed     INTEGER NOT NULL,
    completed        INTEGER NOT NULL DEFAULT 0,
    failed           INTEGER NOT NULL DEFAULT 0
);
