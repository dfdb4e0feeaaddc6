-- Whose child a job is: of which job, of which stage run of it, and which one of that run's
-- children. The parent goes by its id: it need not be known here.
ALTER TABLE job
    ADD COLUMN parent       text COLLATE "C",
    ADD COLUMN parent_visit integer,
    ADD COLUMN position     bigint;
CREATE INDEX job_child ON job (parent, parent_visit, position) WHERE parent IS NOT NULL;

-- The same of a message's job, so that ending a delivery tells what child has ended without a look
-- at the job. What a broker has goes without. A fifth state, 4 awaiting: it waits for children,
-- and its `due` is NULL.
ALTER TABLE message
    ADD COLUMN parent       text COLLATE "C",
    ADD COLUMN parent_visit integer;

-- Jobs that wait for their children, for as long as they do: for those of which stage run, how many
-- have ended how, and how many are enough. `not_before` is that of the message. Counting changes
-- no indexed column, and finds room in the page.
CREATE TABLE awaited (
    job_id           text COLLATE "C" PRIMARY KEY,
    job              bigint NOT NULL,
    visit            integer NOT NULL,
    completed        bigint NOT NULL DEFAULT 0,
    failed           bigint NOT NULL DEFAULT 0,
    quorum_completed bigint NOT NULL,
    quorum_failed    bigint NOT NULL,
    quorum_ended     bigint NOT NULL,
    not_before       bigint
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02);
