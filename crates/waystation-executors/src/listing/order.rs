//! In what order things are taken.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Facts, Thing};

/// By what things are put in order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SortBy {
    /// By path.
    #[default]
    Name,
    /// By the moment of the last change.
    Modified,
    /// By size.
    Size,
}

/// In what order.
#[derive(Clone, Copy, Debug)]
pub struct Order {
    /// By what.
    pub by: SortBy,
    /// The least first.
    pub ascending: bool,
}

impl Order {
    /// Whether it is the one in which most stores list what they have.
    #[cfg(feature = "objects")]
    pub fn is_natural(self) -> bool {
        self.by == SortBy::Name && self.ascending
    }

    /// The place of a thing, as a text that is in order as the things are.
    pub fn place(self, facts: &Facts<'_>) -> String {
        let path = facts.path;
        match self.by {
            SortBy::Name => path.to_owned(),
            // Nanoseconds since 1677, the earliest moment that 64 bits can count from 1970.
            SortBy::Modified => {
                let since = facts.modified_at.as_nanosecond() - i128::from(i64::MIN);
                format!("{since:020} {path}")
            }
            SortBy::Size => format!("{:020} {path}", facts.bytes),
        }
    }

    /// Puts things in order, and leaves away those up to a place.
    pub fn arrange<T>(self, mut things: Vec<Thing<T>>, after: Option<&str>) -> Vec<Thing<T>> {
        things.sort_by(|left, right| left.place.cmp(&right.place));
        if !self.ascending {
            things.reverse();
        }
        if let Some(after) = after {
            let is_behind =
                |place: &str| if self.ascending { place > after } else { place < after };
            things.retain(|thing| is_behind(&thing.place));
        }
        things
    }
}
