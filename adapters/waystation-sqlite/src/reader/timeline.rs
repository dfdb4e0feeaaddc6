//! What happened to a job and what its attempts said.

use rusqlite::{Connection, params};
use waystation_core::clock::Timestamp;
use waystation_core::event::{Event, EventKind, Level, LogLine};
use waystation_core::id::{JobId, StageId};

use super::{corrupt, job_number, nth};

/// Everything that happened to a job, oldest first.
pub fn events(connection: &Connection, job_id: &JobId) -> rusqlite::Result<Vec<Event>> {
    let Some(job) = job_number(connection, job_id.as_str())? else { return Ok(Vec::new()) };
    let mut select = connection.prepare_cached(
        "SELECT kind, name.text, visit, attempt, at, detail FROM event \
         JOIN name ON name.name_id = event.stage WHERE job = ?1 ORDER BY visit, at, event_id",
    )?;
    let rows = select.query_map(params![job], |row| {
        let stage: String = row.get(1)?;
        let detail: Option<String> = row.get(5)?;
        let detail = detail.map(|text| serde_json::from_str(&text)).transpose();
        Ok(Event {
            job_id: job_id.clone(),
            kind: nth(row, 0, &EventKind::ALL)?,
            stage: StageId::from(stage),
            visit: row.get(2)?,
            attempt: row.get(3)?,
            at: Timestamp(row.get(4)?),
            detail: detail.map_err(|error| corrupt(5, error))?,
        })
    })?;
    rows.collect()
}

/// Everything that a job's attempts said, oldest first.
pub fn log(connection: &Connection, job_id: &JobId) -> rusqlite::Result<Vec<LogLine>> {
    let Some(job) = job_number(connection, job_id.as_str())? else { return Ok(Vec::new()) };
    let mut select = connection.prepare_cached(
        "SELECT at, name.text, attempt, level, line FROM log \
         JOIN name ON name.name_id = log.stage WHERE job = ?1 ORDER BY log_id",
    )?;
    let rows = select.query_map(params![job], |row| {
        let stage: String = row.get(1)?;
        Ok(LogLine {
            at: Timestamp(row.get(0)?),
            stage: StageId::from(stage),
            attempt: row.get(2)?,
            level: nth(row, 3, &Level::ALL)?,
            line: row.get(4)?,
        })
    })?;
    rows.collect()
}
