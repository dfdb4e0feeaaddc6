//! The surface that the page lies on.

use fastrand::Rng;

use crate::page::Point;

use super::hazard::Hazard;
use super::{between, pick, smooth_step};

/// Colours are in 0 to 255, and may leave that range until the photo is exposed.
pub(super) type Colour = [f32; 3];

/// The desk's own coordinates begin this far from the page, so that they are never negative:
/// then cutting off the fraction rounds down, and `floor`, a slow call on some machines, is
/// not needed for every pixel.
const FAR_CORNER: f32 = 40.0;

/// A desk: its look, and the irregularities that make it look real.
pub(super) struct Desk {
    surface: Surface,
    base: Colour,
    lattice: Lattice,
    turn: (f32, f32),
}

#[derive(Clone, Copy)]
enum Surface {
    Wood { plank_width: f32 },
    Cloth { check: f32 },
    Painted,
}

const WOODS: [Colour; 5] = [
    [142.0, 98.0, 62.0],
    [104.0, 68.0, 44.0],
    [168.0, 128.0, 86.0],
    [78.0, 54.0, 42.0],
    [150.0, 116.0, 88.0],
];
const CLOTHS: [Colour; 5] = [
    [58.0, 76.0, 112.0],
    [74.0, 96.0, 82.0],
    [120.0, 58.0, 56.0],
    [98.0, 98.0, 104.0],
    [132.0, 118.0, 92.0],
];
const PAINTS: [Colour; 4] =
    [[52.0, 56.0, 60.0], [112.0, 116.0, 116.0], [62.0, 84.0, 92.0], [140.0, 132.0, 122.0]];

impl Desk {
    /// A desk of some kind; with the hazard `SameColour` it has the colour of the paper.
    pub(super) fn furnish(random: &mut Rng, hazard: Hazard, paper: Colour) -> Self {
        let lattice = Lattice::scatter(random);
        let turn = if random.bool() { (1.0, 0.0) } else { (0.0, 1.0) };
        let (surface, base) = match (hazard, random.u32(..5)) {
            (Hazard::SameColour, _) => (Surface::Painted, paper),
            (_, 0..=2) => {
                let plank_width = between(random, 0.32, 0.75);
                (Surface::Wood { plank_width }, pick(random, &WOODS))
            }
            (_, 3) => {
                let check = if random.bool() { between(random, 0.12, 0.3) } else { 0.0 };
                (Surface::Cloth { check }, pick(random, &CLOTHS))
            }
            _ => (Surface::Painted, pick(random, &PAINTS)),
        };
        Self { surface, base, lattice, turn }
    }

    /// The colour of the bare desk at a place.
    pub(super) fn colour_at(&self, place: Point) -> Colour {
        let (cosine, sine) = self.turn;
        let along = place.x * cosine - place.y * sine + FAR_CORNER;
        let across = place.x * sine + place.y * cosine + FAR_CORNER;
        let tone = match self.surface {
            Surface::Wood { plank_width } => self.wood(along, across, plank_width),
            Surface::Cloth { check } => self.cloth(along, across, check),
            Surface::Painted => self.painted(along, across),
        };
        self.base.map(|channel| channel * tone)
    }

    /// Planks with grain: long streaks, fine fibres and a dark joint between two planks.
    fn wood(&self, along: f32, across: f32, plank_width: f32) -> f32 {
        let plank = whole(across / plank_width);
        let shift = plank * 7.31;
        let bend = self.lattice.at(along * 1.1 + shift, across * 2.3);
        let rings = triangle(across * 9.0 + shift + bend * 2.2);
        let streaks = self.lattice.at(along * 2.6 + shift, across * 58.0);
        let fibres = self.lattice.at(along * 17.0 + shift, across * 240.0);
        let board = self.lattice.at(plank * 3.7, 0.5);
        let from_joint = (across / plank_width - plank).min(plank + 1.0 - across / plank_width);
        let joint = 1.0 - 0.5 * (1.0 - smooth_step(0.002, 0.009, from_joint * plank_width));
        (0.76 + 0.14 * rings + 0.17 * streaks + 0.13 * fibres + 0.16 * board) * joint
    }

    /// A weave, with woven checks when `check` is their size.
    fn cloth(&self, along: f32, across: f32, check: f32) -> f32 {
        let weave = triangle(along * 95.0) * triangle(across * 95.0 + 0.25);
        let folds = self.lattice.at(along * 1.7, across * 1.3);
        let lint = self.lattice.at(along * 130.0, across * 130.0);
        let checks = if check > 0.0 {
            let stripe = |place: f32| smooth_step(0.46, 0.54, triangle(place / check));
            0.17 * (stripe(along) + stripe(across))
        } else {
            0.12
        };
        0.62 + 0.16 * weave + 0.18 * folds + 0.14 * lint + checks
    }

    /// Paint: nearly even, a little speckled, a little stained.
    fn painted(&self, along: f32, across: f32) -> f32 {
        let speckle = self.lattice.at(along * 150.0, across * 150.0);
        let stains = self.lattice.at(along * 2.1, across * 2.1);
        0.965 + 0.03 * speckle + 0.04 * stains
    }
}

/// Smooth random values: one per lattice point, blended in between.
struct Lattice {
    values: Vec<u8>,
}

/// The lattice repeats after this many points, which nobody sees at the scales used here.
const LATTICE_SIDE: usize = 256;

impl Lattice {
    fn scatter(random: &mut Rng) -> Self {
        let mut values = vec![0; LATTICE_SIDE * LATTICE_SIDE];
        random.fill(&mut values);
        Self { values }
    }

    /// A value in 0 to 1, for coordinates that are not negative.
    fn at(&self, x: f32, y: f32) -> f32 {
        let (left, top) = (whole(x), whole(y));
        let (share_x, share_y) = (x - left, y - top);
        let (column, row) = (left as i32, top as i32);
        let value = |column: i32, row: i32| {
            let side = LATTICE_SIDE as i32;
            let index = row.rem_euclid(side) * side + column.rem_euclid(side);
            f32::from(self.values[index as usize]) / 255.0
        };
        let share_x = share_x * share_x * (3.0 - 2.0 * share_x);
        let blended = |row: i32| {
            let (before, after) = (value(column, row), value(column + 1, row));
            before + (after - before) * share_x
        };
        let (upper, lower) = (blended(row), blended(row + 1));
        upper + (lower - upper) * share_y
    }
}

/// Cuts off the fraction.
fn whole(value: f32) -> f32 {
    value as i32 as f32
}

/// A wave between 0 and 1 with a period of 1.
fn triangle(value: f32) -> f32 {
    let share = value - whole(value);
    1.0 - (2.0 * share - 1.0).abs()
}
