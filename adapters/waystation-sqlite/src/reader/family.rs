//! The children of a job, and what it waits for.

use rusqlite::{Connection, OptionalExtension, params};
use waystation_core::clock::Timestamp;
use waystation_core::id::{JobId, StageId};
use waystation_core::job::{Awaited, ChildRecord, PAGE_MAX};
use waystation_core::settlement::{Quorum, Tally};
use waystation_core::state::JobState;

use super::{failure, nth};

/// The children that a stage run made, by their positions.
pub fn children(
    connection: &Connection,
    parent: &JobId,
    visit: u32,
    from: u32,
    limit: usize,
    now: Timestamp,
) -> rusqlite::Result<Vec<ChildRecord>> {
    let mut select = connection.prepare_cached(
        "SELECT job.job_id, job.position, \
         CASE WHEN (message.state IN (1, 6) AND message.due > ?1 OR message.state = 3) \
         AND message.leased_at IS NOT NULL THEN 2 ELSE job.state END, \
         stage.text, job.failure, coalesce(message.body, task.body, job.body) \
         FROM job \
         JOIN name AS stage ON stage.name_id = job.stage \
         LEFT JOIN message ON message.message_id = job.live AND message.job = job.job_number \
         LEFT JOIN task ON task.task_id = job.live AND task.job = job.job_number \
         AND job.state = 4 \
         WHERE job.parent = (SELECT job_number FROM job WHERE job_id = ?2) \
         AND job.parent_visit = ?3 AND job.position >= ?4 \
         ORDER BY job.position LIMIT ?5",
    )?;
    let limit = limit.min(PAGE_MAX);
    let rows = select.query_map(params![now.0, parent.as_str(), visit, from, limit], |row| {
        let (job_id, stage): (String, String) = (row.get(0)?, row.get(3)?);
        Ok(ChildRecord {
            job_id: JobId::from(job_id),
            position: row.get(1)?,
            state: nth(row, 2, &JobState::ALL)?,
            stage: StageId::from(stage),
            failure: failure(row, 4)?,
            body: row.get::<_, Option<Vec<u8>>>(5)?.unwrap_or_default(),
        })
    })?;
    rows.collect()
}

/// What a job waits for, while it waits for children.
pub fn awaited(connection: &Connection, job_id: &JobId) -> rusqlite::Result<Option<Awaited>> {
    connection
        .prepare_cached(
            "SELECT visit, completed_needed, failed_needed, ended_needed, completed, failed \
             FROM family WHERE job = (SELECT job_number FROM job WHERE job_id = ?1)",
        )?
        .query_row([job_id.as_str()], |row| {
            let visit = row.get(0)?;
            let (completed, failed, ended) = (row.get(1)?, row.get(2)?, row.get(3)?);
            let quorum = Quorum { visit, completed, failed, ended };
            let tally = Tally { completed: row.get(4)?, failed: row.get(5)? };
            Ok(Awaited { visit, quorum, tally })
        })
        .optional()
}
