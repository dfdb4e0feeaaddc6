//! When a source is due: decided from its schedule and from what is known of its looks.

use std::time::Duration;

use waystation_core::clock::Timestamp;
use waystation_core::schedule::Schedule;

use super::kept::{Ask, State};

/// After a look that failed, the next one comes as it is due, and not later than after this time,
/// which doubles with each further failure.
const RETRY: Duration = Duration::from_mins(1);
/// It does not grow beyond this.
const RETRY_MAX: Duration = Duration::from_hours(1);

/// The moment at which a source is due; `None` when it is not, unless somebody asks for it.
pub fn due(schedule: &Schedule, state: &State, ask: Option<&Ask>) -> Option<Timestamp> {
    let by_schedule = schedule.next(state.last, state.seen);
    let again = state.failed_at.map(|failed_at| {
        let doublings = state.failures.saturating_sub(1).min(16);
        failed_at.plus(RETRY.saturating_mul(1 << doublings).min(RETRY_MAX))
    });
    // A look that is never due by itself is not due again by itself either.
    let again = again.filter(|_| by_schedule.is_some());
    ask.map(|ask| ask.at).into_iter().chain(by_schedule).chain(again).min()
}

#[cfg(test)]
mod tests {
    use waystation_core::schedule::Calendar;

    use super::*;

    const MINUTE: i64 = 60_000;

    fn state(last: Option<i64>) -> State {
        State { last: last.map(Timestamp), ..State::new(Timestamp(0)) }
    }

    fn check(schedule: &Schedule, state: &State, ask: Option<&Ask>, expected: Option<i64>) {
        assert_eq!(due(schedule, state, ask), expected.map(Timestamp), "{schedule} {state:?}");
    }

    #[test]
    fn looks_are_due_by_schedule_by_request_and_again_after_failures() {
        let daily = Calendar::parse("0 6 * * *", Calendar::UTC).expect("a calendar");
        let daily = Schedule::Calendar(daily);
        let every = Schedule::Every(Duration::from_mins(5));
        let six = 6 * 60 * MINUTE;
        check(&every, &state(None), None, Some(0));
        check(&every, &state(Some(MINUTE)), None, Some(6 * MINUTE));
        check(&daily, &state(None), None, Some(six));
        check(&daily, &state(Some(six)), None, Some(six + 24 * 60 * MINUTE));
        check(&Schedule::OnDemand, &state(None), None, None);

        let ask = Ask { at: Timestamp(MINUTE), ..Ask::default() };
        check(&daily, &state(None), Some(&ask), Some(MINUTE));
        check(&Schedule::OnDemand, &state(None), Some(&ask), Some(MINUTE));

        for (failures, minutes) in [(1, 1), (2, 2), (3, 4), (30, 60)] {
            let failed_at = Some(Timestamp(six));
            let failed = State { failures, failed_at, ..state(Some(six)) };
            check(&daily, &failed, None, Some(six + minutes * MINUTE));
            check(&every, &failed, None, Some(six + minutes.min(5) * MINUTE));
            check(&Schedule::OnDemand, &failed, None, None);
        }
    }
}
