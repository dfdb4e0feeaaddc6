//! Jobs that wait for their children.
//!
//! The ends of children are counted once a transaction, after all else that it changes, so that
//! whoever counts for the same parents waits for a commit and for nothing else. Rows of waiting
//! jobs are locked youngest first: a parent is older than its children, so that an abort of a child
//! that waits for its own, and is then counted for its parent, keeps that order as well. Who meets
//! all the same, as a journal that tells again of a parent and of its children may, is run again.

use std::collections::HashMap;

use tokio_postgres::Row;
use waystation_core::clock::Timestamp;
use waystation_core::id::{JobId, QueueName};
use waystation_core::job::Awaited;
use waystation_core::settlement::{NewJob, Parent, Quorum};
use waystation_core::state::{JobState, Step, transition};

use super::arrivals::Waiting;
use super::batch::{Result, Writer};
use super::submit::Created;
use super::tallies::Run;
use crate::family::{awaited, parent};
use crate::parameter::Parameter;
use crate::rows::{BEHIND, state_number};

// What is locked is counted in afterwards, since whoever was waited for may have counted.
const LOCK: &str = "SELECT 1 FROM awaited WHERE job_id = ANY($1) ORDER BY job DESC FOR UPDATE";
const COUNT: &str = "UPDATE awaited \
     SET completed = greatest(awaited.completed + new.completed, 0), \
     failed = greatest(awaited.failed + new.failed, 0) \
     FROM unnest($1::text[], $2::integer[], $3::bigint[], $4::bigint[]) \
     AS new (job_id, visit, completed, failed) \
     WHERE awaited.job_id = new.job_id AND awaited.visit = new.visit \
     RETURNING awaited.job_id, job, not_before, awaited.visit, awaited.completed, \
     awaited.failed, quorum_completed, quorum_failed, quorum_ended";
const RELEASE: &str = "UPDATE message SET state = CASE WHEN until IS NOT NULL THEN 2 \
     WHEN key IS NOT NULL AND turn IS NULL THEN 5 ELSE 0 END, \
     due = until FROM unnest($1::bigint[], $2::bigint[]) AS released (job, until) \
     WHERE message.job = released.job AND state = 4 RETURNING message_id, state, queue, due";

impl Writer {
    /// Creates children, and gives the number of each. One that cannot be made, since its id is
    /// another job's, counts as failed.
    pub(super) async fn bear(&mut self, children: &[&NewJob]) -> Result<Vec<Option<i64>>> {
        if children.is_empty() {
            return Ok(Vec::new());
        }
        let (mut numbers, mut taken) = (Vec::with_capacity(children.len()), Vec::new());
        for (child, created) in children.iter().zip(self.create(children).await?) {
            match created {
                Created::New(number) => numbers.push(Some(number)),
                Created::Known(job_id) => {
                    taken.extend(child.parent.as_ref().map(|parent| (parent, job_id)));
                    numbers.push(None);
                }
            }
        }
        if !taken.is_empty() {
            self.note_unborn(&taken).await?;
        }
        Ok(numbers)
    }

    /// Counts children in whose place other jobs are. That may be the same child, when it is made
    /// again.
    async fn note_unborn(&mut self, taken: &[(&Parent, JobId)]) -> Result<()> {
        let ids: Vec<&str> = taken.iter().map(|(_, job_id)| job_id.as_str()).collect();
        let sql = "SELECT job_id, parent, parent_visit, position FROM job \
             WHERE job_id = ANY($1) AND parent IS NOT NULL";
        let rows = self.link.rows(sql, &[&ids]).await?;
        let known = |row: &Row| Some((JobId::from(row.get::<_, &str>(0)), parent(row, 1)?));
        let known: HashMap<JobId, Parent> = rows.iter().filter_map(known).collect();
        for (parent, job_id) in taken {
            if known.get(job_id) != Some(*parent) {
                self.tallies.note_unborn(&Run::of(parent));
            }
        }
        Ok(())
    }

    /// Notes what these jobs wait for.
    pub(super) async fn insert_waiting(&mut self, waiting: &[Waiting<'_>]) -> Result<()> {
        if waiting.is_empty() {
            return Ok(());
        }
        let of = |number: fn(&Quorum) -> u32| {
            waiting.iter().map(|one| i64::from(number(&one.quorum))).collect::<Vec<_>>()
        };
        let jobs: Vec<i64> = waiting.iter().map(|one| one.job).collect();
        let visits: Vec<i32> = waiting.iter().map(|one| one.quorum.visit as i32).collect();
        let (completed, failed) = (of(|quorum| quorum.completed), of(|quorum| quorum.failed));
        let ended = of(|quorum| quorum.ended);
        let moments: Vec<Option<i64>> =
            waiting.iter().map(|one| one.message.not_before.map(|moment| moment.0)).collect();
        let sql = "INSERT INTO awaited (job_id, job, visit, quorum_completed, quorum_failed, \
             quorum_ended, not_before) \
             SELECT job_id, new.job, visit, completed, failed, ended, not_before \
             FROM unnest($1::bigint[], $2::integer[], $3::bigint[], $4::bigint[], $5::bigint[], \
             $6::bigint[]) AS new (job, visit, completed, failed, ended, not_before) \
             JOIN job ON job_number = new.job";
        let parameters: [&(dyn Parameter + Sync); 6] =
            [&jobs, &visits, &completed, &failed, &ended, &moments];
        self.link.send(sql, &parameters).await
    }

    /// These jobs do not wait for children any more.
    pub(super) async fn forget_waiting(&mut self, job_ids: &[&str]) -> Result<()> {
        if job_ids.is_empty() {
            return Ok(());
        }
        self.link.send("DELETE FROM awaited WHERE job_id = ANY($1)", &[&job_ids.to_vec()]).await
    }

    /// Counts the children that ended in this batch, and lets those parents go on of which enough
    /// have ended.
    pub(super) async fn count_children(&mut self) -> Result<()> {
        let changes = self.tallies.take();
        if changes.is_empty() {
            return Ok(());
        }
        let parents: Vec<&str> = changes.iter().map(|(run, _)| run.job_id.as_str()).collect();
        let visits: Vec<i32> = changes.iter().map(|(run, _)| run.visit as i32).collect();
        let completed: Vec<i64> = changes.iter().map(|(_, change)| change.completed).collect();
        let failed: Vec<i64> = changes.iter().map(|(_, change)| change.failed).collect();
        self.link.send(LOCK, &[&parents]).await?;
        let counted = self.link.rows(COUNT, &[&parents, &visits, &completed, &failed]).await?;
        let (mut ids, mut jobs, mut moments) = (Vec::new(), Vec::new(), Vec::new());
        let is_reached = |row: &&Row| {
            let Awaited { quorum, tally, .. } = awaited(row, 3);
            quorum.is_reached(tally)
        };
        for row in counted.iter().filter(is_reached) {
            ids.push(row.get::<_, &str>(0));
            jobs.push(row.get::<_, i64>(1));
            moments.push(row.get::<_, Option<i64>>(2).filter(|moment| *moment > self.now.0));
        }
        if jobs.is_empty() {
            return Ok(());
        }
        self.forget_waiting(&ids).await?;
        self.release(jobs, moments).await
    }

    /// Lets the messages of these jobs be received, from these moments on.
    async fn release(&mut self, jobs: Vec<i64>, moments: Vec<Option<i64>>) -> Result<()> {
        let mut late = Vec::new();
        for row in self.link.rows(RELEASE, &[&jobs, &moments]).await? {
            match row.get::<_, Option<i64>>(3) {
                Some(due) => self.expect_due(Timestamp(due)),
                None if row.get::<_, i16>(1) == BEHIND => late.push(row.get(0)),
                None => self.note_filled(&QueueName::from(row.get::<_, &str>(2))),
            }
        }
        late.sort_unstable();
        self.line_up(&late).await?;
        // What waits can always go on.
        let state = transition(JobState::Waiting, Step::Enqueue).unwrap_or(JobState::Queued);
        let sql = "UPDATE job SET state = $1, updated_at = $2 WHERE job_number = ANY($3)";
        self.link.send(sql, &[&state_number(state), &self.now.0, &jobs]).await
    }
}
