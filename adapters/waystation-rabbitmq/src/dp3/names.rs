//! The names of everything that a DP3 application has on the broker.

use std::fmt;
use std::num::NonZeroU32;

use lapin::types::{AMQPValue, FieldTable, ShortString};

use super::message::Feed;

/// The longest name of an application, in bytes: names on the broker have 255 at most.
const APP_BYTES_MAX: usize = 200;
/// The most dead letters that are kept. More are refused: they stay where they came from.
const DEAD_LETTERS_MAX: u32 = 1_000_000;

/// The name of a DP3 application.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct App(String);

/// Why a text is no name of an application.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("app `{0}`: a name has 1 to {APP_BYTES_MAX} bytes, none of them blank or a control letter")]
pub struct BadName(String);

/// A half of a worker's queue of tasks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Lane {
    /// For everybody; it takes so many at most.
    #[default]
    Normal,
    /// For what workers tell each other: it takes any number, so that none waits for itself.
    Priority,
}

/// One of a worker's queues.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Role {
    Tasks(Lane),
    Snapshots,
    Control,
}

impl App {
    /// The application of this name, as DP3's configuration has it.
    pub fn new(name: &str) -> Result<Self, BadName> {
        let is_bad = |letter: char| letter.is_whitespace() || letter.is_control();
        if name.is_empty() || name.len() > APP_BYTES_MAX || name.contains(is_bad) {
            return Err(BadName(name.to_owned()));
        }
        Ok(Self(name.to_owned()))
    }

    /// Its name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The exchange that deals out what is for queues of this role.
    pub(super) fn exchange(&self, role: Role) -> ShortString {
        let ending = match role {
            Role::Tasks(Lane::Normal) => "main-task-exchange",
            Role::Tasks(Lane::Priority) => "priority-task-exchange",
            Role::Snapshots => "main-snapshot-exchange",
            Role::Control => "control-exchange",
        };
        format!("{self}-{ending}").into()
    }

    /// A worker's queue of this role.
    pub(super) fn queue(&self, worker: u16, role: Role) -> ShortString {
        let ending = match role {
            Role::Tasks(Lane::Normal) => "",
            Role::Tasks(Lane::Priority) => "-pri",
            Role::Snapshots => "-snapshots",
            Role::Control => "-control",
        };
        format!("{self}-worker-{worker}{ending}").into()
    }

    /// Where messages go that nobody can read. DP3 has no such queue: it drops them.
    pub(super) fn dead_letters(&self) -> ShortString {
        format!("{self}-dead-letters").into()
    }
}

impl fmt::Display for App {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl Role {
    /// All of them, each with an exchange and a queue for each worker.
    pub const ALL: [Self; 4] =
        [Self::Tasks(Lane::Normal), Self::Tasks(Lane::Priority), Self::Snapshots, Self::Control];

    /// The arguments that its queues are declared with. DP3's script gives these and no others: a
    /// broker refuses whoever declares a queue otherwise than it is.
    pub fn arguments(self, lane_limit: NonZeroU32) -> FieldTable {
        match self {
            Self::Tasks(Lane::Normal) => refusing_more_than(lane_limit.get()),
            Self::Tasks(Lane::Priority) | Self::Snapshots | Self::Control => FieldTable::default(),
        }
    }
}

/// The arguments of the queue of dead letters.
pub(super) fn dead_letter_arguments() -> FieldTable {
    refusing_more_than(DEAD_LETTERS_MAX)
}

fn refusing_more_than(messages_max: u32) -> FieldTable {
    let mut table = FieldTable::default();
    table.insert("x-max-length".into(), AMQPValue::LongLongInt(i64::from(messages_max)));
    table.insert("x-overflow".into(), AMQPValue::LongString("reject-publish".into()));
    table
}

impl Feed {
    /// The queues of a feed: those of tasks may be two.
    pub(super) fn role(self, lane: Lane) -> Role {
        match self {
            Self::Tasks => Role::Tasks(lane),
            Self::Snapshots => Role::Snapshots,
            Self::Control => Role::Control,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_dp3() {
        let app = App::new("net").expect("a name");
        let exchanges = Role::ALL.map(|role| app.exchange(role).to_string());
        assert_eq!(
            exchanges,
            [
                "net-main-task-exchange",
                "net-priority-task-exchange",
                "net-main-snapshot-exchange",
                "net-control-exchange"
            ]
        );
        let queues = Role::ALL.map(|role| app.queue(7, role).to_string());
        let expected = ["net-worker-7", "net-worker-7-pri", "net-worker-7-snapshots"];
        assert_eq!(queues[..3], expected);
        assert_eq!(queues[3], "net-worker-7-control");
        for name in ["", "a b", "a\n", &"a".repeat(201)] {
            assert!(App::new(name).is_err(), "{name}");
        }
    }
}
