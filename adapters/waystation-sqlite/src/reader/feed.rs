//! What happened to all jobs.

use rusqlite::{Connection, params};
use waystation_core::clock::Timestamp;
use waystation_core::event::{Event, EventKind};
use waystation_core::id::{JobId, PipelineName, StageId};
use waystation_core::job::{Feed, PAGE_MAX};

use super::{corrupt, nth};

/// What happened behind this place, or the place alone.
///
/// One transaction writes at a time, so that the order of the numbers is that of the commits. A
/// number is the newest row's and one more: it is given once, since the newest row is never
/// deleted.
pub fn feed(connection: &Connection, after: Option<u64>, limit: usize) -> rusqlite::Result<Feed> {
    let Some(after) = after else {
        let newest: i64 = connection
            .prepare_cached("SELECT coalesce(max(event_id), 0) FROM event")?
            .query_row([], |row| row.get(0))?;
        return Ok(Feed { events: Vec::new(), next: newest as u64 });
    };
    let mut select = connection.prepare_cached(
        "SELECT event_id, pipeline.text, job.job_id, kind, stage.text, visit, attempt, at, detail \
         FROM event JOIN job ON job.job_number = event.job \
         JOIN name AS pipeline ON pipeline.name_id = job.pipeline \
         JOIN name AS stage ON stage.name_id = event.stage \
         WHERE event_id > ?1 ORDER BY event_id LIMIT ?2",
    )?;
    let behind = i64::try_from(after).unwrap_or(i64::MAX);
    let mut rows = select.query(params![behind, limit.min(PAGE_MAX)])?;
    let mut feed = Feed { events: Vec::new(), next: after };
    while let Some(row) = rows.next()? {
        let (pipeline, job_id): (String, String) = (row.get(1)?, row.get(2)?);
        let (stage, detail): (String, Option<String>) = (row.get(4)?, row.get(8)?);
        let detail = detail.map(|text| serde_json::from_str(&text)).transpose();
        let event = Event {
            job_id: JobId::from(job_id),
            kind: nth(row, 3, &EventKind::ALL)?,
            stage: StageId::from(stage),
            visit: row.get(5)?,
            attempt: row.get(6)?,
            at: Timestamp(row.get(7)?),
            detail: detail.map_err(|error| corrupt(8, error))?,
        };
        feed.events.push((PipelineName::from(pipeline), event));
        feed.next = row.get::<_, i64>(0)? as u64;
    }
    Ok(feed)
}
