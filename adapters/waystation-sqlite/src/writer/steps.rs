//! What the steps of handlers gave.

use rusqlite::params;
use waystation_core::id::JobId;
use waystation_core::step::{FORGET_PAGE, StepKey};

use super::batch::Writer;
use crate::reader;

impl Writer {
    /// Keeps a result where none is kept yet. Gives what is kept.
    pub(super) fn keep_step(&mut self, step: &StepKey, result: &[u8]) -> rusqlite::Result<Vec<u8>> {
        let written = self
            .connection
            .prepare_cached(
                "INSERT INTO step (job_id, stage, first_visit, name, kept_at, result) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6) \
                 ON CONFLICT (job_id, stage, first_visit, name) DO NOTHING",
            )?
            .execute(params![
                step.job_id.as_str(),
                step.stage.as_str(),
                step.first_visit,
                step.name,
                self.now.0,
                result,
            ])?;
        if written == 1 {
            return Ok(result.to_vec());
        }
        let kept = reader::step_result(&self.connection, step)?;
        kept.ok_or(rusqlite::Error::QueryReturnedNoRows)
    }

    /// Forgets the steps of those of a page of jobs that ended otherwise than by failing. Gives
    /// the last job of the page, when there may be more.
    pub(super) fn forget_steps(
        &mut self,
        after: Option<&JobId>,
    ) -> rusqlite::Result<Option<JobId>> {
        let after = after.map_or("", JobId::as_str);
        let page: Vec<String> = self
            .connection
            .prepare_cached(
                "SELECT DISTINCT job_id FROM step WHERE job_id > ?1 ORDER BY job_id LIMIT ?2",
            )?
            .query_map(params![after, FORGET_PAGE], |row| row.get(0))?
            .collect::<rusqlite::Result<_>>()?;
        // Completed, aborted and skipped.
        let mut forget = self.connection.prepare_cached(
            "DELETE FROM step WHERE job_id = ?1 AND EXISTS \
             (SELECT 1 FROM job WHERE job_id = ?1 AND state IN (6, 8, 9))",
        )?;
        for job_id in &page {
            forget.execute([job_id])?;
        }
        let is_full = page.len() == FORGET_PAGE;
        Ok(page.last().filter(|_| is_full).map(|job_id| JobId::from(job_id.as_str())))
    }
}
