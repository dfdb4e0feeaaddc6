//! Projecting the journal: what is known of the jobs is looked up, what comes of the entries is
//! decided in core, and written here.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use rusqlite::{Connection, Row, params};
use waystation_core::clock::Timestamp;
use waystation_core::event::EventKind;
use waystation_core::id::{JobId, PipelineName, QueueName, StageId};
use waystation_core::journal::Entry;
use waystation_core::port::{Error, Projected};
use waystation_core::projection::{self, Birth, Effect, EventKey, Known, Place, Shadow};
use waystation_core::settlement::{Message, Turn};
use waystation_core::state::JobState;
use waystation_core::statistics::count_told;

use super::batch::Writer;
use super::rows::{AWAY, GATHERING, state_number};
use super::turns::key;
use crate::names::Names;

/// A job has a message or a task, and their numbers are apart. The terminal states are 6 and above.
const LOOK_UP: &str = "SELECT job.job_number, job.state, job.stage, message.message_id, \
     message.queue, message.rank, message.state, message.not_before, message.leased_at, \
     message.told_at, message.abort, message.body, job.pipeline, message.key \
     FROM job LEFT JOIN message ON message.message_id = job.live \
     AND message.job = job.job_number AND job.state < 6 WHERE job.job_id = ?1";

/// Where a job's rows are.
#[derive(Clone, Copy)]
struct Rows {
    job: i64,
    /// The number of its pipeline.
    pipeline: i64,
    message: Option<i64>,
    /// Whether the message waits for children.
    gathering: bool,
}

impl Writer {
    /// Applies entries in their order. Nothing is written where the batch is refused.
    pub(super) fn project(
        &mut self,
        entries: &[Entry],
    ) -> rusqlite::Result<Result<Vec<Projected>, Error>> {
        let mut rows: HashMap<JobId, Option<Rows>> = HashMap::new();
        let mut known = HashMap::new();
        for entry in entries {
            if rows.contains_key(&entry.job_id) {
                continue;
            }
            let found = self.look_up(&entry.job_id)?;
            rows.insert(entry.job_id.clone(), found.as_ref().map(|(rows, _)| *rows));
            known.extend(found.map(|(_, known)| (entry.job_id.clone(), known)));
        }
        let projection = match projection::project(entries, known) {
            Ok(projection) => projection,
            Err(error) => return Ok(Err(error)),
        };
        for effect in &projection.effects {
            let found = rows.get(&effect.job_id).copied().flatten();
            self.take_effect(effect, found)?;
        }
        Ok(Ok(projection.answers))
    }

    fn look_up(&mut self, job_id: &JobId) -> rusqlite::Result<Option<(Rows, Known)>> {
        let mut select = self.connection.prepare_cached(LOOK_UP)?;
        let mut found = select.query([job_id.as_str()])?;
        let Some(row) = found.next()? else { return Ok(None) };
        let gathering = row.get::<_, Option<i64>>(6)? == Some(GATHERING);
        let rows =
            Rows { job: row.get(0)?, pipeline: row.get(12)?, message: row.get(3)?, gathering };
        let mut known = known(row, |number| self.names.text(&self.connection, number))?;
        known.events = known_events(&self.connection, &mut self.names, rows.job)?;
        Ok(Some((rows, known)))
    }

    fn take_effect(&mut self, effect: &Effect, found: Option<Rows>) -> rusqlite::Result<()> {
        let rows = match (&effect.birth, found) {
            (Some(birth), _) => self.give_birth(effect, birth)?,
            (None, Some(rows)) => rows,
            (None, None) => return Ok(()),
        };
        if let Some(place) = &effect.place {
            self.put(rows, place, effect)?;
        }
        let pipeline = PipelineName::new(self.names.text(&self.connection, rows.pipeline)?);
        count_told(&mut self.sums, &pipeline, &effect.events, effect.ran_since);
        self.insert_events(rows.job, &effect.events)?;
        self.insert_log(rows.job, &effect.log)?;
        self.bear(&effect.children)
    }

    /// Makes a job known.
    fn give_birth(&mut self, effect: &Effect, birth: &Birth) -> rusqlite::Result<Rows> {
        let pipeline = self.names.number(&self.connection, birth.pipeline.as_str())?;
        let job = self.next_job;
        self.next_job += 1;
        // Its state and stage follow with its place.
        self.connection
            .prepare_cached(
                "INSERT INTO job (job_number, job_id, pipeline, pipeline_version, state, stage, \
                 created_at, updated_at) VALUES (?1, ?2, ?3, ?4, ?5, 0, ?6, ?7)",
            )?
            .execute(params![
                job,
                effect.job_id.as_str(),
                pipeline,
                birth.pipeline_version,
                state_number(JobState::Queued),
                birth.at.0,
                self.now.0,
            ])?;
        Ok(Rows { job, pipeline, message: None, gathering: false })
    }

    /// Puts a job where it is from now on, with its state and stage where they were told.
    fn put(&mut self, rows: Rows, place: &Place, effect: &Effect) -> rusqlite::Result<()> {
        let Rows { job, message, gathering, .. } = rows;
        // Wherever the job is, it waits there no longer.
        if gathering {
            self.forget_family(job)?;
        }
        let moved = match &effect.moved {
            Some((state, stage)) => {
                Some((*state, self.names.number(&self.connection, stage.as_str())?))
            }
            None => None,
        };
        if let (Place::Kept { running_since, told_at }, Some(message)) = (place, message) {
            self.send_away(message, *running_since, *told_at)?;
            return moved
                .map_or(Ok(()), |(state, stage)| self.move_job(job, state, stage, message));
        }
        let Some((state, stage)) = moved else { return Ok(()) };
        if let Place::Away(shadow) = place {
            let live = self.put_shadow(job, message, shadow)?;
            return self.move_job(job, state, stage, live);
        }
        if let Some(message) = message {
            self.leave_line(message)?;
        }
        self.connection
            .prepare_cached("DELETE FROM message WHERE message_id = ?1")?
            .execute([message])?;
        match place {
            Place::Kept { .. } | Place::Away(_) => Ok(()),
            Place::Held(message, quorum) => {
                let live = self.hold_message(job, message, *quorum, None)?;
                self.move_job(job, state, stage, live)
            }
            Place::Inbox(task) => {
                let live = self.insert_task(job, task)?;
                self.move_job(job, state, stage, live)
            }
            Place::End { body, failure } => {
                self.end_job(job, state, stage, failure.as_ref(), body)?;
                match failure {
                    Some(failure) if state == JobState::Failed => {
                        self.bury(job, stage, failure, body)
                    }
                    _ => Ok(()),
                }
            }
        }
    }

    /// Takes a message out of everybody's reach, also the courier's who still has it.
    fn send_away(
        &mut self,
        message: i64,
        running_since: Option<Timestamp>,
        told_at: Option<Timestamp>,
    ) -> rusqlite::Result<()> {
        self.leave_line(message)?;
        self.connection
            .prepare_cached(
                "UPDATE message SET state = ?2, due = NULL, token = NULL, deliveries = 0, \
                 not_before = NULL, leased_at = ?3, told_at = ?4 WHERE message_id = ?1",
            )?
            .execute(params![
                message,
                AWAY,
                running_since.map(|moment| moment.0),
                told_at.map(|moment| moment.0)
            ])?;
        Ok(())
    }
}

/// What names each event of a job that is written down.
fn known_events(
    connection: &Connection,
    names: &mut Names,
    job: i64,
) -> rusqlite::Result<HashSet<EventKey>> {
    let mut select = connection
        .prepare_cached("SELECT stage, visit, attempt, kind FROM event WHERE job = ?1")?;
    let mut rows = select.query([job])?;
    let mut events = HashSet::new();
    while let Some(row) = rows.next()? {
        // A kind that a newer program wrote is none that a job can be told of here.
        let Some(kind) = EventKind::ALL.get(row.get::<_, usize>(3)?) else { continue };
        let stage = StageId::new(names.text(connection, row.get(0)?)?);
        events.insert((stage, row.get(1)?, row.get(2)?, *kind));
    }
    Ok(events)
}

/// All that is known of a job but its events.
fn known(
    row: &Row<'_>,
    mut name: impl FnMut(i64) -> rusqlite::Result<Arc<str>>,
) -> rusqlite::Result<Known> {
    let state = JobState::ALL.get(row.get::<_, usize>(1)?).copied().unwrap_or(JobState::Failed);
    let stage = StageId::new(name(row.get(2)?)?);
    let shadow = match row.get::<_, Option<i64>>(4)? {
        None => None,
        Some(queue) => {
            let moment = |column| row.get::<_, Option<i64>>(column).map(|at| at.map(Timestamp));
            let rank: i64 = row.get(5)?;
            // What the courier has under a lease is not known to run.
            let away = row.get::<_, i64>(6)? == AWAY;
            Some(Shadow {
                message: Message {
                    queue: QueueName::new(name(queue)?),
                    stage: stage.clone(),
                    priority: -rank as i16,
                    not_before: moment(7)?,
                    turn: key(row, 13)?.map(Turn::last),
                    body: row.get(11)?,
                },
                running_since: moment(8)?.filter(|_| away),
                told_at: moment(9)?,
                abort: row.get(10)?,
            })
        }
    };
    Ok(Known { state, stage, shadow, events: HashSet::new() })
}
