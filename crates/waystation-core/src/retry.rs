//! When a failed attempt is tried again.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::failure::Failure;

/// How the wait grows from attempt to attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Backoff {
    /// No wait at all.
    None,
    /// Always the first wait.
    Fixed,
    /// The first wait, doubled after every further failure, up to the longest wait.
    Exponential,
}

/// A stage's retry policy.
#[derive(Clone, Debug, PartialEq)]
pub struct RetryPolicy {
    /// How many attempts follow a failed first one.
    pub max_retries: u32,
    /// How the wait grows.
    pub backoff: Backoff,
    /// The wait before the first retry.
    pub delay: Duration,
    /// No wait is longer than this.
    pub delay_max: Duration,
}

impl Default for RetryPolicy {
    /// Two retries (three attempts, as with mda-common), waiting about one and two seconds.
    fn default() -> Self {
        Self {
            max_retries: 2,
            backoff: Backoff::Exponential,
            delay: Duration::from_secs(1),
            delay_max: Duration::from_mins(10),
        }
    }
}

impl RetryPolicy {
    /// The wait before the next attempt after `retry_count` earlier retries, or `None` when the
    /// failure is final.
    ///
    /// `random` in `0.0..1.0` spreads exponential waits over 50 to 100 % of their length ("equal
    /// jitter"), so that jobs which failed together do not come back together.
    pub fn next_delay(&self, failure: &Failure, retry_count: u32, random: f64) -> Option<Duration> {
        if !failure.kind.retryable() || retry_count >= self.max_retries {
            return None;
        }
        let delay = match self.backoff {
            Backoff::None => Duration::ZERO,
            Backoff::Fixed => self.delay.min(self.delay_max),
            Backoff::Exponential => {
                let doubled = self.delay.saturating_mul(2_u32.saturating_pow(retry_count));
                doubled.min(self.delay_max).mul_f64(0.5 + random.clamp(0.0, 1.0) / 2.0)
            }
        };
        Some(delay.max(failure.retry_after.unwrap_or_default()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::ErrorKind;

    fn delays(policy: &RetryPolicy, kind: ErrorKind, random: f64) -> Vec<Option<u64>> {
        let failure = Failure::new(kind, "x");
        (0..5)
            .map(|count| policy.next_delay(&failure, count, random).map(|d| d.as_millis() as u64))
            .collect()
    }

    #[test]
    fn default_policy_gives_three_attempts() {
        let policy = RetryPolicy::default();
        let got = delays(&policy, ErrorKind::Error, 1.0);
        assert_eq!(got, [Some(1000), Some(2000), None, None, None]);
        assert_eq!(delays(&policy, ErrorKind::Error, 0.0)[..2], [Some(500), Some(1000)]);
    }

    #[test]
    fn permanent_failures_are_never_retried() {
        for kind in [ErrorKind::MissingParam, ErrorKind::Contract, ErrorKind::Poison] {
            assert_eq!(delays(&RetryPolicy::default(), kind, 0.5), [None; 5]);
        }
    }

    #[test]
    fn waits_stay_below_the_longest_and_above_what_the_handler_asked() {
        let policy = RetryPolicy {
            max_retries: u32::MAX,
            delay_max: Duration::from_secs(3),
            ..RetryPolicy::default()
        };
        let failure = Failure::transient("x");
        assert_eq!(policy.next_delay(&failure, 4_000_000, 1.0), Some(Duration::from_secs(3)));
        let failure = failure.retry_after(Duration::from_mins(1));
        assert_eq!(policy.next_delay(&failure, 0, 1.0), Some(Duration::from_mins(1)));
    }
}
