//! What happened to a job and what its attempts said.

use tokio_postgres::Row;
use waystation_core::clock::Timestamp;
use waystation_core::event::{Event, EventKind, Level, LogLine};
use waystation_core::id::{JobId, StageId};
use waystation_core::port::Error;

use super::Reader;

impl Reader {
    /// Everything that happened to a job, oldest first.
    pub async fn events(&self, job_id: &JobId) -> Result<Vec<Event>, Error> {
        let sql = "SELECT kind, event.stage, visit, attempt, at, detail FROM event \
             JOIN job ON job.job_number = event.job WHERE job_id = $1 ORDER BY visit, at, event_id";
        let rows = self.rows(sql, &[&job_id.as_str()]).await?;
        let event = |row: &Row| {
            let detail: Option<String> = row.get(5);
            let detail = detail.map(|text| serde_json::from_str(&text)).transpose();
            Ok(Event {
                job_id: job_id.clone(),
                kind: self.nth(row.get(0), &EventKind::ALL, "kind of event")?,
                stage: StageId::from(row.get::<_, String>(1)),
                visit: row.get::<_, i32>(2) as u32,
                attempt: row.get::<_, i32>(3) as u32,
                at: Timestamp(row.get(4)),
                detail: detail.map_err(|_| self.corrupt("detail of an event"))?,
            })
        };
        rows.iter().map(event).collect()
    }

    /// Everything that a job's attempts said, oldest first.
    pub async fn log(&self, job_id: &JobId) -> Result<Vec<LogLine>, Error> {
        let sql = "SELECT at, log.stage, attempt, level, line FROM log \
             JOIN job ON job.job_number = log.job WHERE job_id = $1 ORDER BY log_id";
        let rows = self.rows(sql, &[&job_id.as_str()]).await?;
        let line = |row: &Row| {
            Ok(LogLine {
                at: Timestamp(row.get(0)),
                stage: StageId::from(row.get::<_, String>(1)),
                attempt: row.get::<_, i32>(2) as u32,
                level: self.nth(row.get(3), &Level::ALL, "level")?,
                line: row.get(4),
            })
        };
        rows.iter().map(line).collect()
    }
}
