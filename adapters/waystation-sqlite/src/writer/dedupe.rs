//! Jobs that are to be one with others.

use rusqlite::{OptionalExtension, params};
use waystation_core::id::JobId;
use waystation_core::port::Abort;
use waystation_core::settlement::{Admission, Dedupe, NewJob, Submitted};

use super::batch::Writer;

impl Writer {
    /// How a job is let in, as far as its key decides. Its id is looked up only where somebody else
    /// has the key: creating it finds the same id otherwise.
    pub(super) fn admit(&self, pipeline: i64, job: &NewJob) -> rusqlite::Result<Admission> {
        let Some(dedupe) = &job.dedupe else { return Ok(Admission::Free) };
        let holder = self.holder_of(pipeline, &dedupe.key)?;
        if holder.is_some() && self.exists(&job.job_id)? {
            return Ok(Admission::Refused(Submitted::Duplicate(job.job_id.clone())));
        }
        Ok(dedupe.admit(holder.as_ref()))
    }

    /// Aborts the job that another takes the place of. Gives it, unless it has ended.
    pub(super) fn replace(&mut self, holder: JobId, by: &JobId) -> rusqlite::Result<Option<JobId>> {
        let answer = self.abort(&holder, &Dedupe::replaced_by(by))?;
        Ok(matches!(answer, Abort::Done | Abort::Requested).then_some(holder))
    }

    /// A job that was created has its key from now on.
    pub(super) fn keep_key(&self, pipeline: i64, job: &NewJob) -> rusqlite::Result<()> {
        let Some(dedupe) = &job.dedupe else { return Ok(()) };
        self.connection
            .prepare_cached(
                "INSERT INTO dedupe (pipeline, key, job_id) VALUES (?1, ?2, ?3) \
                 ON CONFLICT (pipeline, key) DO UPDATE SET job_id = excluded.job_id",
            )?
            .execute(params![pipeline, dedupe.key, job.job_id.as_str()])?;
        Ok(())
    }

    fn holder_of(&self, pipeline: i64, key: &str) -> rusqlite::Result<Option<JobId>> {
        self.connection
            .prepare_cached("SELECT job_id FROM dedupe WHERE pipeline = ?1 AND key = ?2")?
            .query_row(params![pipeline, key], |row| row.get::<_, String>(0))
            .optional()
            .map(|found| found.map(JobId::from))
    }

    fn exists(&self, job_id: &JobId) -> rusqlite::Result<bool> {
        self.connection
            .prepare_cached("SELECT 1 FROM job WHERE job_id = ?1")?
            .exists([job_id.as_str()])
    }
}
