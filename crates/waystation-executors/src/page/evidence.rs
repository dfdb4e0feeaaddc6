//! How much of an outline is really to be seen in the photo.

use super::geometry::{Point, Quad};
use super::view::View;

/// Samples per side when it is looked at closely.
const CLOSE: usize = 72;
/// Samples per side when thousands of candidates must be compared.
const COARSE: usize = 20;

/// Inside and outside must differ by this many levels: a line drawn on the page has the same
/// paper on both of its sides, and is no side of the page.
const STEP_MIN: f32 = 9.0;
/// The step is measured this many view pixels inside and outside the side.
const STEP_DISTANCE: f32 = 3.5;
/// The share of a side, at each end, that vouches for the corner.
const CORNER_SHARE: f32 = 0.1;

/// A side is followed this far beyond its corner, as a share of its length.
const BEYOND_SHARE: f32 = 0.12;
/// The first few pixels beyond a corner are passed over, since blur rounds corners.
const BEYOND_SKIPPED: f32 = 5.0;
/// Samples beyond each end of a side.
const BEYOND_SAMPLES: usize = 16;

/// What speaks for an outline.
#[derive(Debug, Clone, Copy)]
pub(super) struct Evidence {
    /// The share of each side that shows a step from desk to page.
    pub(super) sides: [f32; 4],
    /// The share of the ends next to each corner that do.
    pub(super) corners: [f32; 4],
    /// The share of the places just beyond each corner where a side goes on as if there were
    /// no corner: then the page does not end there.
    pub(super) beyond: [f32; 4],
    /// One number for comparing outlines.
    pub(super) score: f32,
}

impl Evidence {
    /// Looks closely at an outline, which is given in the view's pixels.
    pub(super) fn of(view: &View, quad: &Quad) -> Self {
        let (steps, brighter) = steps_around(view, quad, CLOSE);
        let seen = steps.each_ref().map(|side| agreeing(side, brighter));
        let sides = seen.each_ref().map(|side| share(side));
        let end = ((CLOSE as f32 * CORNER_SHARE) as usize).max(1);
        let corners = [0, 1, 2, 3].map(|index: usize| {
            let before = &seen[(index + 3) % 4];
            let after = &seen[index];
            f32::midpoint(share(&before[CLOSE - end..]), share(&after[..end]))
        });
        let usual = steps.each_ref().map(|side| usual_step(side, brighter));
        let beyond = beyond(view, quad, &usual);
        let going_on = highest(&beyond).1;
        let score = score(view, quad, &sides) * (1.0 - 0.5 * going_on);
        Self { sides, corners, beyond, score }
    }

    /// The side that is seen worst, and its share.
    pub(super) fn faintest_side(&self) -> (usize, f32) {
        lowest(&self.sides)
    }

    /// The corner that is seen worst, and its share.
    pub(super) fn faintest_corner(&self) -> (usize, f32) {
        lowest(&self.corners)
    }

    /// The corner beyond which a side goes on the most, and the share to which it does.
    pub(super) fn overrun_corner(&self) -> (usize, f32) {
        highest(&self.beyond)
    }
}

/// A quick judgement by a few samples and by the sides alone, to thin out the candidates.
pub(super) fn coarse_score(view: &View, quad: &Quad) -> f32 {
    let (steps, brighter) = steps_around(view, quad, COARSE);
    score(view, quad, &steps.map(|side| share(&agreeing(&side, brighter))))
}

/// The steps along all sides, and whether the page is brighter than the desk on the whole: a
/// page is brighter all around, or darker all around.
fn steps_around(view: &View, quad: &Quad, samples: usize) -> ([Vec<f32>; 4], bool) {
    let steps = quad.sides().map(|(from, to)| steps_along(view, from, to, samples));
    let brighter = steps.iter().flatten().sum::<f32>() >= 0.0;
    (steps, brighter)
}

/// For each sample along a side: by how much the inside is brighter, or 0 when there is no edge.
fn steps_along(view: &View, from: Point, to: Point, samples: usize) -> Vec<f32> {
    let length = from.distance(to);
    // The corners run clockwise on the screen, so the inside is to the right of each side.
    let inward = (-(to.y - from.y) / length, (to.x - from.x) / length);
    (0..samples)
        .map(|index| {
            let place = from.towards(to, (index as f32 + 0.5) / samples as f32);
            step_at(view, place, inward)
        })
        .collect()
}

fn step_at(view: &View, place: Point, inward: (f32, f32)) -> f32 {
    let moved = |by: f32| Point::new(place.x + inward.0 * by, place.y + inward.1 * by);
    let edge = [-2.0, -1.0, 0.0, 1.0, 2.0].into_iter().any(|by| {
        let near = moved(by);
        let slope = view.slope_at(near.x.floor() as i32, near.y.floor() as i32);
        let across = (slope.x * inward.0 + slope.y * inward.1).abs();
        // The slope must also point across the side, within about 30 degrees.
        across > view.slope_min && across > 0.86 * slope.strength()
    });
    if !edge {
        return 0.0;
    }
    let inside = view.colour_at(moved(STEP_DISTANCE));
    let outside = view.colour_at(moved(-STEP_DISTANCE));
    let (Some(inside), Some(outside)) = (inside, outside) else { return 0.0 };
    let differences: [f32; 3] = std::array::from_fn(|index| inside[index] - outside[index]);
    let largest = differences.into_iter().max_by(|a, b| a.abs().total_cmp(&b.abs()));
    largest.filter(|step| step.abs() >= STEP_MIN).unwrap_or(0.0)
}

/// Well-seen sides count most, then a large area, then corners near to right angles.
fn score(view: &View, quad: &Quad, sides: &[f32; 4]) -> f32 {
    let mean = sides.iter().sum::<f32>() / 4.0;
    let (_, faintest) = lowest(sides);
    let frame = (view.colour.width() * view.colour.height()) as f32;
    let area = (quad.area() / frame).clamp(0.0, 1.0);
    let sharpest = lowest(&quad.corner_sines()).1.clamp(0.0, 1.0);
    mean * (0.4 + 0.6 * faintest) * (0.6 + 0.4 * area) * (0.7 + 0.3 * sharpest)
}

/// Follows both sides of each corner beyond it; `usual` is the signed step along each side.
fn beyond(view: &View, quad: &Quad, usual: &[f32; 4]) -> [f32; 4] {
    let sides = quad.sides();
    let followed = |from: Point, to: Point, usual: f32| {
        let skipped = 1.0 + BEYOND_SKIPPED / from.distance(to);
        let (start, end) = (from.towards(to, skipped), from.towards(to, skipped + BEYOND_SHARE));
        let steps = steps_along(view, start, end, BEYOND_SAMPLES);
        let framed = framed_share(view, start, end);
        if usual == 0.0 || framed * BEYOND_SAMPLES as f32 <= 2.0 {
            return 0.0;
        }
        // Half the usual step with the usual sign: the grain of a desk has smaller ones.
        let alike = steps.iter().filter(|step| **step / usual >= 0.5).count();
        (alike as f32 / (framed * BEYOND_SAMPLES as f32)).min(1.0)
    };
    [0, 1, 2, 3].map(|index: usize| {
        let earlier = (index + 3) % 4;
        let (before, after) = (sides[earlier], sides[index]);
        let onwards = followed(before.0, before.1, usual[earlier]);
        // Walking a side backwards swaps inside and outside, so the step has the other sign.
        onwards.max(followed(after.1, after.0, -usual[index]))
    })
}

/// How much of the way from a place in the frame to another one is in the frame.
fn framed_share(view: &View, from: Point, to: Point) -> f32 {
    let framed = (0..BEYOND_SAMPLES).filter(|&index| {
        let place = from.towards(to, (index as f32 + 0.5) / BEYOND_SAMPLES as f32);
        view.colour_at(place).is_some()
    });
    framed.count() as f32 / BEYOND_SAMPLES as f32
}

/// The mean of the steps that lead from desk to page.
fn usual_step(steps: &[f32], brighter: bool) -> f32 {
    let agreeing: Vec<f32> =
        steps.iter().copied().filter(|&step| step != 0.0 && (step > 0.0) == brighter).collect();
    agreeing.iter().sum::<f32>() / agreeing.len().max(1) as f32
}

/// Which of the steps lead from desk to page, if the page is the brighter, or darker, one.
fn agreeing(steps: &[f32], brighter: bool) -> Vec<bool> {
    steps.iter().map(|&step| if brighter { step > 0.0 } else { step < 0.0 }).collect()
}

fn share(seen: &[bool]) -> f32 {
    seen.iter().filter(|&&seen| seen).count() as f32 / seen.len() as f32
}

fn highest(shares: &[f32; 4]) -> (usize, f32) {
    let (index, negative) = lowest(&shares.map(|share| -share));
    (index, -negative)
}

fn lowest(shares: &[f32; 4]) -> (usize, f32) {
    let start = (0, shares[0]);
    shares.iter().copied().enumerate().fold(
        start,
        |low, next| {
            if next.1 < low.1 { next } else { low }
        },
    )
}
