//! Jobs that wait for their children.

use waystation_core::clock::Timestamp;
use waystation_core::id::JobId;
use waystation_core::job::{Awaited, ChildRecord, PAGE_MAX};
use waystation_core::settlement::{Message, NewJob, Parent, Quorum, Submitted, Tally};
use waystation_core::state::{JobState, Step, transition};

use crate::state::{Place, State};

/// A job that waits for its children.
pub(crate) struct Waiting {
    /// Its message, which stands in no line.
    message: i64,
    quorum: Quorum,
    tally: Tally,
}

impl State {
    /// Puts a contract into its queue, out of everybody's reach until enough children have ended.
    /// `turn` is the place in line that it takes over.
    pub fn hold(
        &mut self,
        job_id: &JobId,
        message: Message,
        quorum: Quorum,
        turn: Option<i64>,
        now: Timestamp,
    ) -> Place {
        let message = self.keep(job_id, message, turn, now);
        let waiting = Waiting { message, quorum, tally: Tally::default() };
        self.waiting.insert(job_id.clone(), waiting);
        Place::Queue(message)
    }

    /// Creates the children of a settlement. One whose id is another job's counts as failed.
    pub fn bear(&mut self, children: Vec<NewJob>, now: Timestamp) {
        for child in children {
            let parent = child.parent.clone();
            let answer = self.create(child, now);
            if let (Submitted::Duplicate(taken), Some(parent)) = (answer, parent)
                && self.jobs.get(&taken).is_none_or(|job| job.parent.as_ref() != Some(&parent))
            {
                self.count(&parent, |tally| tally.failed += 1, now);
            }
        }
    }

    /// A job came from one state into another: its parent may have waited for that.
    pub fn tell_parent(&mut self, job_id: &JobId, before: JobState, now: Timestamp) {
        let Some(job) = self.jobs.get(job_id) else { return };
        let Some(parent) = job.parent.clone() else { return };
        let (before, after) = (Tally::of(before), Tally::of(job.state));
        if before == after {
            return;
        }
        let change = |tally: &mut Tally| {
            let (before, after) = (before.unwrap_or_default(), after.unwrap_or_default());
            tally.completed = (tally.completed + after.completed).saturating_sub(before.completed);
            tally.failed = (tally.failed + after.failed).saturating_sub(before.failed);
        };
        self.count(&parent, change, now);
    }

    /// Counts for a job that waits for the children of this stage run, and lets it go on once
    /// enough of them have ended.
    fn count(&mut self, parent: &Parent, change: impl FnOnce(&mut Tally), now: Timestamp) {
        let Some(waiting) = self.waiting.get_mut(&parent.job_id) else { return };
        if waiting.quorum.visit != parent.visit {
            return;
        }
        change(&mut waiting.tally);
        if waiting.quorum.is_reached(waiting.tally) {
            let message = waiting.message;
            self.waiting.remove(&parent.job_id);
            self.release(message, now);
            if let Some(job) = self.jobs.get_mut(&parent.job_id) {
                job.state = transition(job.state, Step::Enqueue).unwrap_or(job.state);
                job.updated_at = now;
            }
        }
    }

    /// A message is gone: if it waited for children, nobody does any longer.
    pub fn forget_waiting(&mut self, job_id: &JobId, message: i64) {
        if self.waiting.get(job_id).is_some_and(|waiting| waiting.message == message) {
            self.waiting.remove(job_id);
        }
    }

    /// The children of a stage run, by their positions.
    pub fn children(
        &self,
        parent: &JobId,
        visit: u32,
        from: u32,
        limit: usize,
        now: Timestamp,
    ) -> Vec<ChildRecord> {
        let first = (parent.clone(), visit, from);
        let last = (parent.clone(), visit, u32::MAX);
        let children = self.children.range(first..=last);
        let record = |((.., position), job_id): (&(JobId, u32, u32), &JobId)| {
            let job = self.jobs.get(job_id)?;
            Some(ChildRecord {
                job_id: job_id.clone(),
                position: *position,
                state: self.shown_state(job, now),
                stage: job.stage.clone(),
                failure: job.failure.clone(),
                body: self.body(job).to_vec(),
            })
        };
        children.filter_map(record).take(limit.min(PAGE_MAX)).collect()
    }

    /// What a job waits for.
    pub fn awaited(&self, job_id: &JobId) -> Option<Awaited> {
        let Waiting { quorum, tally, .. } = self.waiting.get(job_id)?;
        Some(Awaited { visit: quorum.visit, quorum: *quorum, tally: *tally })
    }
}
