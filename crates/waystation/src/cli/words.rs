//! What the API tells, as people read it.

use clap::builder::styling::Style;
use waystation::core::state::JobState;
use waystation::server::wire::{Failure, Pause, PauseMode};

use super::out;

/// A state in its colour.
pub fn state(name: &str) -> String {
    out::paint(&out::clean(name), style_of_state(name))
}

/// A state's colour. States of later versions have none.
pub fn style_of_state(name: &str) -> Style {
    JobState::parse(name).map_or_else(Style::new, out::style_of)
}

/// Whether nothing more happens to a job in this state by itself.
pub fn has_ended(state: &str) -> bool {
    JobState::parse(state).is_some_and(JobState::is_terminal)
}

/// A failure with its causes, on one line.
pub fn failure(failure: &Failure) -> String {
    let mut text = format!("{}: {}", failure.kind, failure.message);
    for cause in &failure.causes {
        text.push_str(": ");
        text.push_str(cause);
    }
    out::clean(&text)
}

/// What is paused or drained, as it is written after `pause`.
pub fn target(pause: &Pause) -> String {
    let target = pause.target.as_str();
    let short = target.strip_prefix("pipeline/").or_else(|| target.strip_prefix("stage/"));
    match (short, target.strip_prefix("queue/")) {
        (Some(short), _) => short.to_owned(),
        (None, Some(queue)) => format!("queue:{queue}"),
        (None, None) => target.to_owned(),
    }
}

/// `paused` or `drained`.
pub fn mode(pause: &Pause) -> &'static str {
    match pause.mode {
        PauseMode::Pause => "paused",
        PauseMode::Drain => "drained",
    }
}

/// What is paused or drained, in a cell of a table.
pub fn pauses(pauses: &[Pause]) -> String {
    let told = pauses.iter().map(|pause| format!("{} {}", target(pause), mode(pause)));
    told.collect::<Vec<_>>().join(", ")
}
