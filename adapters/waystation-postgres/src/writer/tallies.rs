//! What a batch changes of how many children have ended, and how.

use std::collections::BTreeMap;

use tokio_postgres::Row;
use waystation_core::id::JobId;
use waystation_core::settlement::{Parent, Tally};
use waystation_core::state::JobState;

/// A stage run that made children.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Run {
    /// The job.
    pub job_id: JobId,
    /// Which run of it.
    pub visit: u32,
}

/// By how much the tally of one stage run changes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// So many more that completed.
    pub completed: i64,
    /// So many more that failed.
    pub failed: i64,
}

/// The changes of a batch, one for each stage run. A child that failed and one that is tried again
/// cancel each other out: it is as if the latter had come first.
#[derive(Default)]
pub struct Tallies {
    changes: BTreeMap<Run, Change>,
}

impl Run {
    /// Whose child the job of this row is, if it is one: its parent and the visit stand from this
    /// column on.
    pub fn read(row: &Row, column: usize) -> Option<Self> {
        let job_id = row.get::<_, Option<&str>>(column).map(JobId::from)?;
        let visit = row.get::<_, Option<i32>>(column + 1).unwrap_or_default();
        Some(Self { job_id, visit: visit as u32 })
    }

    /// The run that made this child.
    pub fn of(parent: &Parent) -> Self {
        Self { job_id: parent.job_id.clone(), visit: parent.visit }
    }
}

impl Tallies {
    /// Notes that a child of this run came from one state into another.
    pub fn note(&mut self, run: &Run, before: JobState, after: JobState) {
        let (before, after) = (Tally::of(before), Tally::of(after));
        if before == after {
            return;
        }
        let (before, after) = (before.unwrap_or_default(), after.unwrap_or_default());
        self.add(
            run,
            Change {
                completed: i64::from(after.completed) - i64::from(before.completed),
                failed: i64::from(after.failed) - i64::from(before.failed),
            },
        );
    }

    /// Notes that a child of this run, which had not ended, did so in this state.
    pub fn note_end(&mut self, run: &Run, state: JobState) {
        self.note(run, JobState::Running, state);
    }

    /// Notes that a child of this run could not be made.
    pub fn note_unborn(&mut self, run: &Run) {
        self.add(run, Change { completed: 0, failed: 1 });
    }

    /// Takes the changes, which begin anew.
    pub fn take(&mut self) -> Vec<(Run, Change)> {
        let mut changes: Vec<_> = std::mem::take(&mut self.changes).into_iter().collect();
        changes.retain(|(_, change)| *change != Change::default());
        changes
    }

    fn add(&mut self, run: &Run, more: Change) {
        let change = self.changes.entry(run.clone()).or_default();
        change.completed += more.completed;
        change.failed += more.failed;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(job_id: &str, visit: u32) -> Run {
        Run { job_id: job_id.into(), visit }
    }

    #[test]
    fn ends_of_one_run_are_summed_up() {
        let mut tallies = Tallies::default();
        tallies.note(&run("a", 1), JobState::Running, JobState::Completed);
        tallies.note(&run("a", 1), JobState::Running, JobState::Aborted);
        tallies.note(&run("a", 1), JobState::Waiting, JobState::Skipped);
        tallies.note(&run("a", 2), JobState::Running, JobState::Failed);
        tallies.note_unborn(&run("a", 2));
        let expected = [
            (run("a", 1), Change { completed: 2, failed: 1 }),
            (run("a", 2), Change { completed: 0, failed: 2 }),
        ];
        assert_eq!(tallies.take(), expected);
        assert_eq!(tallies.take(), []);
    }

    #[test]
    fn what_ends_nothing_changes_nothing() {
        let mut tallies = Tallies::default();
        tallies.note(&run("a", 1), JobState::Running, JobState::Retrying);
        tallies.note(&run("a", 1), JobState::Failed, JobState::Failed);
        tallies.note(&run("b", 1), JobState::Running, JobState::Failed);
        tallies.note(&run("b", 1), JobState::Failed, JobState::Queued);
        assert_eq!(tallies.take(), []);
    }
}
