-- The last that the job's attempt said of how far it is, as JSON. Written now and then; read
-- only where it is of the stage at which the job stands.
ALTER TABLE job ADD COLUMN progress TEXT;
