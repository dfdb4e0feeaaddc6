//! What still holds of an entry, given where the ledger has the job.

use super::{Change, Entry};
use crate::clock::Timestamp;
use crate::contract::Contract;
use crate::id::StageId;
use crate::settlement::Next;

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
        /// When the last entry happened that left it in this attempt; or, where it came here
        /// without a stage run being counted, when the attempt began that brought it.
        told_at: Option<Timestamp>,
        /// The stages that are known to have ended in this stage run: those that count none pass
        /// it on.
        passed: Vec<StageId>,
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
///
/// An entry that says where the job is from now on holds also when those before it are still to
/// come. One that says only that a worker has it, or gave it back, holds at the attempt that the
/// ledger has; what is told ahead of that is told again when the attempt ends.
pub fn verdict(standing: &Standing, entry: &Entry) -> Verdict {
    let holds = match standing {
        Standing::Unknown => return Verdict::Create,
        Standing::Waiting | Standing::Ended => false,
        Standing::Queued { stage, visit, attempt, running_since, told_at, passed } => {
            let here = (stage, *visit, *attempt);
            match kind_of(entry, here) {
                Kind::Nothing => false,
                Kind::Moves => moves(here, *told_at, passed, entry),
                Kind::Stays => is_at(here, entry) && is_news(*running_since, *told_at, entry),
            }
        }
    };
    if holds { Verdict::Apply } else { Verdict::Note }
}

/// Stage, stage run and attempt.
type Attempt<'a> = (&'a StageId, u32, u32);

/// What an entry can do to a job that is known.
enum Kind {
    Nothing,
    /// It takes the job to another attempt, stage or place, and says which.
    Moves,
    /// It leaves the job in its attempt: a worker has it, gave it back, or put it off.
    Stays,
}

fn kind_of(entry: &Entry, here: Attempt<'_>) -> Kind {
    let Change::Landed { stage, next, .. } = &entry.change else {
        return if entry.change == Change::Running { Kind::Stays } else { Kind::Nothing };
    };
    match next {
        Next::Park(_) | Next::Await(..) | Next::End { .. } => Kind::Moves,
        Next::Enqueue(message) => {
            // The body is read only where it may be for the attempt at hand.
            let back = is_at(here, entry) && stage == here.0;
            let same = back && Contract::awaited(&message.body) == Some((here.1, here.2));
            if same { Kind::Stays } else { Kind::Moves }
        }
        Next::HandBack | Next::HandOver | Next::Drop => Kind::Stays,
    }
}

fn moves(
    (stage, visit, attempt): Attempt<'_>,
    told_at: Option<Timestamp>,
    passed: &[StageId],
    entry: &Entry,
) -> bool {
    let told = entry.step.visit.unwrap_or(1);
    if told != visit {
        // The settlements in between are on their way: the job is further than the ledger knows.
        return told > visit;
    }
    if entry.step.stage == *stage {
        return entry.step.attempt >= attempt;
    }
    // A foreign stage does not count stage runs: what happened last is what holds. Clocks may
    // disagree: where no broker has the job any more, it does not come back to be told of again.
    let leaves = matches!(&entry.change, Change::Landed { next, .. } if leaves_broker(next));
    let ahead = leaves && !passed.contains(&entry.step.stage);
    ahead || told_at.is_none_or(|known| known < entry.step.at)
}

fn leaves_broker(next: &Next) -> bool {
    matches!(next, Next::Park(_) | Next::End { .. })
}

fn is_at((stage, visit, attempt): Attempt<'_>, entry: &Entry) -> bool {
    let step = &entry.step;
    step.stage == *stage && step.visit.unwrap_or(1) == visit && step.attempt == attempt
}

/// Of what leaves a job in its attempt, the last holds. At one moment an attempt begins before
/// it ends.
fn is_news(running_since: Option<Timestamp>, told_at: Option<Timestamp>, entry: &Entry) -> bool {
    let at = entry.told_at();
    let ends = entry.change != Change::Running;
    told_at.is_none_or(|known| known < at || (known == at && ends && running_since == Some(at)))
}

#[cfg(test)]
mod tests {
    use super::super::Step;
    use super::*;
    use crate::settlement::{Message, Next};
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
            children: Vec::new(),
        }
    }

    fn at(stage: &str, visit: u32, attempt: u32, since: Option<i64>) -> Standing {
        let running_since = since.map(Timestamp);
        let told_at = running_since;
        let passed = Vec::new();
        Standing::Queued { stage: stage.into(), visit, attempt, running_since, told_at, passed }
    }

    fn passed(mut standing: Standing, stage: &str) -> Standing {
        if let Standing::Queued { passed, .. } = &mut standing {
            passed.push(stage.into());
        }
        standing
    }

    fn hop(stage: &str, visit: u32, at: i64) -> Entry {
        let message = Message {
            queue: "next".into(),
            stage: "next".into(),
            priority: 0,
            not_before: None,
            turn: None,
            body: Vec::new(),
        };
        let next = Next::Enqueue(message);
        let change = Change::Landed { state: JobState::Queued, stage: "next".into(), next };
        Entry { change, ..entry(stage, visit, 1, at) }
    }

    fn back(at: i64) -> Entry {
        let change =
            Change::Landed { state: JobState::Queued, stage: "b".into(), next: Next::HandBack };
        Entry { change, ..entry("b", 3, 1, at) }
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
        let here = passed(at("predict", 2, 1, Some(50)), "classify");
        assert_eq!(verdict(&here, &entry("classify", 2, 1, 40)), Verdict::Note);
        assert_eq!(verdict(&here, &entry("write", 2, 1, 60)), Verdict::Apply);
        assert_eq!(verdict(&here, &hop("detect", 2, 40)), Verdict::Note);
        assert_eq!(verdict(&here, &hop("write", 2, 60)), Verdict::Apply);
        let unstarted = at("classify", 2, 1, None);
        assert_eq!(verdict(&unstarted, &entry("predict", 2, 1, 60)), Verdict::Apply);
    }

    #[test]
    fn end_that_a_slow_clock_told_holds() {
        let here = at("classify", 2, 1, Some(50));
        assert_eq!(verdict(&here, &entry("predict", 2, 1, 40)), Verdict::Apply);
        assert_eq!(verdict(&here, &hop("predict", 2, 40)), Verdict::Note);
    }

    #[test]
    fn what_runs_ahead_of_the_ledger_is_only_noted() {
        let running = Entry { change: Change::Running, ..entry("c", 4, 1, 0) };
        assert_eq!(verdict(&at("b", 3, 1, None), &running), Verdict::Note);
        let running = Entry { change: Change::Running, ..entry("b", 3, 1, 0) };
        assert_eq!(verdict(&at("b", 3, 1, None), &running), Verdict::Apply);
    }

    #[test]
    fn what_a_worker_gave_back_is_not_shown_as_running_by_a_repetition() {
        let running = |at| Entry { change: Change::Running, ..entry("b", 3, 1, at) };
        let idle = Standing::Queued {
            stage: "b".into(),
            visit: 3,
            attempt: 1,
            running_since: None,
            told_at: Some(Timestamp(50)),
            passed: Vec::new(),
        };
        let busy = at("b", 3, 1, Some(60));
        for (standing, told, expected) in [
            (&idle, running(50), Verdict::Note),
            (&idle, running(60), Verdict::Apply),
            (&idle, back(50), Verdict::Note),
            (&busy, running(60), Verdict::Note),
            (&busy, back(50), Verdict::Note),
            (&busy, back(60), Verdict::Apply),
        ] {
            assert_eq!(verdict(standing, &told), expected, "{standing:?} {told:?}");
        }
        // Nothing is known of where it would be.
        assert_eq!(verdict(&at("a", 2, 1, None), &back(50)), Verdict::Note);
    }
}
