//! What waits for a person: tasks and dead letters.
//!
//! Which ones a listing shows is found in an index that has all that may be asked of them, and
//! their rows are read afterwards: the bodies of a hundred thousand tasks are not read through.

use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, Row, params_from_iter};
use waystation_core::clock::Timestamp;
use waystation_core::failure::{ErrorKind, Failure};
use waystation_core::id::{JobId, PipelineName, StageId};
use waystation_core::job::{
    DeadLetterFilter, DeadLetterRecord, Holder, PAGE_MAX, TaskFilter, TaskRecord,
};

use super::{failure, job_number};
use crate::names;

const TASK: &str = "SELECT task.task_id, job.job_id, pipeline.text, stage.text, task.created_at, \
     task.assignee, task.claimed_until, task.due_at, task.body \
     FROM task JOIN job ON job.job_number = task.job \
     JOIN name AS pipeline ON pipeline.name_id = task.pipeline \
     JOIN name AS stage ON stage.name_id = task.stage";

/// A task.
pub fn task(connection: &Connection, task_id: i64) -> rusqlite::Result<Option<TaskRecord>> {
    connection
        .prepare_cached(&format!("{TASK} WHERE task.task_id = ?1"))?
        .query_row([task_id], task_record)
        .optional()
}

/// A page of the inbox, oldest first.
pub fn tasks(
    connection: &Connection,
    filter: &TaskFilter,
    now: Timestamp,
) -> rusqlite::Result<Vec<TaskRecord>> {
    let mut asked = Asked::default();
    if !asked.by_place(connection, filter.pipeline.as_ref(), filter.stage.as_ref())? {
        return Ok(Vec::new());
    }
    let free = "(assignee IS NULL OR claimed_until <= ?)";
    let theirs = "assignee = ? AND (claimed_until IS NULL OR claimed_until > ?)";
    match &filter.holder {
        Holder::Any => {}
        Holder::Nobody => asked.add(free, [now.0.into()]),
        Holder::Person(person) => asked.add(theirs, [person.clone().into(), now.0.into()]),
        Holder::PersonOrNobody(person) => {
            let either = "(assignee IS NULL OR claimed_until <= ? OR assignee = ?)";
            asked.add(either, [now.0.into(), person.clone().into()]);
        }
    }
    if let Some(moment) = filter.due_before {
        asked.add("due_at < ?", [moment.0.into()]);
    }
    let index = if asked.is_empty() { "" } else { "INDEXED BY task_asked" };
    if let Some(job_id) = &filter.job_id {
        let Some(job) = job_number(connection, job_id.as_str())? else { return Ok(Vec::new()) };
        // A job that waits for a person knows its task.
        asked.add("+task.job = ?", [job.into()]);
        asked.add("task_id = (SELECT live FROM job WHERE job_number = ?)", [job.into()]);
    }
    let index = if filter.job_id.is_some() { "" } else { index };
    if let Some(after) = filter.after {
        asked.add("task_id > ?", [after.into()]);
    }
    let mut select = connection.prepare_cached(&format!(
        "{TASK} WHERE task.task_id IN (SELECT task_id FROM task {index} {} \
         ORDER BY task_id LIMIT ?) ORDER BY task.task_id",
        asked.condition()
    ))?;
    let rows = select.query_map(asked.values(filter.limit), task_record)?;
    rows.collect()
}

fn task_record(row: &Row<'_>) -> rusqlite::Result<TaskRecord> {
    let job_id: String = row.get(1)?;
    let pipeline: String = row.get(2)?;
    let stage: String = row.get(3)?;
    let moment = |column: usize| row.get::<_, Option<i64>>(column).map(|at| at.map(Timestamp));
    Ok(TaskRecord {
        task_id: row.get(0)?,
        job_id: JobId::from(job_id),
        pipeline: PipelineName::from(pipeline),
        stage: StageId::from(stage),
        created_at: Timestamp(row.get(4)?),
        assignee: row.get(5)?,
        claimed_until: moment(6)?,
        due_at: moment(7)?,
        body: row.get(8)?,
    })
}

/// A page of the dead letters, newest first.
pub fn dead_letters(
    connection: &Connection,
    filter: &DeadLetterFilter,
) -> rusqlite::Result<Vec<DeadLetterRecord>> {
    let mut asked = Asked::default();
    if !asked.by_place(connection, filter.pipeline.as_ref(), filter.stage.as_ref())? {
        return Ok(Vec::new());
    }
    let mut index = if asked.is_empty() { "" } else { "INDEXED BY dead_letter_asked" };
    if let Some(job_id) = &filter.job_id {
        let Some(job) = job_number(connection, job_id.as_str())? else { return Ok(Vec::new()) };
        asked.add("job = ?", [job.into()]);
        index = "INDEXED BY dead_letter_of_job";
    }
    if let Some(before) = filter.before {
        asked.add("dead_letter_id < ?", [before.into()]);
    }
    let mut select = connection.prepare_cached(&format!(
        "SELECT dead_letter_id, job.job_id, pipeline.text, stage.text, dead_letter.failure, at, \
         dead_letter.body FROM dead_letter JOIN job ON job.job_number = dead_letter.job \
         JOIN name AS pipeline ON pipeline.name_id = job.pipeline \
         JOIN name AS stage ON stage.name_id = dead_letter.stage \
         WHERE dead_letter_id IN (SELECT dead_letter_id FROM dead_letter {index} {} \
         ORDER BY dead_letter_id DESC LIMIT ?) ORDER BY dead_letter_id DESC",
        asked.condition()
    ))?;
    let rows = select.query_map(asked.values(filter.limit), |row| {
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

/// Conditions of a listing, and the values in them, in their order.
#[derive(Default)]
struct Asked {
    conditions: Vec<&'static str>,
    values: Vec<Value>,
}

impl Asked {
    fn add<const N: usize>(&mut self, condition: &'static str, values: [Value; N]) {
        self.conditions.push(condition);
        self.values.extend(values);
    }

    /// Asks for a pipeline and a stage, where they are named. False when the file knows no such
    /// name.
    fn by_place(
        &mut self,
        connection: &Connection,
        pipeline: Option<&PipelineName>,
        stage: Option<&StageId>,
    ) -> rusqlite::Result<bool> {
        let pipeline = pipeline.map(|name| ("pipeline = ?", name.as_str()));
        let stage = stage.map(|name| ("stage = ?", name.as_str()));
        for (condition, name) in pipeline.into_iter().chain(stage) {
            let Some(number) = names::find(connection, name)? else { return Ok(false) };
            self.add(condition, [number.into()]);
        }
        Ok(true)
    }

    fn is_empty(&self) -> bool {
        self.conditions.is_empty()
    }

    fn condition(&self) -> String {
        if self.is_empty() {
            String::new()
        } else {
            format!("WHERE {}", self.conditions.join(" AND "))
        }
    }

    /// The values, and with them how many are wanted at most.
    fn values(&self, limit: usize) -> impl rusqlite::Params {
        let limit = Value::from(limit.min(PAGE_MAX) as i64);
        params_from_iter(self.values.clone().into_iter().chain([limit]))
    }
}
