//! What still holds of an entry, given where the ledger has the job.

use super::{Change, Entry};
use crate::clock::Timestamp;
use crate::id::StageId;

/// Where the ledger has a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Nowhere: it has never heard of it.
    Unknown,
    /// In a queue: of the broker, or on its way there.
    Queued {
        /// At this stage.
        stage: StageId,
        /// For this stage run.
        visit: u32,
        /// For this attempt.
        attempt: u32,
        /// Since when a worker is known to have it.
        running_since: Option<Timestamp>,
    },
    /// In the inbox. Only an answer moves it on.
    Waiting,
    /// It has ended.
    Ended,
}

/// What is to be done with an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The job is to be made known, then the entry applied.
    Create,
    /// It holds.
    Apply,
    /// It is late or a repetition: the job stays where it is. What it tells that is not known yet
    /// is still written down.
    Note,
}

/// Whether an entry moves its job. A job never takes a step twice and never goes back: not to an
/// earlier stage run, not to an earlier attempt, and not out of the inbox or its end.
pub fn verdict(standing: &Standing, entry: &Entry) -> Verdict {
    let (stage, visit, attempt, running_since) = match standing {
        Standing::Unknown => return Verdict::Create,
        Standing::Waiting | Standing::Ended => return Verdict::Note,
        Standing::Queued { stage, visit, attempt, running_since } => {
            (stage, *visit, *attempt, *running_since)
        }
    };
    if matches!(entry.change, Change::Created { .. } | Change::Told { .. }) {
        return Verdict::Note;
    }
    let told = (entry.step.visit.unwrap_or(1), entry.step.attempt);
    if told.0 != visit {
        // The settlement in between is on its way: the job is further than the ledger knows. That
        // it runs there is told again when it ends.
        let ahead = told.0 > visit && entry.change != Change::Running;
        return if ahead { Verdict::Apply } else { Verdict::Note };
    }
    if entry.step.stage == *stage {
        return if told.1 >= attempt { Verdict::Apply } else { Verdict::Note };
    }
    // A foreign stage does not count stage runs: what happened last is what holds.
    match running_since {
        Some(since) if since > entry.step.at => Verdict::Note,
        _ => Verdict::Apply,
    }
}

#[cfg(test)]
mod tests {
    use super::super::Step;
    use super::*;
    use crate::settlement::Next;
    use crate::state::JobState;

    fn entry(stage: &str, visit: u32, attempt: u32, at: i64) -> Entry {
        Entry {
            job_id: "a".into(),
            origin: None,
            step: Step { stage: stage.into(), visit: Some(visit), attempt, at: Timestamp(at) },
            events: Vec::new(),
            log: Vec::new(),
            change: Change::Landed {
                state: JobState::Completed,
                stage: stage.into(),
                next: Next::End { body: Vec::new(), failure: None },
            },
        }
    }

    fn at(stage: &str, visit: u32, attempt: u32, since: Option<i64>) -> Standing {
        let running_since = since.map(Timestamp);
        Standing::Queued { stage: stage.into(), visit, attempt, running_since }
    }

    #[test]
    fn a_job_never_goes_back() {
        let here = at("b", 3, 2, None);
        for (told, expected) in [
            (entry("b", 3, 2, 0), Verdict::Apply),
            (entry("b", 3, 3, 0), Verdict::Apply),
            (entry("b", 3, 1, 0), Verdict::Note),
            (entry("a", 2, 9, 0), Verdict::Note),
            (entry("c", 4, 1, 0), Verdict::Apply),
        ] {
            assert_eq!(verdict(&here, &told), expected, "{:?}", told.step);
        }
        for standing in [Standing::Waiting, Standing::Ended] {
            assert_eq!(verdict(&standing, &entry("b", 9, 1, 0)), Verdict::Note);
        }
        assert_eq!(verdict(&Standing::Unknown, &entry("b", 1, 1, 0)), Verdict::Create);
    }

    #[test]
    fn of_stages_that_do_not_count_the_latest_holds() {
        let here = at("predict", 2, 1, Some(50));
        assert_eq!(verdict(&here, &entry("classify", 2, 1, 40)), Verdict::Note);
        assert_eq!(verdict(&here, &entry("write", 2, 1, 60)), Verdict::Apply);
        let unstarted = at("classify", 2, 1, None);
        assert_eq!(verdict(&unstarted, &entry("predict", 2, 1, 60)), Verdict::Apply);
    }

    #[test]
    fn what_runs_ahead_of_the_ledger_is_only_noted() {
        let running = Entry { change: Change::Running, ..entry("c", 4, 1, 0) };
        assert_eq!(verdict(&at("b", 3, 1, None), &running), Verdict::Note);
        let running = Entry { change: Change::Running, ..entry("b", 3, 1, 0) };
        assert_eq!(verdict(&at("b", 3, 1, None), &running), Verdict::Apply);
    }
}
