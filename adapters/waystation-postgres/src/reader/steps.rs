//! What is kept of steps.

use waystation_core::port::Error;
use waystation_core::step::StepKey;

use super::Reader;

impl Reader {
    /// What a step gave.
    pub async fn step_result(&self, step: &StepKey) -> Result<Option<Vec<u8>>, Error> {
        let sql = "SELECT result FROM step \
             WHERE job_id = $1 AND stage = $2 AND first_visit = $3 AND name = $4";
        let first_visit = step.first_visit as i32;
        let (job_id, stage, name) = (step.job_id.as_str(), step.stage.as_str(), &*step.name);
        let rows = self.rows(sql, &[&job_id, &stage, &first_visit, &name]).await?;
        Ok(rows.first().map(|row| row.get(0)))
    }
}
