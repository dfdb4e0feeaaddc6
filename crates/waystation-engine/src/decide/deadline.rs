//! What a job's deadline means for its attempts: none begins at it or later, none runs beyond it,
//! and none is waited for that would come too late.

use std::time::Duration;

use waystation_core::clock::Timestamp;
use waystation_core::contract::Contract;
use waystation_core::failure::{ErrorKind, Failure};
use waystation_core::id::StageId;
use waystation_core::pipeline::Stage;

/// How long an attempt may run: what its stage allows, or until the job's deadline if that is
/// earlier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// From its beginning.
    pub length: Duration,
    /// The moment at which it is over.
    pub until: Timestamp,
    is_deadline: bool,
}

impl Limit {
    /// The limit of an attempt that begins now, if it has one.
    pub fn of(stage: &Stage, contract: &Contract, now: Timestamp) -> Option<Self> {
        let timeout = stage.timeout.map(|length| {
            let until = now.plus(length);
            Self { length, until, is_deadline: false }
        });
        let deadline = contract.deadline.map(|until| {
            let length = until.since(now);
            Self { length, until, is_deadline: true }
        });
        timeout.into_iter().chain(deadline).min_by_key(|limit| limit.until)
    }

    /// Why an attempt failed that was still at work then.
    pub fn exceeded(&self, stage: &StageId) -> Failure {
        let Self { length, until, is_deadline } = self;
        let message = if *is_deadline {
            format!("stage `{stage}` was still at work at the job's deadline {until}")
        } else {
            format!("stage `{stage}` took longer than {length:?}")
        };
        Failure::new(ErrorKind::Timeout, message)
    }
}

/// Refuses an attempt that would begin when the job's deadline has come.
pub fn check_deadline(contract: &Contract, stage: &StageId, now: Timestamp) -> Result<(), Failure> {
    match contract.deadline.filter(|deadline| *deadline <= now) {
        None => Ok(()),
        Some(deadline) => {
            let message = format!("the job came to stage `{stage}` after its deadline {deadline}");
            Err(Failure::new(ErrorKind::Timeout, message))
        }
    }
}

/// The failure of a job that is not tried again, since the next attempt would begin when its
/// deadline has come. `None` where there is time.
pub fn no_time_left(contract: &Contract, failure: &Failure, next: Timestamp) -> Option<Failure> {
    let deadline = contract.deadline.filter(|deadline| *deadline <= next)?.to_string();
    let mut failure = failure.clone();
    // One that names the deadline says enough.
    if !failure.message.contains(&deadline) {
        let told = format!(
            "{} (not tried again: the next attempt would begin at {next}, the job's deadline is \
             {deadline})",
            failure.message
        );
        failure.message = Failure::new(failure.kind, told).message;
    }
    Some(failure)
}

#[cfg(test)]
mod tests {
    use waystation_core::Params;

    use super::*;

    const NOW: Timestamp = Timestamp(1_700_000_000_000);
    const SECOND: Duration = Duration::from_secs(1);

    fn due(deadline: Option<Timestamp>) -> Contract {
        Contract { deadline, ..Contract::new("j".into(), Params::new()) }
    }

    #[test]
    fn the_earlier_of_the_two_limits_holds() {
        let limit = |timeout: Option<u64>, deadline: Option<u64>| {
            let mut stage = Stage::new("work", "x");
            stage.timeout = timeout.map(Duration::from_secs);
            let contract = due(deadline.map(|after| NOW.plus(SECOND * after as u32)));
            let limit = Limit::of(&stage, &contract, NOW)?;
            assert_eq!(limit.until, NOW.plus(limit.length));
            Some((limit.length.as_secs(), limit.exceeded(&stage.id).message))
        };
        let of_stage =
            |seconds| Some((seconds, format!("stage `work` took longer than {seconds}s")));
        let of_job = |seconds, deadline: &str| {
            Some((
                seconds,
                format!("stage `work` was still at work at the job's deadline {deadline}"),
            ))
        };
        assert_eq!(limit(None, None), None);
        assert_eq!(limit(Some(5), None), of_stage(5));
        assert_eq!(limit(Some(5), Some(9)), of_stage(5));
        assert_eq!(limit(Some(5), Some(3)), of_job(3, "2023-11-14T22:13:23.000Z"));
        assert_eq!(limit(None, Some(3)), of_job(3, "2023-11-14T22:13:23.000Z"));
    }

    #[test]
    fn nothing_begins_at_the_deadline_or_after() {
        let begins = |now| check_deadline(&due(Some(NOW)), &"work".into(), now);
        assert_eq!(begins(Timestamp(NOW.0 - 1)), Ok(()));
        for late in [NOW, NOW.plus(SECOND)] {
            let failure = begins(late).expect_err("it is too late");
            assert_eq!(failure.kind, ErrorKind::Timeout);
            let expected =
                "the job came to stage `work` after its deadline 2023-11-14T22:13:20.000Z";
            assert_eq!(failure.message, expected);
        }
        assert_eq!(check_deadline(&due(None), &"work".into(), NOW), Ok(()));
    }

    #[test]
    fn what_would_be_tried_again_too_late_says_so_once() {
        let failure = Failure::transient("busy");
        let next = |next| no_time_left(&due(Some(NOW)), &failure, next);
        assert_eq!(next(Timestamp(NOW.0 - 1)), None);
        assert_eq!(no_time_left(&due(None), &failure, NOW), None);
        let late = next(NOW.plus(SECOND)).expect("it is too late");
        assert_eq!(
            late.message,
            "busy (not tried again: the next attempt would begin at 2023-11-14T22:13:21.000Z, the \
             job's deadline is 2023-11-14T22:13:20.000Z)"
        );
        assert_eq!(late.kind, ErrorKind::Transient);
        assert_eq!(no_time_left(&due(Some(NOW)), &late, NOW), Some(late.clone()));
    }
}
