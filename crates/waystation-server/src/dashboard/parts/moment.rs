//! Moments and durations, as people read them.

use std::time::Duration;

use maud::{Markup, html};
use waystation_core::clock::Timestamp;

/// How long something lasts: `350 ms`, `4.2 s`, `3 min 5 s`, `2 h 10 min`, `3 d 4 h`.
pub fn lasted(duration: Duration) -> String {
    let ms = duration.as_millis();
    let seconds = duration.as_secs();
    let (minutes, hours, days) = (seconds / 60, seconds / 3_600, seconds / 86_400);
    match (days, hours, minutes) {
        (0, 0, 0) if ms == 0 && !duration.is_zero() => "< 1 ms".to_owned(),
        (0, 0, 0) if ms < 1_000 => format!("{ms} ms"),
        (0, 0, 0) if ms < 10_000 => format!("{:.1} s", duration.as_secs_f64()),
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => with_rest(minutes, "min", seconds % 60, "s"),
        (0, _, _) => with_rest(hours, "h", minutes % 60, "min"),
        _ => with_rest(days, "d", hours % 24, "h"),
    }
}

fn with_rest(whole: u64, unit: &str, rest: u64, rest_unit: &str) -> String {
    match rest {
        0 => format!("{whole} {unit}"),
        rest => format!("{whole} {unit} {rest} {rest_unit}"),
    }
}

/// A length of time in its largest unit alone: `4 s`, `3 min`, `2 h`, `3 d`.
fn about(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3_600 => format!("{} min", seconds / 60),
        3_600..86_400 => format!("{} h", seconds / 3_600),
        _ => format!("{} d", seconds / 86_400),
    }
}

/// How long ago or ahead a moment is, with the moment itself on hovering.
pub fn ago(at: Timestamp, now: Timestamp) -> Markup {
    let words = match (now.since(at), at.since(now)) {
        (past, ahead) if past < Duration::from_secs(1) && ahead < Duration::from_secs(1) => {
            "now".to_owned()
        }
        (past, Duration::ZERO) => format!("{} ago", about(past)),
        (_, ahead) => format!("in {}", about(ahead)),
    };
    html! { time datetime=(at) title=(at) { (words) } }
}

/// How old something is: `3 min`.
pub fn age(at: Timestamp, now: Timestamp) -> Markup {
    html! { time datetime=(at) title=(at) { (about(now.since(at))) } }
}

/// A moment of a day, to the millisecond, with its date on hovering.
pub fn clock(at: Timestamp) -> Markup {
    let text = at.to_string();
    let time = text.split_once('T').map_or(&*text, |(_, time)| time.trim_end_matches('Z'));
    html! { time.clock datetime=(at) title=(at) { (time) } }
}

/// A moment with its date, to the second.
pub fn full(at: Timestamp) -> Markup {
    let text = at.to_string();
    let shown = text.split('.').next().unwrap_or(&text).replace('T', " ");
    html! { time datetime=(at) title={ (at) } { (shown) } }
}

/// The hour and minute of a moment.
pub fn hour(at: Timestamp) -> String {
    at.to_string().get(11..16).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_well() {
        for (ms, words) in [
            (0, "0 ms"),
            (350, "350 ms"),
            (4_230, "4.2 s"),
            (42_300, "42 s"),
            (60_000, "1 min"),
            (185_000, "3 min 5 s"),
            (7_800_000, "2 h 10 min"),
            (273_600_000, "3 d 4 h"),
        ] {
            assert_eq!(lasted(Duration::from_millis(ms)), words);
        }
        assert_eq!(lasted(Duration::from_micros(3)), "< 1 ms");
    }

    #[test]
    fn moments_are_told_from_now() {
        let now = Timestamp(1_700_000_000_000);
        let words = |at: i64| ago(Timestamp(now.0 + at), now).into_string();
        assert!(words(-200).contains(">now<"), "{}", words(-200));
        assert!(words(-185_000).contains(">3 min ago<"));
        assert!(words(12_000).contains(">in 12 s<"));
        assert_eq!(hour(now), "22:13");
    }
}
