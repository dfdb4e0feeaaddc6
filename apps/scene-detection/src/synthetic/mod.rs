//! Scenes that never existed, with the truth about them.
//!
//! The same seed and index give the same scene on every run.

mod shapes;

use fastrand::Rng;
use serde::{Deserialize, Serialize};

use crate::classify::Class;
use crate::predict::{Grid, TILE};
use crate::raster::Raster;
use shapes::Canvas;

/// The noise of a good camera, in steps of brightness.
pub const NOISE: f64 = 4.0;
/// The side of every scene in pixels.
pub const SIDE: usize = 512;

/// A scene and the truth about it.
#[derive(Clone, Debug)]
pub struct Scene {
    /// Its name.
    pub image_id: String,
    /// What the camera saw.
    pub raster: Raster,
    /// What is there.
    pub truth: Truth,
}

/// What is truly there.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Truth {
    /// The objects.
    pub objects: Vec<TrueObject>,
    /// How many objects each tile has on average over all scenes with this density, row by row.
    pub expected: Vec<f64>,
}

/// An object that is truly there.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrueObject {
    /// What it is.
    pub class: Class,
    /// Its middle.
    pub x: f64,
    /// Its middle.
    pub y: f64,
}

/// No object is nearer to the border: it would be cut.
const MARGIN: f64 = 32.0;
/// What a round object, and half of a streak, may reach from its middle at most.
const REACH_MAX: f64 = 22.0;
/// Dark pixels between two objects at least.
const GAP: f64 = 5.0;
/// How often a place for one more object is looked for.
const TRIES: usize = 200;

/// Makes the scene number `index` of the series that `seed` names, seen by a camera whose noise has
/// this standard deviation. Objects are from 130 to 210 brighter than the sky.
pub fn scene(seed: u64, index: u32, noise: f64) -> Scene {
    let mut random = Rng::with_seed(mixed(seed, index));
    let density = Density::draw(&mut random);
    let mut canvas = Canvas::background(SIDE, &mut random);
    let mut objects = Vec::new();
    // The middle and the reach of each, to keep them apart.
    let mut taken: Vec<(f64, f64, f64)> = Vec::new();
    for _ in 0..random.usize(40..=70) {
        let class = draw_class(&mut random);
        let reach = draw_reach(class, &mut random);
        let Some((x, y)) = density.place(&taken, reach, &mut random) else { continue };
        taken.push((x, y, reach));
        canvas.draw(class, (x, y), reach, &mut random);
        objects.push(TrueObject { class, x, y });
    }
    let expected = density.expected(objects.len());
    Scene {
        image_id: format!("scene_{seed}_{index:03}"),
        raster: canvas.expose(noise, &mut random),
        truth: Truth { objects, expected },
    }
}

fn draw_class(random: &mut Rng) -> Class {
    match random.u32(0..10) {
        0..4 => Class::Point,
        4..7 => Class::Disc,
        7..9 => Class::Streak,
        _ => Class::Ring,
    }
}

fn draw_reach(class: Class, random: &mut Rng) -> f64 {
    let (least, most) = match class {
        Class::Disc => (5.0, 12.0),
        Class::Streak => (10.0, REACH_MAX),
        Class::Ring => (8.0, 14.0),
        Class::Point | Class::Other => (3.0, 3.0),
    };
    least + (most - least) * random.f64()
}

/// How dense the objects are: even, with one cluster, `1 + h·max(0, 1 - d²/r²)` at the distance
/// `d` from the cluster's middle.
struct Density {
    middle: (f64, f64),
    height: f64,
    radius: f64,
}

impl Density {
    fn draw(random: &mut Rng) -> Self {
        let mut coordinate = || SIDE as f64 * (0.25 + 0.5 * random.f64());
        let middle = (coordinate(), coordinate());
        Self { middle, height: 2.0 + 2.0 * random.f64(), radius: 120.0 + 80.0 * random.f64() }
    }

    fn at(&self, x: f64, y: f64) -> f64 {
        let squared = (x - self.middle.0).powi(2) + (y - self.middle.1).powi(2);
        let inside = (MARGIN..SIDE as f64 - MARGIN).contains(&x)
            && (MARGIN..SIDE as f64 - MARGIN).contains(&y);
        let cluster = self.height * (1.0 - squared / self.radius.powi(2)).max(0.0);
        if inside { 1.0 + cluster } else { 0.0 }
    }

    /// A place that nothing reaches, drawn by the density.
    fn place(&self, taken: &[(f64, f64, f64)], reach: f64, random: &mut Rng) -> Option<(f64, f64)> {
        for _ in 0..TRIES {
            let (x, y) = (random.f64() * SIDE as f64, random.f64() * SIDE as f64);
            let wanted = random.f64() * (1.0 + self.height) < self.at(x, y);
            let free = taken.iter().all(|(other_x, other_y, other_reach)| {
                (x - other_x).hypot(y - other_y) > reach + other_reach + GAP
            });
            if wanted && free {
                return Some((x, y));
            }
        }
        None
    }

    /// How many of so many objects fall into each tile on average. That they keep apart is left
    /// out: it makes clusters a little thinner.
    fn expected(&self, objects: usize) -> Vec<f64> {
        let grid = Grid::new(SIDE as u64, SIDE as u64);
        let mut weights = vec![0.0; grid.columns * grid.rows];
        for (x, y) in (0..SIDE).flat_map(|y| (0..SIDE).map(move |x| (x, y))) {
            let tile = y / TILE as usize * grid.columns + x / TILE as usize;
            weights[tile] += self.at(x as f64, y as f64);
        }
        let all: f64 = weights.iter().sum();
        weights.iter().map(|weight| objects as f64 * weight / all).collect()
    }
}

/// One number from two, such that neighbouring scenes have nothing in common.
fn mixed(seed: u64, index: u32) -> u64 {
    let mut spread = Rng::with_seed(seed);
    spread.u64(..) ^ Rng::with_seed(u64::from(index)).u64(..).rotate_left(32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seed_and_index_are_all_that_counts() {
        let (one, again, other) = (scene(7, 1, NOISE), scene(7, 1, NOISE), scene(7, 2, NOISE));
        assert_eq!((&one.raster, &one.truth), (&again.raster, &again.truth));
        assert_ne!(one.raster, other.raster);
        assert!(one.truth.objects.len() >= 30, "{}", one.truth.objects.len());
        let expected: f64 = one.truth.expected.iter().sum();
        assert!((expected - one.truth.objects.len() as f64).abs() < 1e-6);
    }
}
