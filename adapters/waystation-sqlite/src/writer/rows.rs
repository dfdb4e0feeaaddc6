//! Rows that more than one command writes.

use rusqlite::params;
use waystation_core::clock::Timestamp;
use waystation_core::event::{Event, EventKind, Level, LogLine};
use waystation_core::failure::Failure;
use waystation_core::projection::Shadow;
use waystation_core::settlement::{Message, Task};
use waystation_core::state::JobState;

use super::batch::Writer;
use super::family::ParentRow;
use super::turns::Standing;

/// `message.state`.
pub const READY: i64 = 0;
/// `message.state`.
pub const LEASED: i64 = 1;
/// `message.state`.
pub const HELD: i64 = 2;
/// `message.state`.
pub const AWAY: i64 = 3;
/// `message.state`.
pub const GATHERING: i64 = 4;
/// `message.state`.
pub const BEHIND: i64 = 5;
/// `message.state`.
pub const OUT_BEHIND: i64 = 6;

/// The number that the file keeps for a state.
pub fn state_number(state: JobState) -> i64 {
    JobState::ALL.iter().position(|known| *known == state).map_or(-1, |place| place as i64)
}

/// The number that the file keeps for a kind of event.
pub fn kind_number(kind: EventKind) -> i64 {
    EventKind::ALL.iter().position(|known| *known == kind).map_or(-1, |place| place as i64)
}

fn level_number(level: Level) -> i64 {
    Level::ALL.iter().position(|known| *known == level).map_or(-1, |place| place as i64)
}

/// A failure as the file keeps it.
pub fn failure_text(failure: &Failure) -> String {
    // A failure is made of texts and numbers: it can always be written.
    serde_json::to_string(failure).unwrap_or_default()
}

impl Writer {
    /// Puts a message into its queue; gives its number. `turn` is the one that it takes over.
    pub(super) fn insert_message(
        &mut self,
        job: i64,
        message: &Message,
        turn: Option<i64>,
    ) -> rusqlite::Result<i64> {
        let held_until = message.not_before.filter(|moment| *moment > self.now);
        let standing = match (held_until, turn) {
            (Some(_), _) => Standing { state: HELD, turn },
            (None, Some(_)) => Standing { state: READY, turn },
            (None, None) => self.stand(message)?,
        };
        let number = self.insert_message_as(job, message, standing, held_until)?;
        match held_until {
            Some(moment) => self.expect_due(moment),
            None if standing.state == READY => self.note_filled(&message.queue),
            None => {}
        }
        Ok(number)
    }

    /// Puts a message into its queue where it stands; gives its number.
    pub(super) fn insert_message_as(
        &mut self,
        job: i64,
        message: &Message,
        standing: Standing,
        due: Option<Timestamp>,
    ) -> rusqlite::Result<i64> {
        let queue = self.names.number(&self.connection, message.queue.as_str())?;
        let number = self.next_message;
        self.next_message += 1;
        self.connection
            .prepare_cached(
                "INSERT INTO message (message_id, queue, rank, state, due, job, enqueued_at, body, \
                 key, turn) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
            )?
            .execute(params![
                number,
                queue,
                -i64::from(message.priority),
                standing.state,
                due.map(|moment| moment.0),
                job,
                self.now.0,
                message.body,
                message.turn.as_ref().map(|turn| turn.key.as_str()),
                standing.turn,
            ])?;
        Ok(number)
    }

    /// Keeps the shadow of a message that a broker has, in the row that the job's message has
    /// already if it has one; gives the row's number.
    pub(super) fn put_shadow(
        &mut self,
        job: i64,
        row: Option<i64>,
        shadow: &Shadow,
    ) -> rusqlite::Result<i64> {
        let message = &shadow.message;
        if let Some(row) = row {
            self.leave_line(row)?;
        }
        let queue = self.names.number(&self.connection, message.queue.as_str())?;
        let number = row.unwrap_or(self.next_message);
        self.next_message = self.next_message.max(number + 1);
        self.connection
            .prepare_cached(
                "INSERT INTO message (message_id, queue, rank, state, job, enqueued_at, \
                 not_before, leased_at, told_at, abort, body, key) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12) \
                 ON CONFLICT (message_id) DO UPDATE SET queue = excluded.queue, \
                 rank = excluded.rank, state = excluded.state, due = NULL, token = NULL, \
                 deliveries = 0, enqueued_at = excluded.enqueued_at, \
                 not_before = excluded.not_before, leased_at = excluded.leased_at, \
                 told_at = excluded.told_at, abort = excluded.abort, body = excluded.body, \
                 key = excluded.key",
            )?
            .execute(params![
                number,
                queue,
                -i64::from(message.priority),
                AWAY,
                job,
                self.now.0,
                message.not_before.map(|moment| moment.0),
                shadow.running_since.map(|moment| moment.0),
                shadow.told_at.map(|moment| moment.0),
                shadow.abort,
                message.body,
                message.turn.as_ref().map(|turn| turn.key.as_str()),
            ])?;
        Ok(number)
    }

    /// Opens a task in the inbox; gives its number.
    pub(super) fn insert_task(&mut self, job: i64, task: &Task) -> rusqlite::Result<i64> {
        let stage = self.names.number(&self.connection, task.stage.as_str())?;
        self.connection
            .prepare_cached(
                "INSERT INTO task (job, pipeline, stage, created_at, body) \
                 SELECT ?1, pipeline, ?2, ?3, ?4 FROM job WHERE job_number = ?1 \
                 RETURNING task_id",
            )?
            .query_row(params![job, stage, self.now.0, task.body], |row| row.get(0))
    }

    /// Writes down what happened.
    pub(super) fn insert_events(&mut self, job: i64, events: &[Event]) -> rusqlite::Result<()> {
        let mut insert = self.connection.prepare_cached(
            "INSERT INTO event (job, kind, stage, visit, attempt, at, detail) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?;
        for event in events {
            let stage = self.names.number(&self.connection, event.stage.as_str())?;
            let detail = event.detail.as_ref().map(ToString::to_string);
            insert.execute(params![
                job,
                kind_number(event.kind),
                stage,
                event.visit,
                event.attempt,
                event.at.0,
                detail,
            ])?;
        }
        Ok(())
    }

    /// Writes down what an attempt said.
    pub(super) fn insert_log(&mut self, job: i64, log: &[LogLine]) -> rusqlite::Result<()> {
        if log.is_empty() {
            return Ok(());
        }
        let mut insert = self.connection.prepare_cached(
            "INSERT INTO log (job, stage, attempt, at, level, line) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?;
        for line in log {
            let stage = self.names.number(&self.connection, line.stage.as_str())?;
            insert.execute(params![
                job,
                stage,
                line.attempt,
                line.at.0,
                level_number(line.level),
                line.line,
            ])?;
        }
        Ok(())
    }

    /// Moves a job that goes on.
    pub(super) fn move_job(
        &mut self,
        job: i64,
        state: JobState,
        stage: i64,
        live: i64,
    ) -> rusqlite::Result<()> {
        self.connection
            .prepare_cached(
                "UPDATE job SET state = ?2, stage = ?3, updated_at = ?4, live = ?5 \
                 WHERE job_number = ?1",
            )?
            .execute(params![job, state_number(state), stage, self.now.0, live])?;
        Ok(())
    }

    /// Ends a job, counts that, and tells its parent.
    pub(super) fn end_job(
        &mut self,
        job: i64,
        state: JobState,
        stage: i64,
        failure: Option<&Failure>,
        body: &[u8],
    ) -> rusqlite::Result<()> {
        let ended =
            params![job, state_number(state), stage, self.now.0, failure.map(failure_text), body,];
        let (parent, pipeline, created_at) = self
            .connection
            .prepare_cached(
                "UPDATE job SET state = ?2, stage = ?3, updated_at = ?4, live = NULL, \
                 failure = ?5, body = ?6 WHERE job_number = ?1 \
                 RETURNING parent, parent_visit, pipeline, created_at",
            )?
            .query_row(ended, |row| Ok((ParentRow::read(row)?, row.get(2)?, row.get(3)?)))?;
        self.count_ended((pipeline, stage), state, Timestamp(created_at))?;
        self.count_end(parent, state)
    }

    /// A failed job lies with the dead letters.
    pub(super) fn bury(
        &mut self,
        job: i64,
        stage: i64,
        failure: &Failure,
        body: &[u8],
    ) -> rusqlite::Result<()> {
        self.connection
            .prepare_cached(
                "INSERT INTO dead_letter (job, pipeline, stage, failure, at, body) \
                 SELECT ?1, pipeline, ?2, ?3, ?4, ?5 FROM job WHERE job_number = ?1",
            )?
            .execute(params![job, stage, failure_text(failure), self.now.0, body])?;
        Ok(())
    }

    /// Notes that a queue got something that can be delivered now.
    pub(super) fn note_filled(&mut self, queue: &waystation_core::id::QueueName) {
        if !self.filled.contains(queue) {
            self.filled.push(queue.clone());
        }
    }

    /// Notes that something will be due at this moment.
    pub(super) fn expect_due(&mut self, moment: Timestamp) {
        self.next_due = Some(self.next_due.map_or(moment, |known| known.min(moment)));
    }
}
