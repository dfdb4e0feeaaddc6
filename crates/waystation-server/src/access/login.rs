//! Beginning a session, with a limit on how often it may fail.

use std::time::{Duration, Instant};

use waystation_core::port;

use super::{Access, Identity, SessionError};

/// How many logins may fail in [`WINDOW`], whoever tries.
const FAILURES_MAX: u32 = 10;
/// The time that failures are counted in.
const WINDOW: Duration = Duration::from_mins(1);

/// The failures of this minute.
#[derive(Default)]
pub(super) struct Failures(Option<(Instant, u32)>);

impl Failures {
    /// Whether somebody may try now.
    fn may_try(&self, now: Instant) -> bool {
        self.0.is_none_or(|(began, count)| {
            count < FAILURES_MAX || now.duration_since(began) >= WINDOW
        })
    }

    fn add(&mut self, now: Instant) {
        self.0 = match self.0 {
            Some((began, count)) if now.duration_since(began) < WINDOW => Some((began, count + 1)),
            _ => Some((now, 1)),
        };
    }
}

/// Why nobody was let in.
#[derive(Debug, thiserror::Error)]
pub enum LoginError {
    /// Nobody has the token.
    #[error("nobody has this token")]
    Wrong,
    /// Too many have failed.
    #[error("{FAILURES_MAX} logins failed within a minute (hint: wait a minute)")]
    TooMany,
    /// No session began.
    #[error(transparent)]
    Session(#[from] SessionError),
}

impl From<port::Error> for LoginError {
    fn from(error: port::Error) -> Self {
        Self::Session(error.into())
    }
}

impl Access {
    /// Lets in whoever has this token: who it is, and the cookie's value.
    pub async fn log_in(&self, token: &str) -> Result<(Identity, String), LoginError> {
        if !self.failures().may_try(Instant::now()) {
            return Err(LoginError::TooMany);
        }
        let identity = self.bearer(token).await?;
        let secret = match &identity {
            Some(_) => self.begin_session(token).await?,
            None => None,
        };
        identity.zip(secret).ok_or_else(|| {
            self.failures().add(Instant::now());
            LoginError::Wrong
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_ten_failures_a_minute_passes() {
        let (mut failures, now) = (Failures::default(), Instant::now());
        for _ in 0..FAILURES_MAX {
            assert!(failures.may_try(now));
            failures.add(now);
        }
        assert!(!failures.may_try(now + WINDOW / 2));
        assert!(failures.may_try(now + WINDOW));
        failures.add(now + WINDOW);
        assert!(failures.may_try(now + WINDOW), "a new minute has begun");
    }
}
