//! The things that lie about on a desk.

use fastrand::Rng;

use crate::page::Point;

use super::camera::PAGE_HEIGHT;
use super::desk::Colour;
use super::{between, pick, smooth_step};

/// One thing, somewhere on the desk, in page widths.
pub(super) struct Thing {
    kind: Kind,
    centre: Point,
    turn: (f32, f32),
    half: (f32, f32),
    colour: Colour,
    reach: f32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Pen,
    Card,
    Sheet,
    Note,
    Mug,
    Ruler,
}

const BRIGHTS: [Colour; 6] = [
    [186.0, 52.0, 48.0],
    [44.0, 88.0, 160.0],
    [46.0, 122.0, 84.0],
    [40.0, 40.0, 46.0],
    [214.0, 150.0, 52.0],
    [120.0, 72.0, 132.0],
];
const NOTES: [Colour; 3] = [[240.0, 216.0, 106.0], [238.0, 158.0, 170.0], [160.0, 214.0, 160.0]];

/// Things around the page; none of them on it.
pub(super) fn around_page(random: &mut Rng) -> Vec<Thing> {
    let kinds = [Kind::Pen, Kind::Pen, Kind::Card, Kind::Sheet, Kind::Note, Kind::Mug, Kind::Ruler];
    let count = random.usize(1..=5);
    (0..count)
        .map(|_| {
            let kind = pick(random, &kinds);
            let mut thing = Thing::make(random, kind);
            thing.centre = beside_page(random, thing.clearance());
            thing
        })
        .collect()
}

/// A pen that was laid across a side of the page, well away from the corners.
pub(super) fn pen_across_side(random: &mut Rng) -> Thing {
    let mut pen = Thing::make(random, Kind::Pen);
    let across = if random.bool() { 0.0 } else { 1.0 };
    pen.centre = Point::new(across, PAGE_HEIGHT * between(random, 0.3, 0.7));
    pen.turn = turned(between(random, -0.2, 0.2));
    pen
}

/// A thing that hides one of the corners.
pub(super) fn corner_cover(random: &mut Rng) -> Thing {
    let kind = pick(random, &[Kind::Mug, Kind::Card, Kind::Note]);
    let mut cover = Thing::make(random, kind);
    let corner = random.u32(..4);
    let jitter = (between(random, -0.02, 0.02), between(random, -0.02, 0.02));
    cover.centre = Point::new(
        f32::from(u8::from(corner % 2 == 1)) + jitter.0,
        PAGE_HEIGHT * f32::from(u8::from(corner / 2 == 1)) + jitter.1,
    );
    cover
}

impl Thing {
    fn make(random: &mut Rng, kind: Kind) -> Self {
        let half = match kind {
            Kind::Pen => (between(random, 0.24, 0.33), between(random, 0.011, 0.017)),
            Kind::Card => (0.2, 0.126),
            Kind::Sheet => (0.5, PAGE_HEIGHT / 2.0),
            Kind::Note => (0.18, 0.18),
            Kind::Mug => (0.2, 0.2),
            Kind::Ruler => (between(random, 0.6, 0.8), 0.075),
        };
        let colour = match kind {
            Kind::Pen | Kind::Card | Kind::Mug => pick(random, &BRIGHTS),
            Kind::Note => pick(random, &NOTES),
            Kind::Sheet => pick(random, &[[226.0, 224.0, 216.0], [206.0, 214.0, 222.0]]),
            Kind::Ruler => pick(random, &[[206.0, 178.0, 120.0], [170.0, 176.0, 182.0]]),
        };
        let turn = turned(between(random, -1.0, 1.0));
        let reach = (half.0 * half.0 + half.1 * half.1).sqrt() + SHADOW_REACH;
        Self { kind, centre: Point::default(), turn, half, colour, reach }
    }

    /// How far from the page the centre must be so that the thing rarely goes under it; a sheet
    /// may go under it a little, as sheets do.
    fn clearance(&self) -> f32 {
        match self.kind {
            Kind::Sheet => 0.62,
            Kind::Pen | Kind::Ruler => self.half.0 * 0.6 + 0.05,
            Kind::Card | Kind::Note | Kind::Mug => self.half.0 + 0.06,
        }
    }

    /// Lays the thing and its shadow over what was at the place.
    pub(super) fn lay_over(&self, under: Colour, place: Point, pixels_per_unit: f32) -> Colour {
        let (x, y) = (place.x - self.centre.x, place.y - self.centre.y);
        if x * x + y * y > self.reach * self.reach {
            return under;
        }
        let along = x * self.turn.0 + y * self.turn.1;
        let across = y * self.turn.0 - x * self.turn.1;
        let distance = self.distance(along, across);
        let shade = 1.0 - self.shadow() * (1.0 - smooth_step(-0.01, SHADOW_REACH, distance));
        let coverage = (0.5 - distance * pixels_per_unit).clamp(0.0, 1.0);
        let colour = self.colour_at(along, across, distance);
        std::array::from_fn(|channel| {
            let shaded = under[channel] * shade;
            shaded + (colour[channel] - shaded) * coverage
        })
    }

    /// How far outside the thing's outline a place is; negative inside.
    fn distance(&self, along: f32, across: f32) -> f32 {
        let rounding = match self.kind {
            Kind::Pen => self.half.1,
            Kind::Card => 0.02,
            Kind::Mug => self.half.0,
            Kind::Sheet | Kind::Note | Kind::Ruler => 0.0,
        };
        let x = along.abs() - self.half.0 + rounding;
        let y = across.abs() - self.half.1 + rounding;
        let outside = (x.max(0.0), y.max(0.0));
        let corner = (outside.0 * outside.0 + outside.1 * outside.1).sqrt();
        corner + x.max(y).min(0.0) - rounding
    }

    fn shadow(&self) -> f32 {
        match self.kind {
            Kind::Mug => 0.5,
            Kind::Pen | Kind::Ruler => 0.4,
            Kind::Card | Kind::Sheet | Kind::Note => 0.25,
        }
    }

    fn colour_at(&self, along: f32, across: f32, distance: f32) -> Colour {
        let tint = |factor: f32| self.colour.map(|channel| channel * factor);
        match self.kind {
            Kind::Pen => {
                let gloss = (1.0 - (across / self.half.1 + 0.35).abs() * 1.6).max(0.0);
                let tip = if along > self.half.0 * 0.82 { 0.45 } else { 1.0 };
                tint((0.8 + 0.2 * gloss) * tip).map(|channel| channel + 70.0 * gloss)
            }
            Kind::Mug => mug(self.colour, distance),
            Kind::Card if across < -0.03 && across > -0.07 => tint(0.35),
            Kind::Card if lines(across, 0.04) && along.abs() < 0.14 && across > 0.0 => {
                self.colour.map(|channel| channel * 0.5 + 120.0)
            }
            Kind::Sheet if along.abs() < 0.4 && lines(across, 0.046) => tint(0.72),
            Kind::Note if along.abs() < 0.13 && lines(across, 0.05) => tint(0.6),
            Kind::Ruler if across > 0.03 && lines(along, 0.0476) => tint(0.3),
            Kind::Card | Kind::Sheet | Kind::Note | Kind::Ruler => tint(1.0),
        }
    }
}

/// How far a shadow reaches, in page widths.
const SHADOW_REACH: f32 = 0.05;

/// A mug from above: a bright rim, a wall, and what is left of the coffee.
fn mug(colour: Colour, distance: f32) -> Colour {
    if distance > -0.016 {
        colour.map(|channel| channel * 0.7 + 60.0)
    } else if distance > -0.045 {
        let depth = smooth_step(-0.045, -0.016, distance);
        colour.map(|channel| channel * (0.4 + 0.3 * depth))
    } else {
        [46.0, 28.0, 18.0]
    }
}

/// True on thin lines at regular distances.
fn lines(place: f32, distance: f32) -> bool {
    let share = place / distance;
    share - share.floor() < 0.12
}

/// Cosine and sine of a turn, from the tangent of half its angle.
fn turned(half_tangent: f32) -> (f32, f32) {
    let square = half_tangent * half_tangent;
    ((1.0 - square) / (1.0 + square), 2.0 * half_tangent / (1.0 + square))
}

/// A place outside the page, at least `clearance` from its nearest side.
fn beside_page(random: &mut Rng, clearance: f32) -> Point {
    let out = clearance + between(random, 0.0, 0.22);
    let along = between(random, -0.1, 1.1);
    match random.u32(..4) {
        0 => Point::new(along, -out),
        1 => Point::new(along, PAGE_HEIGHT + out),
        2 => Point::new(-out, along * PAGE_HEIGHT),
        _ => Point::new(1.0 + out, along * PAGE_HEIGHT),
    }
}
