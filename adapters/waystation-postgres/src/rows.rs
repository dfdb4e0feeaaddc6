//! Numbers that the tables keep for names that are few.

use waystation_core::event::{EventKind, Level};
use waystation_core::failure::Failure;
use waystation_core::state::JobState;

/// `message.state`.
pub const READY: i16 = 0;
/// `message.state`.
pub const HELD: i16 = 2;
/// `message.state`.
pub const AWAY: i16 = 3;
/// `message.state`.
pub const AWAITING: i16 = 4;
/// `message.state`.
pub const BEHIND: i16 = 5;

/// The place of a value among all of its kind.
fn place<T: PartialEq>(known: &[T], value: &T) -> i16 {
    known.iter().position(|one| one == value).map_or(-1, |place| place as i16)
}

/// The number of a state.
pub fn state_number(state: JobState) -> i16 {
    place(&JobState::ALL, &state)
}

/// The number of a kind of event.
pub fn kind_number(kind: EventKind) -> i16 {
    place(&EventKind::ALL, &kind)
}

/// The number of a level.
pub fn level_number(level: Level) -> i16 {
    place(&Level::ALL, &level)
}

/// A failure as the tables keep it.
pub fn failure_text(failure: &Failure) -> String {
    // A failure is made of texts and numbers: it can always be written.
    serde_json::to_string(failure).unwrap_or_default()
}
