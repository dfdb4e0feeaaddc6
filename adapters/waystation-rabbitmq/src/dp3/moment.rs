//! Moments as DP3 writes them: RFC 3339 with microseconds, with or without an offset.

use std::fmt;

use serde::{Serialize, Serializer};
use serde_json::Value;

use super::fields::Wrong;

const DUE: &str = "a moment is due, as 2026-01-31T12:00:00Z";

/// A moment, to the microsecond.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Moment(jiff::Timestamp);

impl Moment {
    /// So many microseconds after the beginning of 1970 in UTC; `None` outside of the years that
    /// texts can tell.
    pub fn from_microseconds(microseconds: i64) -> Option<Self> {
        jiff::Timestamp::from_microsecond(microseconds).ok().map(Self)
    }

    /// How many microseconds after the beginning of 1970 in UTC.
    pub fn microseconds(self) -> i64 {
        self.0.as_microsecond()
    }

    /// Reads a text. DP3 0.10.0 leaves the offset away where its input had none: that is UTC.
    pub fn parse(text: &str) -> Option<Self> {
        let exact = text.parse::<jiff::Timestamp>();
        let utc = || format!("{text}Z").parse::<jiff::Timestamp>();
        Self::from_microseconds(exact.or_else(|_| utc()).ok()?.as_microsecond())
    }

    /// Reads a field.
    pub(super) fn read(field: &str, value: &Value) -> Result<Self, Wrong> {
        let read = value.as_str().and_then(Self::parse);
        read.ok_or_else(|| Wrong::new(field, value, DUE))
    }
}

impl fmt::Display for Moment {
    /// In UTC; with six digits of a second where it is no whole one, as DP3 has them.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let moment = self.0;
        if moment.subsec_nanosecond() == 0 {
            write!(formatter, "{moment:.0}")
        } else {
            write!(formatter, "{moment:.6}")
        }
    }
}

impl Serialize for Moment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_read_in_every_form_and_written_in_one() {
        for (text, expected) in [
            ("2024-01-01T00:00:00Z", "2024-01-01T00:00:00Z"),
            ("2024-01-01T00:00:00", "2024-01-01T00:00:00Z"),
            ("2024-01-01 00:00:00", "2024-01-01T00:00:00Z"),
            ("2024-01-01T00:00:00.123000+02:00", "2023-12-31T22:00:00.123000Z"),
            ("2024-01-01T00:00:00.1234567Z", "2024-01-01T00:00:00.123456Z"),
        ] {
            let moment = Moment::parse(text).expect(text);
            assert_eq!(moment.to_string(), expected, "{text}");
            assert_eq!(Moment::parse(expected), Some(moment));
        }
        for text in ["", "yesterday", "2024-01-01", "2024-13-01T00:00:00Z"] {
            assert_eq!(Moment::parse(text), None, "{text}");
        }
    }
}
