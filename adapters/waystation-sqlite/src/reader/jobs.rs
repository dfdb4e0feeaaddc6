//! Jobs and how many there are of them.

use std::sync::LazyLock;

use rusqlite::{Connection, OptionalExtension, Row, params};
use waystation_core::clock::Timestamp;
use waystation_core::contract::Contract;
use waystation_core::id::{JobId, PipelineName, StageId};
use waystation_core::job::{Count, JobRecord};
use waystation_core::settlement::Parent;
use waystation_core::state::JobState;

use super::{failure, job_number, nth};
use crate::names;

/// Where a job stands at this moment, given its message. State numbers: `running` is 2; a leased
/// message is in 1, one that is away in 3.
pub const STATE_NOW: &str = "CASE WHEN (message.state IN (1, 6) AND message.due > ?1 \
     OR message.state = 3) AND message.leased_at IS NOT NULL THEN 2 ELSE job.state END";

/// A job has a message or a task, and their numbers are apart: `live` is that of either. State
/// numbers: `waiting` is 4, the terminal ones are 6 and above; `retrying` and `delayed` are 3
/// and 5.
static SELECT: LazyLock<String> = LazyLock::new(|| {
    format!(
        "SELECT job.job_id, pipeline.text, job.pipeline_version, {STATE_NOW}, \
         stage.text, job.created_at, job.updated_at, job.failure, \
         coalesce(message.body, task.body, job.body), message.deliveries, \
         CASE WHEN message.state = 2 THEN message.due \
         WHEN message.state = 3 AND message.leased_at IS NULL AND job.state IN (3, 5) \
         AND message.not_before > ?1 THEN message.not_before END, \
         CASE WHEN message.state IN (1, 6) AND message.due > ?1 OR message.state = 3 \
         THEN message.leased_at END, \
         parent.job_id, job.parent_visit, job.position, job.progress, \
         CASE WHEN message.state IN (1, 6) AND message.due > ?1 AND message.leased_at IS NOT NULL \
         THEN message.due END \
         FROM job \
         JOIN name AS pipeline ON pipeline.name_id = job.pipeline \
         JOIN name AS stage ON stage.name_id = job.stage \
         LEFT JOIN message ON message.message_id = job.live AND message.job = job.job_number \
         LEFT JOIN task ON task.task_id = job.live AND task.job = job.job_number \
         AND job.state = 4 \
         LEFT JOIN job AS parent ON parent.job_number = job.parent"
    )
});

/// A job.
pub fn job(
    connection: &Connection,
    job_id: &JobId,
    now: Timestamp,
) -> rusqlite::Result<Option<JobRecord>> {
    connection
        .prepare_cached(&format!("{} WHERE job.job_id = ?2", *SELECT))?
        .query_row(params![now.0, job_id.as_str()], record)
        .optional()
}

/// The job of this number.
pub fn numbered(
    connection: &Connection,
    number: i64,
    now: Timestamp,
) -> rusqlite::Result<JobRecord> {
    connection
        .prepare_cached(&format!("{} WHERE job.job_number = ?2", *SELECT))?
        .query_row([now.0, number], record)
}

fn record(row: &Row<'_>) -> rusqlite::Result<JobRecord> {
    let job_id: String = row.get(0)?;
    let pipeline: String = row.get(1)?;
    let stage: String = row.get(4)?;
    let body: Option<Vec<u8>> = row.get(8)?;
    // A body that is no contract is shown as what it is: without params.
    let body = body.unwrap_or_default();
    let params = Contract::parse(&body).ok().map(|contract| contract.params);
    let said = row.get::<_, Option<String>>(15)?;
    // What cannot be read was only said in passing: the job is shown without it.
    let said = said.and_then(|text| serde_json::from_str(&text).ok());
    let record = JobRecord {
        job_id: JobId::from(job_id),
        pipeline: PipelineName::from(pipeline),
        pipeline_version: row.get(2)?,
        state: nth(row, 3, &JobState::ALL)?,
        stage: StageId::from(stage),
        created_at: Timestamp(row.get(5)?),
        updated_at: Timestamp(row.get(6)?),
        not_before: row.get::<_, Option<i64>>(10)?.map(Timestamp),
        running_since: row.get::<_, Option<i64>>(11)?.map(Timestamp),
        leased_until: row.get::<_, Option<i64>>(16)?.map(Timestamp),
        deliveries: row.get::<_, Option<u32>>(9)?.unwrap_or(0),
        failure: failure(row, 7)?,
        parent: parent(row, 12)?,
        progress: None,
        params: params.unwrap_or_default(),
        body,
    };
    Ok(record.with_progress(said))
}

/// The parent that three columns tell of, if there is one.
fn parent(row: &Row<'_>, first: usize) -> rusqlite::Result<Option<Parent>> {
    let job_id: Option<String> = row.get(first)?;
    let Some(job_id) = job_id.map(JobId::from) else { return Ok(None) };
    Ok(Some(Parent { job_id, visit: row.get(first + 1)?, position: row.get(first + 2)? }))
}

/// How many jobs stand where. What lives is counted in the queues and the inbox, what has ended
/// in an index that holds nothing else, in its order.
pub fn counts(
    connection: &Connection,
    pipeline: Option<&PipelineName>,
    now: Timestamp,
) -> rusqlite::Result<Vec<Count>> {
    let (condition, number) = match pipeline {
        None => ("?2 IS NULL", None),
        Some(name) => match names::find(connection, name.as_str())? {
            Some(number) => ("pipeline = ?2", Some(number)),
            None => return Ok(Vec::new()),
        },
    };
    let mut select = connection.prepare_cached(&format!(
        "SELECT pipeline.text, stage.text, counted.state, sum(counted.jobs) FROM ( \
           SELECT job.pipeline, job.stage, {STATE_NOW} AS state, count(*) AS jobs \
           FROM message JOIN job ON job.job_number = message.job \
           WHERE {condition} GROUP BY 1, 2, 3 \
           UNION ALL \
           SELECT pipeline, stage, 4, count(*) FROM task WHERE {condition} GROUP BY 1, 2 \
           UNION ALL \
           SELECT pipeline, stage, state, count(*) FROM job INDEXED BY job_ended \
           WHERE state >= 6 AND {condition} GROUP BY pipeline, state, stage \
         ) AS counted JOIN name AS pipeline ON pipeline.name_id = counted.pipeline \
         JOIN name AS stage ON stage.name_id = counted.stage GROUP BY 1, 2, 3 ORDER BY 1, 2, 3"
    ))?;
    let rows = select.query_map(params![now.0, number], |row| {
        let (pipeline, stage): (String, String) = (row.get(0)?, row.get(1)?);
        Ok(Count {
            pipeline: PipelineName::from(pipeline),
            stage: StageId::from(stage),
            state: nth(row, 2, &JobState::ALL)?,
            jobs: row.get(3)?,
        })
    })?;
    rows.collect()
}

/// Jobs that a broker has and somebody wants aborted, with why.
pub fn abort_marks(
    connection: &Connection,
    after: Option<&JobId>,
    limit: usize,
) -> rusqlite::Result<Vec<(JobId, String)>> {
    let after = match after {
        None => i64::MIN,
        Some(job_id) => match job_number(connection, job_id.as_str())? {
            Some(number) => number,
            None => return Ok(Vec::new()),
        },
    };
    let mut select = connection.prepare_cached(
        "SELECT job.job_id, message.abort FROM message \
         JOIN job ON job.job_number = message.job \
         WHERE message.abort IS NOT NULL AND message.state = 3 AND job.job_number > ?1 \
         ORDER BY job.job_number LIMIT ?2",
    )?;
    let rows = select.query_map(params![after, limit], |row| {
        let job_id: String = row.get(0)?;
        Ok((JobId::from(job_id), row.get(1)?))
    })?;
    rows.collect()
}
