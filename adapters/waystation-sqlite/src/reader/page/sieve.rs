//! What is asked of each job that is looked at.

use rusqlite::types::ValueRef;
use rusqlite::{Connection, Row};
use waystation_core::clock::Timestamp;
use waystation_core::job::{Family, JobFilter};
use waystation_core::needle::Needle;
use waystation_core::state::JobState;

use crate::names;
use crate::reader::jobs::STATE_NOW;
use crate::reader::{job_number, nth};

/// A filter in the file's own numbers.
pub struct Sieve {
    pub now: Timestamp,
    pub pipeline: Option<i64>,
    pub stage: Option<i64>,
    /// All of them, where it is empty.
    pub states: Vec<JobState>,
    /// Its own number where children of one job are wanted.
    family: Parent,
    created_from: Option<Timestamp>,
    created_before: Option<Timestamp>,
    needle: Option<Needle>,
}

enum Parent {
    Any,
    Nobody,
    Job(i64),
}

/// The columns that [`Sieve::lets_through`] reads. What waits for a person has a task, what is in a
/// queue a message; both are read only for their bodies and the state.
pub fn columns(sieve: &Sieve) -> String {
    let (body, task) = if sieve.needle.is_some() {
        let task = "LEFT JOIN task ON task.task_id = job.live AND task.job = job.job_number \
             AND job.state = 4";
        ("coalesce(message.body, task.body, job.body)", task)
    } else {
        ("NULL", "")
    };
    format!(
        "SELECT job.job_number, job.pipeline, job.stage, {STATE_NOW}, job.parent, \
         job.created_at, job.job_id, {body} FROM job \
         LEFT JOIN message ON message.message_id = job.live AND message.job = job.job_number {task}"
    )
}

impl Sieve {
    /// `None` where the file knows no such pipeline, stage or parent.
    pub fn new(
        connection: &Connection,
        filter: &JobFilter,
        now: Timestamp,
    ) -> rusqlite::Result<Option<Self>> {
        let mut sieve = Self {
            now,
            pipeline: None,
            stage: None,
            states: filter.states.clone(),
            family: Parent::Any,
            created_from: filter.created_from,
            created_before: filter.created_before,
            needle: filter.text.as_deref().filter(|text| !text.is_empty()).map(Needle::new),
        };
        if let Some(name) = &filter.pipeline {
            sieve.pipeline = names::find(connection, name.as_str())?;
        }
        if let Some(name) = &filter.stage {
            sieve.stage = names::find(connection, name.as_str())?;
        }
        let mut is_known = filter.pipeline.is_some() == sieve.pipeline.is_some()
            && filter.stage.is_some() == sieve.stage.is_some();
        match &filter.family {
            Family::All => {}
            Family::Parents => sieve.family = Parent::Nobody,
            Family::ChildrenOf(job_id) => match job_number(connection, job_id.as_str())? {
                Some(number) => sieve.family = Parent::Job(number),
                None => is_known = false,
            },
        }
        Ok(is_known.then_some(sieve))
    }

    /// Whether the job of this row is wanted.
    pub fn lets_through(&self, row: &Row<'_>) -> rusqlite::Result<bool> {
        let is = |column: usize, wanted: Option<i64>| -> rusqlite::Result<bool> {
            Ok(match wanted {
                None => true,
                Some(wanted) => row.get::<_, i64>(column)? == wanted,
            })
        };
        if !is(1, self.pipeline)? || !is(2, self.stage)? {
            return Ok(false);
        }
        if !self.states.is_empty() && !self.states.contains(&nth(row, 3, &JobState::ALL)?) {
            return Ok(false);
        }
        let parent: Option<i64> = row.get(4)?;
        let fits = match self.family {
            Parent::Any => true,
            Parent::Nobody => parent.is_none(),
            Parent::Job(number) => parent == Some(number),
        };
        let created_at = Timestamp(row.get(5)?);
        Ok(fits
            && self.created_from.is_none_or(|from| created_at >= from)
            && self.created_before.is_none_or(|before| created_at < before)
            && self.has_text(row)?)
    }

    fn has_text(&self, row: &Row<'_>) -> rusqlite::Result<bool> {
        let Some(needle) = &self.needle else { return Ok(true) };
        for column in [6, 7] {
            if let ValueRef::Text(bytes) | ValueRef::Blob(bytes) = row.get_ref(column)?
                && needle.is_in(bytes)
            {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
