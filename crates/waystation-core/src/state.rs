//! The states of a job and the one function that moves between them.
//!
//! The chart of it is `docs/state_machine.md`; a test holds the two together.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Where a job stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobState {
    /// Created, not yet released to its first stage.
    Ready,
    /// In a stage's queue.
    Queued,
    /// Leased by a worker.
    Running,
    /// Waits for its next attempt.
    Retrying,
    /// Waits for a person, a join or a limit.
    Waiting,
    /// Not to be started before a time.
    Delayed,
    /// Reached its end.
    Completed,
    /// Nobody will try again until a person says so.
    Failed,
    /// Ended because somebody asked for it.
    Aborted,
    /// Ended without work, because there was none to do.
    Skipped,
}

/// What happens to a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    /// It enters a stage's queue.
    Enqueue,
    /// It is put off until a time.
    Delay,
    /// It comes to a stage where a person (or a join, or a limit) decides.
    Park,
    /// A worker takes it under a lease.
    Lease,
    /// A worker gives it back unfinished, or its lease runs out.
    HandBack,
    /// An attempt failed and another one is due.
    Retry,
    /// Its last stage ended well.
    Complete,
    /// It failed for good.
    Fail,
    /// It was aborted.
    Abort,
    /// There was nothing to do.
    Skip,
    /// A person wants a failed job tried again, which opens a new epoch of attempts.
    Requeue,
}

/// A step that the present state does not allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a job that is {from} cannot {step}")]
pub struct Illegal {
    /// The state the job was in.
    pub from: JobState,
    /// The step that was asked for.
    pub step: Step,
}

/// The state that follows, or why the step is not allowed. Total over every pair.
pub fn transition(from: JobState, step: Step) -> Result<JobState, Illegal> {
    use JobState::{
        Aborted, Completed, Delayed, Failed, Queued, Ready, Retrying, Running, Skipped, Waiting,
    };
    let to = match (from, step) {
        // From `Running`, a stage ended and the next one begins; from `Waiting`, a person answered.
        (Ready | Retrying | Delayed | Running | Waiting, Step::Enqueue)
        | (Running, Step::HandBack)
        | (Failed, Step::Requeue) => Queued,
        (Ready | Queued, Step::Delay) => Delayed,
        (Ready | Running | Waiting, Step::Park) => Waiting,
        // Delayed and retrying jobs are leased straight from their place once they are due.
        (Queued | Retrying | Delayed, Step::Lease) => Running,
        (Running, Step::Retry) => Retrying,
        (Running | Waiting, Step::Complete) => Completed,
        // A queued job fails when it was delivered too often, a waiting one when its answer
        // leads nowhere.
        (Queued | Running | Waiting, Step::Fail) => Failed,
        (Ready | Queued | Running | Retrying | Waiting | Delayed, Step::Abort) => Aborted,
        (Ready | Queued | Running, Step::Skip) => Skipped,
        _ => return Err(Illegal { from, step }),
    };
    Ok(to)
}

impl JobState {
    /// Every state, in the order of a job's life.
    pub const ALL: [Self; 10] = [
        Self::Ready,
        Self::Queued,
        Self::Running,
        Self::Retrying,
        Self::Waiting,
        Self::Delayed,
        Self::Completed,
        Self::Failed,
        Self::Aborted,
        Self::Skipped,
    ];

    /// Whether nothing happens to the job any more by itself.
    pub fn is_terminal(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Aborted | Self::Skipped)
    }

    /// The name in SQL, JSON and on the screen.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Retrying => "retrying",
            Self::Waiting => "waiting",
            Self::Delayed => "delayed",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Aborted => "aborted",
            Self::Skipped => "skipped",
        }
    }

    /// The state of this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == name)
    }
}

impl fmt::Display for JobState {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

impl Step {
    /// Every step.
    pub const ALL: [Self; 11] = [
        Self::Enqueue,
        Self::Delay,
        Self::Park,
        Self::Lease,
        Self::HandBack,
        Self::Retry,
        Self::Complete,
        Self::Fail,
        Self::Abort,
        Self::Skip,
        Self::Requeue,
    ];
}

impl fmt::Display for Step {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::Enqueue => "enqueue",
            Self::Delay => "delay",
            Self::Park => "park",
            Self::Lease => "lease",
            Self::HandBack => "hand back",
            Self::Retry => "retry",
            Self::Complete => "complete",
            Self::Fail => "fail",
            Self::Abort => "abort",
            Self::Skip => "skip",
            Self::Requeue => "requeue",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// The arrows of the chart, as `from --> to: step`.
    fn arrows_of_the_chart() -> BTreeSet<String> {
        include_str!("../../../docs/state_machine.md")
            .lines()
            .map(str::trim)
            .filter(|line| {
                line.contains(" --> ") && !line.contains("[*]") && !line.starts_with('-')
            })
            .map(str::to_owned)
            .collect()
    }

    #[test]
    fn chart_and_code_agree() {
        let mut arrows = BTreeSet::new();
        for from in JobState::ALL {
            for step in Step::ALL {
                if let Ok(to) = transition(from, step) {
                    arrows.insert(format!("{from} --> {to}: {step}"));
                }
            }
        }
        let chart = arrows_of_the_chart();
        let missing: Vec<_> = arrows.difference(&chart).collect();
        let invented: Vec<_> = chart.difference(&arrows).collect();
        assert!(missing.is_empty(), "not in the chart: {missing:#?}");
        assert!(invented.is_empty(), "only in the chart: {invented:#?}");
    }

    #[test]
    fn terminal_states_have_one_way_out_and_only_failed_has_it() {
        for from in JobState::ALL.into_iter().filter(|state| state.is_terminal()) {
            for step in Step::ALL {
                let leaves = transition(from, step).is_ok();
                assert_eq!(leaves, from == JobState::Failed && step == Step::Requeue);
            }
        }
    }

    #[test]
    fn every_live_state_can_be_aborted() {
        for from in JobState::ALL.into_iter().filter(|state| !state.is_terminal()) {
            assert_eq!(transition(from, Step::Abort), Ok(JobState::Aborted));
        }
    }
}
