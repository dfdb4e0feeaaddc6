//! Aborting jobs: at once where nobody works on them, by a mark where somebody does or a broker
//! has them.

use rusqlite::{Connection, OptionalExtension, params};
use serde_json::json;
use waystation_core::contract::Contract;
use waystation_core::event::EventKind;
use waystation_core::failure::{ErrorKind, Failure};
use waystation_core::id::JobId;
use waystation_core::port::{Abort, Signal};
use waystation_core::state::{JobState, Step, transition};

use super::batch::Writer;
use super::rows::{AWAY, LEASED, OUT_BEHIND, kind_number};

/// A job, and the message or task that it lives in: a waiting one in either.
struct Found {
    job: i64,
    stage: i64,
    state: JobState,
    live: Option<i64>,
}

impl Writer {
    /// Aborts a job.
    pub(super) fn abort(&mut self, job_id: &JobId, reason: &str) -> rusqlite::Result<Abort> {
        let found = self
            .connection
            .prepare_cached("SELECT job_number, stage, state, live FROM job WHERE job_id = ?1")?
            .query_row([job_id.as_str()], |row| {
                let state = JobState::ALL.get(row.get::<_, usize>(2)?).copied();
                Ok(Found {
                    job: row.get(0)?,
                    stage: row.get(1)?,
                    state: state.unwrap_or(JobState::Failed),
                    live: row.get(3)?,
                })
            })
            .optional()?;
        let Some(found) = found else { return Ok(Abort::Unknown) };
        let Ok(aborted) = transition(found.state, Step::Abort) else { return Ok(Abort::TooLate) };
        let mut body = None;
        if found.state == JobState::Waiting {
            body = self.take_task(&found)?;
            self.forget_family(found.job)?;
        } else if self.mark(found.live, reason)? {
            let job_id = job_id.clone();
            self.outgoing.push(Signal::Abort { job_id, reason: reason.to_owned() });
            return Ok(Abort::Requested);
        }
        if body.is_none() {
            body = self.take_message(&found)?;
        }
        self.end_aborted(found.job, found.stage, aborted, reason, &body.unwrap_or_default())?;
        Ok(Abort::Done)
    }

    fn take_task(&self, found: &Found) -> rusqlite::Result<Option<Vec<u8>>> {
        self.connection
            .prepare_cached("DELETE FROM task WHERE task_id = ?1 AND job = ?2 RETURNING body")?
            .query_row(params![found.live, found.job], |row| row.get(0))
            .optional()
    }

    fn take_message(&mut self, found: &Found) -> rusqlite::Result<Option<Vec<u8>>> {
        if let Some(message) = found.live {
            self.leave_line(message)?;
        }
        self.connection
            .prepare_cached(
                "DELETE FROM message WHERE message_id = ?1 AND job = ?2 RETURNING body",
            )?
            .query_row(params![found.live, found.job], |row| row.get(0))
            .optional()
    }

    /// Marks a message that somebody works on or a broker has; false when neither is so.
    fn mark(&mut self, message: Option<i64>, reason: &str) -> rusqlite::Result<bool> {
        let marked = self
            .connection
            .prepare_cached(
                "UPDATE message SET abort = coalesce(abort, ?1) \
                 WHERE message_id = ?2 AND (state IN (?3, ?4) AND due > ?5 OR state = ?6)",
            )?
            .execute(params![reason, message, LEASED, OUT_BEHIND, self.now.0, AWAY])?;
        Ok(marked > 0)
    }

    /// Ends a marked job whose worker is gone.
    pub(super) fn abort_reclaimed(&mut self, message: i64) -> rusqlite::Result<()> {
        self.leave_line(message)?;
        let (job, reason, body): (i64, String, Vec<u8>) = self
            .connection
            .prepare_cached("DELETE FROM message WHERE message_id = ?1 RETURNING job, abort, body")?
            .query_row([message], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
        let stage = self
            .connection
            .prepare_cached("SELECT stage FROM job WHERE job_number = ?1")?
            .query_row([job], |row| row.get(0))?;
        let state = transition(JobState::Running, Step::Abort).unwrap_or(JobState::Aborted);
        self.end_aborted(job, stage, state, &reason, &body)
    }

    fn end_aborted(
        &mut self,
        job: i64,
        stage: i64,
        state: JobState,
        reason: &str,
        body: &[u8],
    ) -> rusqlite::Result<()> {
        let failure = Failure::new(ErrorKind::Aborted, reason);
        self.end_job(job, state, stage, Some(&failure), body)?;
        let (visit, attempt) = Contract::parse(body)
            .map_or((1, 1), |contract| (contract.visit, contract.retry_count + 1));
        self.connection
            .prepare_cached(
                "INSERT INTO event (job, kind, stage, visit, attempt, at, detail) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            )?
            .execute(params![
                job,
                kind_number(EventKind::Aborted),
                stage,
                visit,
                attempt,
                self.now.0,
                json!({ "reason": reason }).to_string(),
            ])?;
        Ok(())
    }
}

/// The running jobs that somebody wants aborted, as signals to the workers of this process.
pub fn marked(connection: &Connection) -> rusqlite::Result<Vec<Signal>> {
    let mut select = connection.prepare_cached(
        "SELECT job.job_id, message.abort FROM message \
         JOIN job ON job.job_number = message.job WHERE message.abort IS NOT NULL",
    )?;
    let rows = select.query_map([], |row| {
        let job_id: String = row.get(0)?;
        Ok(Signal::Abort { job_id: JobId::from(job_id), reason: row.get(1)? })
    })?;
    rows.collect()
}
