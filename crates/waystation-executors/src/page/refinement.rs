//! Moves an outline onto the true sides, to a fraction of a pixel.

use image::RgbImage;

use super::geometry::{Point, Quad};
use super::line::Line;
use super::sampling::colour_between;

/// Places along each side where the edge is looked for.
const PLACES: usize = 90;
/// The outermost part of each side is left out: corners are often bent or worn.
const END_SHARE: f32 = 0.03;
/// How far from the outline the edge is looked for, in each round, per pixel of the view.
const REACHES: [f32; 3] = [5.0, 2.6, 1.8];
/// Profiles are read at this distance, in pixels.
const STRIDE: f32 = 0.5;
/// An edge must be found at this share of the places, or the side is not refined.
const FOUND_SHARE_MIN: f32 = 0.35;

/// Fits a line to the edge along every side and returns where these lines cross.
///
/// `scale` is how many photo pixels one pixel of the view has. None means that some side has
/// no edge to speak of.
pub(super) fn refine(photo: &RgbImage, rough: &Quad, scale: f32) -> Option<Quad> {
    let mut quad = *rough;
    for reach in REACHES {
        let reach = (reach * scale).max(3.0);
        let [top, right, bottom, left] =
            quad.sides().map(|(from, to)| fitted_side(photo, from, to, reach));
        let (top, right, bottom, left) = (top?, right?, bottom?, left?);
        quad = Quad::from_unordered([
            left.crossing(&top)?,
            top.crossing(&right)?,
            right.crossing(&bottom)?,
            bottom.crossing(&left)?,
        ])
        .ok()?;
    }
    Some(quad)
}

/// The line along the steepest places near one side.
fn fitted_side(photo: &RgbImage, from: Point, to: Point, reach: f32) -> Option<Line> {
    let length = from.distance(to);
    let inward = (-(to.y - from.y) / length, (to.x - from.x) / length);
    let beside = |share: f32, by: f32| {
        let place = from.towards(to, share);
        Point::new(place.x + inward.0 * by, place.y + inward.1 * by)
    };
    let axis = colour_axis(photo, beside, reach)?;
    let mut edges = Vec::with_capacity(PLACES);
    for index in 0..PLACES {
        let share = (index as f32 + 0.5) / PLACES as f32;
        let share = END_SHARE + share * (1.0 - 2.0 * END_SHARE);
        if let Some(by) = steepest(photo, |by| beside(share, by), reach, &axis) {
            edges.push((share, by));
        }
    }
    if (edges.len() as f32) < PLACES as f32 * FOUND_SHARE_MIN {
        return None;
    }
    let (start, end) = robust_line(&edges);
    Some(Line::through(beside(0.0, start), beside(1.0, end)))
}

/// The colour difference between inside and outside, as a direction, and how large it is.
struct ColourAxis {
    direction: [f32; 3],
    size: f32,
}

/// Compares both sides of the whole side, so that the profiles are read in the very mixture of
/// colours in which page and desk differ most.
fn colour_axis(
    photo: &RgbImage,
    beside: impl Fn(f32, f32) -> Point,
    reach: f32,
) -> Option<ColourAxis> {
    let mut sum = [0.0; 3];
    let count = 24;
    for index in 0..count {
        let share = (index as f32 + 0.5) / count as f32;
        let inside = colour(photo, beside(share, reach))?;
        let Some(outside) = colour(photo, beside(share, -reach)) else { continue };
        sum = std::array::from_fn(|channel| sum[channel] + inside[channel] - outside[channel]);
    }
    let mean = sum.map(|channel: f32| channel / count as f32);
    let size = mean.iter().map(|channel| channel * channel).sum::<f32>().sqrt();
    (size > 4.0).then(|| ColourAxis { direction: mean.map(|channel| channel / size), size })
}

/// How far inwards the profile rises the fastest, to a fraction of a pixel.
fn steepest(
    photo: &RgbImage,
    place: impl Fn(f32) -> Point,
    reach: f32,
    axis: &ColourAxis,
) -> Option<f32> {
    let count = (2.0 * reach / STRIDE) as usize + 1;
    let mut profile = Vec::with_capacity(count);
    for index in 0..count {
        let colour = colour(photo, place(index as f32 * STRIDE - reach))?;
        profile.push((0..3).map(|i| colour[i] * axis.direction[i]).sum::<f32>());
    }
    // Rises over two pixels: less is grain.
    let half = (1.0 / STRIDE) as usize;
    let rises: Vec<f32> =
        (half..count - half).map(|index| profile[index + half] - profile[index - half]).collect();
    let best = (0..rises.len()).max_by(|&a, &b| rises[a].total_cmp(&rises[b]))?;
    if rises[best] < axis.size * 0.2 || best == 0 || best + 1 == rises.len() {
        return None;
    }
    let (before, here, after) = (rises[best - 1], rises[best], rises[best + 1]);
    let bend = before - 2.0 * here + after;
    let shift = if bend < 0.0 { 0.5 * (before - after) / bend } else { 0.0 };
    Some((best as f32 + half as f32 + shift) * STRIDE - reach)
}

/// Fits a line to (share of the side, offset) and returns its offsets at both ends.
///
/// Places where a pen or another sheet lies far off the line lose their weight in each round.
fn robust_line(edges: &[(f32, f32)]) -> (f32, f32) {
    let mut offsets: Vec<f32> = edges.iter().map(|edge| edge.1).collect();
    let middle = offsets.len() / 2;
    let median = *offsets.select_nth_unstable_by(middle, f32::total_cmp).1;
    let (mut start, mut slope) = (median, 0.0);
    for tolerance in [6.0, 3.0, 1.5, 0.8, 0.8] {
        let (mut weights, mut mean_share, mut mean_offset) = (0.0, 0.0, 0.0);
        let weight = |share: f32, offset: f32, start: f32, slope: f32| {
            let miss: f32 = (offset - start - slope * share) / tolerance;
            1.0 / (1.0 + miss * miss).powi(2)
        };
        for &(share, offset) in edges {
            let own = weight(share, offset, start, slope);
            weights += own;
            mean_share += own * share;
            mean_offset += own * offset;
        }
        mean_share /= weights;
        mean_offset /= weights;
        let (mut spread, mut joint) = (0.0, 0.0);
        for &(share, offset) in edges {
            let own = weight(share, offset, start, slope);
            spread += own * (share - mean_share) * (share - mean_share);
            joint += own * (share - mean_share) * (offset - mean_offset);
        }
        slope = if spread > 1e-6 { joint / spread } else { 0.0 };
        start = mean_offset - slope * mean_share;
    }
    (start, start + slope)
}

/// The colour at a place between pixels; none outside the photo, where there is no evidence.
fn colour(photo: &RgbImage, place: Point) -> Option<[f32; 3]> {
    let (right, bottom) = (photo.width() as f32 - 0.5, photo.height() as f32 - 0.5);
    let inside = place.x >= 0.5 && place.y >= 0.5 && place.x < right && place.y < bottom;
    inside.then(|| colour_between(photo, place))
}
