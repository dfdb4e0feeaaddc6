//! What the steps of handlers gave.

use waystation_core::id::JobId;
use waystation_core::step::{FORGET_PAGE, StepKey};

use super::batch::{Result, Writer};

impl Writer {
    /// Keeps a result where none is kept yet. Gives what is kept.
    pub(super) async fn keep_step(&mut self, step: &StepKey, result: &[u8]) -> Result<Vec<u8>> {
        let (job_id, stage) = (step.job_id.as_str(), step.stage.as_str());
        let (first_visit, name) = (step.first_visit as i32, step.name.as_str());
        // It waits for another process that keeps the same step at this moment.
        let insert = "INSERT INTO step (job_id, stage, first_visit, name, kept_at, result) \
             VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING";
        self.link
            .send(insert, &[&job_id, &stage, &first_visit, &name, &self.now.0, &result])
            .await?;
        let select = "SELECT result FROM step \
             WHERE job_id = $1 AND stage = $2 AND first_visit = $3 AND name = $4";
        let rows = self.link.rows(select, &[&job_id, &stage, &first_visit, &name]).await?;
        Ok(rows.first().map_or_else(|| result.to_vec(), |row| row.get(0)))
    }

    /// Forgets the steps of those of a page of jobs that ended otherwise than by failing. Gives
    /// the last job of the page, when there may be more.
    pub(super) async fn forget_steps(&mut self, after: Option<&JobId>) -> Result<Option<JobId>> {
        let after = after.map_or("", JobId::as_str);
        let page = "SELECT DISTINCT job_id FROM step WHERE job_id > $1 ORDER BY job_id LIMIT $2";
        let rows = self.link.rows(page, &[&after, &(FORGET_PAGE as i64)]).await?;
        let page: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
        // Completed, aborted and skipped.
        let forget = "DELETE FROM step USING job WHERE step.job_id = ANY($1) \
             AND job.job_id = step.job_id AND job.state IN (6, 8, 9)";
        self.link.send(forget, &[&page]).await?;
        let is_full = page.len() == FORGET_PAGE;
        Ok(page.last().filter(|_| is_full).map(|job_id| JobId::from(job_id.as_str())))
    }
}
