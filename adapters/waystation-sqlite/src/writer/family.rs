//! Jobs that wait for their children.

use rusqlite::{OptionalExtension, params};
use waystation_core::id::QueueName;
use waystation_core::settlement::{Message, NewJob, Parent, Quorum, Submitted, Tally};
use waystation_core::state::{JobState, Step, transition};

use super::batch::Writer;
use super::rows::{GATHERING, READY, state_number};
use super::turns::Standing;

/// The parent of a job, by its number, and the stage run of it that made the job.
#[derive(Clone, Copy)]
pub struct ParentRow {
    pub job: i64,
    pub visit: u32,
}

impl ParentRow {
    /// From two columns that may be empty.
    pub fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<Option<Self>> {
        let (job, visit): (Option<i64>, Option<u32>) = (row.get(0)?, row.get(1)?);
        Ok(job.zip(visit).map(|(job, visit)| Self { job, visit }))
    }
}

impl Writer {
    /// Puts a message into its queue, out of everybody's reach until enough children have ended;
    /// gives its number. `turn` is the one that it takes over.
    pub(super) fn hold_message(
        &mut self,
        job: i64,
        message: &Message,
        quorum: Quorum,
        turn: Option<i64>,
    ) -> rusqlite::Result<i64> {
        let standing = Standing { state: GATHERING, turn };
        let number = self.insert_message_as(job, message, standing, None)?;
        self.connection
            .prepare_cached(
                "INSERT INTO family \
                 (job, message, visit, completed_needed, failed_needed, ended_needed) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            )?
            .execute(params![
                job,
                number,
                quorum.visit,
                quorum.completed,
                quorum.failed,
                quorum.ended,
            ])?;
        Ok(number)
    }

    /// Creates the children of a settlement. One whose id is another job's counts as failed.
    pub(super) fn bear(&mut self, children: &[NewJob]) -> rusqlite::Result<()> {
        for child in children {
            let answer = self.create(child)?;
            if let (Submitted::Duplicate(taken), Some(parent)) = (answer, &child.parent)
                && !self.is_child(taken.as_str(), parent)?
            {
                let row = ParentRow { job: self.number_of(parent)?, visit: parent.visit };
                self.count(row, 0, 1)?;
            }
        }
        Ok(())
    }

    /// The number of the parent's row.
    pub(super) fn number_of(&self, parent: &Parent) -> rusqlite::Result<i64> {
        self.connection
            .prepare_cached("SELECT job_number FROM job WHERE job_id = ?1")?
            .query_row([parent.job_id.as_str()], |row| row.get(0))
    }

    fn is_child(&self, job_id: &str, parent: &Parent) -> rusqlite::Result<bool> {
        self.connection
            .prepare_cached(
                "SELECT 1 FROM job JOIN job AS parent ON parent.job_number = job.parent \
                 WHERE job.job_id = ?1 AND parent.job_id = ?2 \
                 AND job.parent_visit = ?3 AND job.position = ?4",
            )?
            .exists(params![job_id, parent.job_id.as_str(), parent.visit, parent.position])
    }

    /// A child came to its end.
    pub(super) fn count_end(
        &mut self,
        parent: Option<ParentRow>,
        state: JobState,
    ) -> rusqlite::Result<()> {
        match (parent, Tally::of(state)) {
            (Some(parent), Some(tally)) => {
                self.count(parent, i64::from(tally.completed), i64::from(tally.failed))
            }
            _ => Ok(()),
        }
    }

    /// A failed child is no longer one.
    pub(super) fn uncount_failure(&mut self, parent: Option<ParentRow>) -> rusqlite::Result<()> {
        parent.map_or(Ok(()), |parent| self.count(parent, 0, -1))
    }

    /// Counts for a job that waits for the children of this stage run, and lets it go on once
    /// enough of them have ended.
    fn count(&mut self, parent: ParentRow, completed: i64, failed: i64) -> rusqlite::Result<()> {
        let counted = self
            .connection
            .prepare_cached(
                "UPDATE family SET completed = completed + ?3, failed = max(failed + ?4, 0) \
                 WHERE job = ?1 AND visit = ?2 RETURNING message, completed, failed, visit, \
                 completed_needed, failed_needed, ended_needed",
            )?
            .query_row(params![parent.job, parent.visit, completed, failed], |row| {
                let tally = Tally { completed: row.get(1)?, failed: row.get(2)? };
                let quorum = Quorum {
                    visit: row.get(3)?,
                    completed: row.get(4)?,
                    failed: row.get(5)?,
                    ended: row.get(6)?,
                };
                Ok((row.get(0)?, quorum.is_reached(tally)))
            })
            .optional()?;
        match counted {
            Some((message, true)) => self.let_go(parent.job, message),
            _ => Ok(()),
        }
    }

    /// Makes the message ready that a job waits with.
    fn let_go(&mut self, job: i64, message: i64) -> rusqlite::Result<()> {
        self.forget_family(job)?;
        // One with a key takes its place in line now, unless it kept one.
        let released: Option<i64> = self
            .connection
            .prepare_cached(
                "UPDATE message SET state = ?2 WHERE message_id = ?1 \
                 AND (key IS NULL OR turn IS NOT NULL) RETURNING queue",
            )?
            .query_row(params![message, READY], |row| row.get(0))
            .optional()?;
        match released {
            None => self.line_up(message)?,
            Some(queue) => {
                let queue = self.names.text(&self.connection, queue)?;
                self.note_filled(&QueueName::new(queue));
            }
        }
        let queued = transition(JobState::Waiting, Step::Enqueue).unwrap_or(JobState::Queued);
        self.connection
            .prepare_cached("UPDATE job SET state = ?2, updated_at = ?3 WHERE job_number = ?1")?
            .execute(params![job, state_number(queued), self.now.0])?;
        Ok(())
    }

    /// The job waits for children no longer.
    pub(super) fn forget_family(&mut self, job: i64) -> rusqlite::Result<()> {
        self.connection.prepare_cached("DELETE FROM family WHERE job = ?1")?.execute([job])?;
        Ok(())
    }
}
