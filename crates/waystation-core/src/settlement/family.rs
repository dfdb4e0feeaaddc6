//! Jobs that wait for their children.

use serde::{Deserialize, Serialize};

use crate::id::JobId;
use crate::state::JobState;

/// Whose child a job is, and which of its children.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Parent {
    /// The job that was fanned out.
    pub job_id: JobId,
    /// The stage run of it that made this child.
    pub visit: u32,
    /// Which one of that run's children this is, counted from 0.
    pub position: u32,
}

/// How many children have ended, and how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Those that came to their end, or had nothing to do.
    pub completed: u32,
    /// Those that failed or were aborted. One that is tried again is none of them any more.
    pub failed: u32,
}

/// How many children must have ended before their parent goes on: it does as soon as one of the
/// three numbers is reached. A number above that of the children is never reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quorum {
    /// The stage run that made the children.
    pub visit: u32,
    /// So many that completed.
    pub completed: u32,
    /// So many that failed.
    pub failed: u32,
    /// So many that ended one way or the other.
    pub ended: u32,
}

impl Quorum {
    /// Whether so many are enough.
    pub fn is_reached(&self, tally: Tally) -> bool {
        tally.completed >= self.completed
            || tally.failed >= self.failed
            || tally.completed.saturating_add(tally.failed) >= self.ended
    }
}

impl Tally {
    /// What the end of one child in this state adds. `None` where it has not ended.
    pub fn of(state: JobState) -> Option<Self> {
        match state {
            JobState::Completed | JobState::Skipped => Some(Self { completed: 1, failed: 0 }),
            JobState::Failed | JobState::Aborted => Some(Self { completed: 0, failed: 1 }),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_of_the_three_numbers_is_enough() {
        let quorum = Quorum { visit: 1, completed: 3, failed: 2, ended: 4 };
        let cases = [(2, 1, false), (3, 0, true), (0, 2, true), (2, 2, true), (0, 0, false)];
        for (completed, failed, reached) in cases {
            assert_eq!(quorum.is_reached(Tally { completed, failed }), reached);
        }
    }

    #[test]
    fn exactly_the_states_that_end_a_job_count() {
        for state in JobState::ALL {
            assert_eq!(Tally::of(state).is_some(), state.is_terminal(), "{state}");
        }
    }
}
