//! What waits for a person: tasks and dead letters.

use rusqlite::{Connection, OptionalExtension, Row, params};
use waystation_core::clock::Timestamp;
use waystation_core::failure::{ErrorKind, Failure};
use waystation_core::id::{JobId, PipelineName, StageId};
use waystation_core::job::{DeadLetterRecord, TaskRecord};

use super::failure;

const TASK: &str = "SELECT task.task_id, job.job_id, pipeline.text, stage.text, task.created_at, \
     task.body FROM task JOIN job ON job.job_number = task.job \
     JOIN name AS pipeline ON pipeline.name_id = task.pipeline \
     JOIN name AS stage ON stage.name_id = task.stage";

/// A task.
pub fn task(connection: &Connection, task_id: i64) -> rusqlite::Result<Option<TaskRecord>> {
    connection
        .prepare_cached(&format!("{TASK} WHERE task.task_id = ?1"))?
        .query_row([task_id], task_record)
        .optional()
}

/// The oldest tasks.
pub fn tasks(
    connection: &Connection,
    pipeline: Option<&PipelineName>,
    limit: usize,
) -> rusqlite::Result<Vec<TaskRecord>> {
    let mut select = connection.prepare_cached(&format!(
        "{TASK} WHERE ?1 IS NULL OR pipeline.text = ?1 ORDER BY task.task_id LIMIT ?2"
    ))?;
    let pipeline = pipeline.map(PipelineName::as_str);
    let rows = select.query_map(params![pipeline, limit], task_record)?;
    rows.collect()
}

fn task_record(row: &Row<'_>) -> rusqlite::Result<TaskRecord> {
    let job_id: String = row.get(1)?;
    let pipeline: String = row.get(2)?;
    let stage: String = row.get(3)?;
    Ok(TaskRecord {
        assignee: None,
        claimed_until: None,
        due_at: None,
        task_id: row.get(0)?,
        job_id: JobId::from(job_id),
        pipeline: PipelineName::from(pipeline),
        stage: StageId::from(stage),
        created_at: Timestamp(row.get(4)?),
        body: row.get(5)?,
    })
}

/// The newest dead letters.
pub fn dead_letters(
    connection: &Connection,
    job_id: Option<&JobId>,
    limit: usize,
) -> rusqlite::Result<Vec<DeadLetterRecord>> {
    // Two statements, so that one job's letters come by their index.
    let which = if job_id.is_some() {
        "dead_letter.job = (SELECT job_number FROM job WHERE job_id = ?1)"
    } else {
        "?1 IS NULL"
    };
    let mut select = connection.prepare_cached(&format!(
        "SELECT dead_letter_id, job.job_id, pipeline.text, stage.text, dead_letter.failure, at, \
         dead_letter.body FROM dead_letter JOIN job ON job.job_number = dead_letter.job \
         JOIN name AS pipeline ON pipeline.name_id = job.pipeline \
         JOIN name AS stage ON stage.name_id = dead_letter.stage \
         WHERE {which} ORDER BY dead_letter_id DESC LIMIT ?2"
    ))?;
    let rows = select.query_map(params![job_id.map(JobId::as_str), limit], |row| {
        let job_id: String = row.get(1)?;
        let pipeline: String = row.get(2)?;
        let stage: String = row.get(3)?;
        let unknown = || Failure::new(ErrorKind::Error, "the reason was not kept");
        Ok(DeadLetterRecord {
            dead_letter_id: row.get(0)?,
            job_id: JobId::from(job_id),
            pipeline: PipelineName::from(pipeline),
            stage: StageId::from(stage),
            failure: failure(row, 4)?.unwrap_or_else(unknown),
            at: Timestamp(row.get(5)?),
            body: row.get(6)?,
        })
    })?;
    rows.collect()
}
