//! Times and durations as people read them.

use std::time::Duration;

use waystation::core::clock::{Clock, SystemClock, Timestamp};

/// The present moment, as this machine has it.
pub fn now() -> Timestamp {
    SystemClock.now()
}

/// `340 ms`, `1.2 s`, `3m 20s`, `5h 10m`, `2d 4h`.
pub fn lasted(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0 => format!("{} ms", duration.as_millis()),
        1..60 => format!("{}.{} s", seconds, duration.subsec_millis() / 100),
        60..3600 => format!("{}m {}s", seconds / 60, seconds % 60),
        3600..86_400 => format!("{}h {}m", seconds / 3600, seconds / 60 % 60),
        _ => format!("{}d {}h", seconds / 86_400, seconds / 3600 % 24),
    }
}

/// `now`, `12s`, `3m`, `5h`, `2d`: for columns.
pub fn age(now: Timestamp, then: Timestamp) -> String {
    let seconds = now.since(then).as_secs();
    match seconds {
        0 => "now".to_owned(),
        1..60 => format!("{seconds}s"),
        60..3600 => format!("{}m", seconds / 60),
        3600..86_400 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / 86_400),
    }
}

/// Milliseconds for columns, `-` where there are none: `0.4ms`, `75ms`, `1.2s`, `3m`.
pub fn short(milliseconds: Option<f64>) -> String {
    match milliseconds {
        None => "-".to_owned(),
        Some(ms) if ms < 9.95 => format!("{ms:.1}ms"),
        Some(ms) if ms < 999.5 => format!("{ms:.0}ms"),
        Some(ms) if ms < 59_950.0 => format!("{:.1}s", ms / 1_000.0),
        Some(ms) if ms < 3_600_000.0 => format!("{:.0}m", ms / 60_000.0),
        Some(ms) => format!("{:.0}h", ms / 3_600_000.0),
    }
}

/// `2026-03-01 12:00:00.123`, in UTC.
pub fn moment(at: Timestamp) -> String {
    at.to_string().replacen('T', " ", 1).trim_end_matches('Z').to_owned()
}

/// Reads a moment of the command line.
pub fn parse(text: &str) -> Result<Timestamp, String> {
    let no_moment = || format!("`{text}` is no moment (hint: 2026-01-31T12:00:00Z, or +01:00)");
    Timestamp::parse(text).ok_or_else(no_moment)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_short_and_exact_enough() {
        let cases = [
            (0, "0 ms"),
            (999, "999 ms"),
            (1_250, "1.2 s"),
            (200_000, "3m 20s"),
            (18_600_000, "5h 10m"),
            (187_200_000, "2d 4h"),
        ];
        for (milliseconds, expected) in cases {
            assert_eq!(lasted(Duration::from_millis(milliseconds)), expected);
        }
    }

    #[test]
    fn moments_read_like_log_lines() {
        assert_eq!(moment(Timestamp(1_500)), "1970-01-01 00:00:01.500");
    }
}
