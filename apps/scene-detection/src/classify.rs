//! *Classify*: from shapes to classes.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::object::{ObjectTable, Shape};

/// What an object is, by its shape.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// As small as the optics make a point.
    Point,
    /// Round and full.
    Disc,
    /// Much longer than wide.
    Streak,
    /// Round and hollow.
    Ring,
    /// None of these, such as two objects that touch.
    Other,
}

/// A point has at most this many pixels.
pub const POINT_AREA_MAX: f64 = 25.0;
/// A point is at most so much longer than wide.
pub const POINT_ELONGATION_MAX: f64 = 2.0;
/// A streak is at least so much longer than wide.
pub const STREAK_ELONGATION_MIN: f64 = 3.0;
/// A disc is at most so much longer than wide; so is a ring.
pub const ROUND_ELONGATION_MAX: f64 = 1.5;
/// A disc fills at least this share of its ellipse.
pub const DISC_FILL_MIN: f64 = 0.85;
/// A ring fills at most this share.
pub const RING_FILL_MAX: f64 = 0.6;

/// The classes of a scene's objects.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClassTable {
    /// The scene.
    pub image_id: String,
    /// The class of each object, by its number, in the objects' order.
    pub classes: Vec<Classified>,
}

/// An object's class.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Classified {
    /// The object's number.
    pub id: u32,
    /// What it is.
    pub class: Class,
}

impl Class {
    /// Every class.
    pub const ALL: [Self; 5] = [Self::Point, Self::Disc, Self::Streak, Self::Ring, Self::Other];

    /// The class of a shape: the first rule that holds.
    pub fn of(shape: &Shape) -> Self {
        let round = shape.elongation <= ROUND_ELONGATION_MAX;
        if shape.area <= POINT_AREA_MAX && shape.elongation <= POINT_ELONGATION_MAX {
            Self::Point
        } else if shape.elongation >= STREAK_ELONGATION_MIN {
            Self::Streak
        } else if round && shape.fill >= DISC_FILL_MIN {
            Self::Disc
        } else if round && shape.fill <= RING_FILL_MAX {
            Self::Ring
        } else {
            Self::Other
        }
    }

    /// The name in JSON and on the screen.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Point => "point",
            Self::Disc => "disc",
            Self::Streak => "streak",
            Self::Ring => "ring",
            Self::Other => "other",
        }
    }
}

/// Classifies every object of a scene.
pub fn classify(table: &ObjectTable) -> ClassTable {
    let classes = table
        .objects
        .iter()
        .map(|object| Classified { id: object.id, class: Class::of(&object.moments.shape()) });
    ClassTable { image_id: table.image_id.clone(), classes: classes.collect() }
}

impl ClassTable {
    /// How many there are of each class that there is.
    pub fn counts(&self) -> BTreeMap<Class, u64> {
        let mut counts = BTreeMap::new();
        for one in &self.classes {
            *counts.entry(one.class).or_insert(0) += 1;
        }
        counts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_rule_that_holds_decides() {
        for (area, elongation, fill, expected) in [
            (25.0, 2.0, 0.9, Class::Point),
            (26.0, 1.2, 0.9, Class::Disc),
            (20.0, 3.0, 0.9, Class::Streak),
            (20.0, 2.5, 0.9, Class::Other),
            (90.0, 8.0, 0.9, Class::Streak),
            (90.0, 1.4, 0.85, Class::Disc),
            (90.0, 1.6, 0.95, Class::Other),
            (90.0, 1.4, 0.6, Class::Ring),
            (90.0, 1.4, 0.7, Class::Other),
        ] {
            let shape = Shape { area, elongation, fill };
            assert_eq!(Class::of(&shape), expected, "{shape:?}");
        }
    }
}
