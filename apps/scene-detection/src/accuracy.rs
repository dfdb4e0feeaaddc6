//! What the chain found, held against the truth.

use std::collections::BTreeMap;

use crate::classify::{Class, ClassTable};
use crate::object::ObjectTable;
use crate::predict::Prediction;
use crate::synthetic::{TrueObject, Truth};

/// A found object is a true one when their middles are no further apart, in pixels.
pub const DISTANCE_MAX: f64 = 3.0;

/// How good the chain was, over any number of scenes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Accuracy {
    /// Objects that are truly there.
    pub true_objects: u64,
    /// Objects that were found.
    pub found: u64,
    /// Found objects that are truly there, by their true and their found class.
    pub matched: BTreeMap<(Class, Class), u64>,
    tiles: u64,
    /// Squared differences to what is to be expected: of the prediction, and of the bare counts.
    squares: (f64, f64),
}

impl Accuracy {
    /// Adds a scene.
    pub fn add(
        &mut self,
        truth: &Truth,
        table: &ObjectTable,
        classes: &ClassTable,
        prediction: &Prediction,
    ) {
        self.true_objects += truth.objects.len() as u64;
        self.found += table.objects.len() as u64;
        let mut free: Vec<&TrueObject> = truth.objects.iter().collect();
        for (object, classified) in table.objects.iter().zip(&classes.classes) {
            let (x, y) = object.moments.centre();
            let distance = |other: &TrueObject| (other.x - x).hypot(other.y - y);
            let nearest = (0..free.len())
                .min_by(|one, other| distance(free[*one]).total_cmp(&distance(free[*other])));
            let Some(nearest) = nearest.filter(|one| distance(free[*one]) <= DISTANCE_MAX) else {
                continue;
            };
            let truly = free.swap_remove(nearest).class;
            *self.matched.entry((truly, classified.class)).or_insert(0) += 1;
        }
        let predicted = prediction.expected.iter().zip(&prediction.counted);
        for ((smooth, counted), expected) in predicted.zip(&truth.expected) {
            self.tiles += 1;
            self.squares.0 += (smooth - expected).powi(2);
            self.squares.1 += (*counted as f64 - expected).powi(2);
        }
    }

    /// The share of the true objects that were found.
    pub fn recall(&self) -> f64 {
        share(self.matched.values().sum(), self.true_objects)
    }

    /// The share of the found objects that are true.
    pub fn precision(&self) -> f64 {
        share(self.matched.values().sum(), self.found)
    }

    /// The share of the objects found that have their true class.
    pub fn well_classified(&self) -> f64 {
        let right = self.matched.iter().filter(|((truly, found), _)| truly == found);
        share(right.map(|(_, count)| count).sum(), self.matched.values().sum())
    }

    /// The root of the mean squared error a tile: of the prediction, and of the bare counts.
    pub fn errors(&self) -> (f64, f64) {
        let root = |squares: f64| (squares / self.tiles.max(1) as f64).sqrt();
        (root(self.squares.0), root(self.squares.1))
    }
}

/// A part of a whole; all of nothing.
fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 1.0 } else { part as f64 / whole as f64 }
}
