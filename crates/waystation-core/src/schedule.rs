//! When a source looks for new items: after an interval, at times of the calendar, or when somebody
//! asks for it.
//!
//! Times of the calendar are cron expressions as Vixie's cron reads them, in a time zone. Where a
//! clock is put forward, what was due in the missing hour is due as it ends; where it is put back,
//! a time of day that comes twice is met once, and `*` and steps go on through both.

use std::fmt;
use std::time::Duration;

use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;

/// When a source looks. As JSON: `"on_demand"`, `{"every_ms": 30000}`, or a calendar as
/// `{"calendar": {"cron": "0 6 * * *", "time_zone": "Europe/Rome"}}`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Schedule {
    /// At once, and then so long after the last look began.
    #[serde(rename = "every_ms", with = "milliseconds")]
    Every(Duration),
    /// At times of the calendar.
    Calendar(Calendar),
    /// Only when somebody asks for it.
    OnDemand,
}

/// Times of the calendar.
#[derive(Clone, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub struct Calendar {
    cron: Box<Cron>,
    zone: TimeZone,
    /// As it was written.
    expression: String,
    /// As it was written.
    zone_name: String,
}

/// A calendar as it is written.
#[derive(Serialize, Deserialize)]
struct Written {
    cron: String,
    time_zone: String,
}

impl Schedule {
    /// The time between two looks, unless a source says otherwise.
    pub const INTERVAL: Duration = Duration::from_secs(30);

    /// The first moment at which a look is due, after the last one began or, where there was none,
    /// after the source was first seen. `None` when none is ever due by itself.
    pub fn next(&self, last: Option<Timestamp>, seen: Timestamp) -> Option<Timestamp> {
        match self {
            Self::Every(interval) => Some(last.map_or(seen, |last| last.plus(*interval))),
            Self::Calendar(calendar) => calendar.after(last.unwrap_or(seen)),
            Self::OnDemand => None,
        }
    }
}

impl Default for Schedule {
    fn default() -> Self {
        Self::Every(Self::INTERVAL)
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Every(interval) => write!(formatter, "every {} s", interval.as_secs_f64()),
            Self::Calendar(calendar) => {
                write!(formatter, "{} ({})", calendar.expression, calendar.zone_name)
            }
            Self::OnDemand => formatter.write_str("on demand"),
        }
    }
}

impl Calendar {
    /// The zone of those that name none.
    pub const UTC: &str = "UTC";

    /// Reads a cron expression of five fields, or of six with seconds in front, or `@daily` and its
    /// like; and the IANA name of a time zone.
    pub fn parse(expression: &str, zone_name: &str) -> Result<Self, String> {
        let parser =
            CronParser::builder().seconds(Seconds::Optional).year(Year::Disallowed).build();
        let cron = parser.parse(expression).map_err(|error| {
            let error = error.to_string();
            let error = error.trim_end_matches('.');
            format!("`{expression}` is no cron expression: {error}")
        })?;
        let zone = TimeZone::get(zone_name)
            .map_err(|_| format!("`{zone_name}` is no time zone (as Europe/Rome is one)"))?;
        let (expression, zone_name) = (expression.to_owned(), zone_name.to_owned());
        let calendar = Self { cron: Box::new(cron), zone, expression, zone_name };
        // What no calendar has, such as 31 February, would make the source wait for ever.
        match calendar.after(Timestamp(0)) {
            Some(_) => Ok(calendar),
            None => Err(format!("`{}` names a time that never comes", calendar.expression)),
        }
    }

    /// The first of these times after a moment.
    pub fn after(&self, moment: Timestamp) -> Option<Timestamp> {
        let moment = jiff::Timestamp::from_millisecond(moment.0).ok()?;
        let next =
            self.cron.find_next_occurrence(&moment.to_zoned(self.zone.clone()), false).ok()?;
        Some(Timestamp(next.timestamp().as_millisecond()))
    }
}

impl TryFrom<Written> for Calendar {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        Self::parse(&written.cron, &written.time_zone)
    }
}

impl From<Calendar> for Written {
    fn from(calendar: Calendar) -> Self {
        Self { cron: calendar.expression, time_zone: calendar.zone_name }
    }
}

mod milliseconds {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(value: &Duration, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_u64(u64::try_from(value.as_millis()).unwrap_or(u64::MAX))
    }

    pub fn deserialize<'a, D: Deserializer<'a>>(from: D) -> Result<Duration, D::Error> {
        u64::deserialize(from).map(Duration::from_millis)
    }
}

impl PartialEq for Calendar {
    fn eq(&self, other: &Self) -> bool {
        self.expression == other.expression && self.zone_name == other.zone_name
    }
}

impl fmt::Debug for Calendar {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Calendar({} in {})", self.expression, self.zone_name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moment(text: &str) -> Timestamp {
        Timestamp::parse(text).expect(text)
    }

    /// The first times after a moment, in UTC.
    fn check(expression: &str, zone: &str, after: &str, times: &[&str]) {
        let calendar = Calendar::parse(expression, zone).expect(expression);
        let mut last = moment(after);
        for expected in times {
            last = calendar.after(last).expect("another one");
            assert_eq!(last, moment(expected), "{expression} in {zone}: {last}");
        }
    }

    #[test]
    fn times_of_the_calendar_follow_their_zone() {
        check("0 6 * * mon-fri", "UTC", "2026-11-20T07:00:00Z", &["2026-11-23T06:00:00Z"]);
        let summer = ["2026-07-01T04:30:00Z", "2026-07-02T04:30:00Z"];
        check("30 6 * * *", "Europe/Rome", "2026-06-30T12:00:00Z", &summer);
        check("@hourly", "UTC", "2026-01-01T00:00:00Z", &["2026-01-01T01:00:00Z"]);
        check("*/20 * * * * *", "UTC", "2026-01-01T00:00:01Z", &["2026-01-01T00:00:20Z"]);
    }

    #[test]
    fn an_hour_that_is_left_out_or_comes_twice_is_met_once() {
        // Rome goes from 2:00 to 3:00 on 29 March 2026, and from 3:00 to 2:00 on 25 October.
        let spring = ["2026-03-28T01:30:00Z", "2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"];
        check("30 2 * * *", "Europe/Rome", "2026-03-28T00:00:00Z", &spring);
        let autumn = ["2026-10-24T00:30:00Z", "2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"];
        check("30 2 * * *", "Europe/Rome", "2026-10-24T00:00:00Z", &autumn);
        // Every hour goes on through both.
        let hours = ["2026-10-25T00:00:00Z", "2026-10-25T01:00:00Z", "2026-10-25T02:00:00Z"];
        check("0 * * * *", "Europe/Rome", "2026-10-24T23:30:00Z", &hours);
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for (expression, zone, words) in [
            ("0 6 * *", "UTC", "`0 6 * *` is no cron expression"),
            ("61 * * * *", "UTC", "`61 * * * *` is no cron expression"),
            ("", "UTC", "is no cron expression"),
            ("0 6 * * *", "Mars/Olympus", "`Mars/Olympus` is no time zone"),
            ("0 0 31 2 *", "UTC", "never comes"),
        ] {
            let error = Calendar::parse(expression, zone).expect_err(expression);
            assert!(error.contains(words), "{error}");
        }
    }

    #[test]
    fn schedules_survive_being_written() {
        let calendar = Calendar::parse("0 6 * * *", "Europe/Rome").expect("a calendar");
        for (schedule, written) in [
            (Schedule::OnDemand, r#""on_demand""#),
            (Schedule::Every(Duration::from_millis(1_500)), r#"{"every_ms":1500}"#),
            (
                Schedule::Calendar(calendar),
                r#"{"calendar":{"cron":"0 6 * * *","time_zone":"Europe/Rome"}}"#,
            ),
        ] {
            assert_eq!(serde_json::to_string(&schedule).expect("JSON"), written);
            assert_eq!(serde_json::from_str::<Schedule>(written).expect("read"), schedule);
        }
    }

    #[test]
    fn intervals_count_from_the_beginning_of_the_last_look() {
        let every = Schedule::Every(Duration::from_mins(5));
        let (seen, last) = (Timestamp(1_000), Timestamp(60_000));
        assert_eq!(every.next(None, seen), Some(seen));
        assert_eq!(every.next(Some(last), seen), Some(Timestamp(360_000)));
        assert_eq!(Schedule::OnDemand.next(Some(last), seen), None);
    }
}
