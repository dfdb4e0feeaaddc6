//! States and counts of states.

use maud::{Markup, html};
use waystation_core::event::EventKind;
use waystation_core::state::JobState;

/// A job's state.
pub fn state(state: JobState) -> Markup {
    html! { span.badge.(class(state)) { (state) } }
}

/// A state as the head of a column.
pub fn title(state: JobState) -> String {
    let (first, rest) = state.as_str().split_at(1);
    format!("{}{rest}", first.to_ascii_uppercase())
}

/// The class by which a style sheet colours a state.
pub fn class(state: JobState) -> &'static str {
    state.as_str()
}

/// What happened, in the colour of the state that it leads to.
pub fn event(kind: EventKind) -> Markup {
    let class = match kind {
        EventKind::Created | EventKind::Requeued => "queued",
        EventKind::Started => "running",
        EventKind::Completed => "completed",
        EventKind::Skipped | EventKind::Dropped => "skipped",
        EventKind::Retried | EventKind::Abandoned | EventKind::HandedBack => "retrying",
        EventKind::Failed => "failed",
        EventKind::Aborted => "aborted",
        EventKind::Waiting => "waiting",
    };
    let words = kind.as_str().replace('_', " ");
    html! { span.badge.(class) { (words) } }
}

/// How many jobs stand in each state, as one bar; states without jobs are left out.
pub fn bar(counts: &[(JobState, u64)]) -> Markup {
    let total = counts.iter().map(|(_, jobs)| jobs).sum();
    let label: Vec<_> = counts.iter().map(|(state, jobs)| format!("{jobs} {state}")).collect();
    let parts: Vec<_> = counts.iter().map(|(state, jobs)| (class(*state), *jobs)).collect();
    parts_of(total, &parts, &label.join(", "))
}

/// Parts of a whole, side by side, each in its colour.
pub fn parts_of(total: u64, parts: &[(&str, u64)], label: &str) -> Markup {
    let share = |count: u64| count as f64 * 100.0 / total.max(1) as f64;
    let before = parts.iter().scan(0, |sum, (_, count)| {
        let before = *sum;
        *sum += count;
        Some(before)
    });
    html! {
        svg.bar viewBox="0 0 100 6" preserveAspectRatio="none" role="img" aria-label=(label) {
            rect.rest x="0" y="0" width="100" height="6" {}
            @for ((class, count), before) in parts.iter().zip(before) {
                rect class={ "fill-" (class) } x=(two(share(before))) y="0"
                    width=(two(share(*count))) height="6" { title { (count) " " (class) } }
            }
        }
    }
}

/// A number with two places behind the point.
pub fn two(number: f64) -> String {
    format!("{number:.2}")
}

/// A number with a thin space between thousands.
pub fn number(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3 * 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push('\u{202f}');
        }
        grouped.push(digit);
    }
    grouped
}

/// A number in a table, where zeros stand back.
pub fn count(count: u64) -> Markup {
    html! { @if count == 0 { span.faint { "0" } } @else { (number(count)) } }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_stand_apart() {
        for (value, text) in [
            (0, "0"),
            (999, "999"),
            (1_000, "1\u{202f}000"),
            (1_234_567, "1\u{202f}234\u{202f}567"),
        ] {
            assert_eq!(number(value), text);
        }
    }

    #[test]
    fn bars_are_as_wide_as_their_counts() {
        let bar = bar(&[(JobState::Running, 1), (JobState::Failed, 3)]).into_string();
        assert!(bar.contains(r#"class="fill-running" x="0.00" y="0" width="25.00""#), "{bar}");
        assert!(bar.contains(r#"class="fill-failed" x="25.00" y="0" width="75.00""#), "{bar}");
        assert!(bar.contains("aria-label=\"1 running, 3 failed\""), "{bar}");
    }
}
