//! Time as a value: milliseconds since the Unix epoch, read through a clock that tests can hold.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A moment, in milliseconds since the Unix epoch.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// The moment this long after.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)))
    }

    /// The moment this long before.
    #[must_use]
    pub fn minus(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)))
    }

    /// Reads RFC 3339, or the same without an offset, which is then taken for UTC.
    pub fn parse(text: &str) -> Option<Self> {
        let exact = text.parse::<jiff::Timestamp>();
        let moment = exact.or_else(|_| format!("{}Z", text.trim()).parse());
        moment.ok().map(|moment| Self(moment.as_millisecond()))
    }

    /// How long after `earlier` this moment is; zero when it is not after it.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

impl fmt::Display for Timestamp {
    /// RFC 3339 in UTC with milliseconds.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_millisecond(self.0) {
            Ok(moment) => write!(formatter, "{moment:.3}"),
            Err(_) => write!(formatter, "{} ms", self.0),
        }
    }
}

/// Tells the time. The only source of it in the engine and the adapters.
pub trait Clock: Send + Sync {
    /// The present moment.
    fn now(&self) -> Timestamp;
}

/// The clock of the operating system.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp(jiff::Timestamp::now().as_millisecond())
    }
}

#[cfg(test)]
mod tests {
    use super::Timestamp;

    #[test]
    fn moments_are_read_with_and_without_an_offset() {
        let moment = Some(Timestamp(1_700_000_000_123));
        for text in [
            "2023-11-14T22:13:20.123Z",
            "2023-11-14T22:13:20.123456+00:00",
            "2023-11-14T23:13:20.123+01:00",
            "2023-11-14T22:13:20.123456",
        ] {
            assert_eq!(Timestamp::parse(text), moment, "{text}");
        }
        assert_eq!(Timestamp::parse("yesterday"), None);
    }
}
