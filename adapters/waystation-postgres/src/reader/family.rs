//! Children, and what their parents wait for.

use tokio_postgres::Row;
use waystation_core::clock::Timestamp;
use waystation_core::id::{JobId, StageId};
use waystation_core::job::{Awaited, ChildRecord};
use waystation_core::port::Error;
use waystation_core::state::JobState;

use super::Reader;
use super::jobs::select;
use crate::family::awaited;

impl Reader {
    /// The children of a stage run, by their positions.
    pub async fn children(
        &self,
        parent: &JobId,
        visit: u32,
        from: u32,
        limit: usize,
        now: Timestamp,
    ) -> Result<Vec<ChildRecord>, Error> {
        let sql = format!(
            "{} WHERE parent = $2 AND parent_visit = $3 AND position >= $4 \
             ORDER BY position LIMIT $5",
            select("job")
        );
        let (visit, from, limit) = (visit as i32, i64::from(from), limit as i64);
        let rows = self.rows(&sql, &[&now.0, &parent.as_str(), &visit, &from, &limit]).await?;
        rows.iter().map(|row| self.child(row)).collect()
    }

    /// What a job waits for.
    pub async fn awaited(&self, job_id: &JobId) -> Result<Option<Awaited>, Error> {
        let sql = "SELECT visit, completed, failed, quorum_completed, quorum_failed, quorum_ended \
             FROM awaited WHERE job_id = $1";
        Ok(self.rows(sql, &[&job_id.as_str()]).await?.first().map(|row| awaited(row, 0)))
    }

    fn child(&self, row: &Row) -> Result<ChildRecord, Error> {
        Ok(ChildRecord {
            job_id: JobId::from(row.get::<_, &str>(0)),
            position: row.get::<_, i64>(15) as u32,
            state: self.nth(row.get(3), &JobState::ALL, "state")?,
            stage: StageId::from(row.get::<_, &str>(4)),
            failure: self.failure(row.get(7))?,
            body: row.get::<_, Option<Vec<u8>>>(8).unwrap_or_default(),
        })
    }
}
