//! Points and four-sided outlines, in pixels: x to the right, y downwards.

use serde::{Deserialize, Serialize};

/// A place in an image. Pixel (0, 0) has its centre at (0.5, 0.5).
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(from = "[f32; 2]", into = "[f32; 2]")]
pub struct Point {
    /// Pixels from the left edge.
    pub x: f32,
    /// Pixels from the top edge.
    pub y: f32,
}

impl Point {
    /// A point from its two coordinates.
    pub const fn new(x: f32, y: f32) -> Self {
        Self { x, y }
    }

    /// How far it is to the other point.
    pub fn distance(self, other: Self) -> f32 {
        let (x, y) = (self.x - other.x, self.y - other.y);
        (x * x + y * y).sqrt()
    }

    /// The point at `share` of the way to the other point: 0 is here, 1 is there.
    #[must_use]
    pub fn towards(self, other: Self, share: f32) -> Self {
        Self::new(self.x + (other.x - self.x) * share, self.y + (other.y - self.y) * share)
    }

    /// The same place in an image that is `factor` times as large.
    #[must_use]
    pub fn scaled(self, factor: f32) -> Self {
        Self::new(self.x * factor, self.y * factor)
    }
}

impl From<[f32; 2]> for Point {
    fn from([x, y]: [f32; 2]) -> Self {
        Self { x, y }
    }
}

impl From<Point> for [f32; 2] {
    fn from(point: Point) -> Self {
        [point.x, point.y]
    }
}

/// A convex outline of four corners: top-left, top-right, bottom-right, bottom-left.
///
/// The corners are private because not every four points are legal: whoever holds a `Quad`
/// may divide by its side lengths and project through it without a further check.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "[Point; 4]", into = "[Point; 4]")]
pub struct Quad {
    corners: [Point; 4],
}

/// Why four points are not a usable outline.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum BadQuad {
    /// A coordinate is infinite or not a number.
    #[error("corner ({x}, {y}) is not a place in an image")]
    NotFinite {
        /// The corner's x.
        x: f32,
        /// The corner's y.
        y: f32,
    },
    /// Two corners are nearly in the same place.
    #[error("two corners are only {distance} pixels apart; they must be at least 2 apart")]
    CornersTogether {
        /// How far apart they are.
        distance: f32,
    },
    /// A corner points inwards, or three corners lie on one line.
    #[error("the corner at ({x}, {y}) does not point outwards")]
    NotConvex {
        /// The corner's x.
        x: f32,
        /// The corner's y.
        y: f32,
    },
}

/// Corners nearer than this, in pixels, are one corner.
const CORNER_DISTANCE_MIN: f32 = 2.0;
/// The sine of the flattest corner that still counts as a corner, about three degrees.
const CORNER_SINE_MIN: f32 = 0.05;

impl Quad {
    /// Orders four points into an outline, whatever order they come in.
    ///
    /// The corner nearest to the top-left of the image becomes the first, so a page that is
    /// turned by less than 45 degrees keeps its top at the top.
    ///
    /// # Errors
    /// When the points do not make a convex outline.
    pub fn from_unordered(points: [Point; 4]) -> Result<Self, BadQuad> {
        if let Some(point) = points.iter().find(|p| !(p.x.is_finite() && p.y.is_finite())) {
            return Err(BadQuad::NotFinite { x: point.x, y: point.y });
        }
        let quad = Self { corners: ordered(points) };
        for (from, to) in quad.sides() {
            let distance = from.distance(to);
            if distance < CORNER_DISTANCE_MIN {
                return Err(BadQuad::CornersTogether { distance });
            }
        }
        for (index, sine) in quad.corner_sines().into_iter().enumerate() {
            if sine < CORNER_SINE_MIN {
                let Point { x, y } = quad.corners[index];
                return Err(BadQuad::NotConvex { x, y });
            }
        }
        Ok(quad)
    }

    /// The corners: top-left, top-right, bottom-right, bottom-left.
    pub const fn corners(&self) -> &[Point; 4] {
        &self.corners
    }

    /// The sides: top, right, bottom, left, each from its first corner to its second.
    pub fn sides(&self) -> [(Point, Point); 4] {
        let [a, b, c, d] = self.corners;
        [(a, b), (b, c), (c, d), (d, a)]
    }

    /// The area in square pixels.
    pub fn area(&self) -> f32 {
        let twice: f32 = self.sides().iter().map(|(a, b)| a.x * b.y - b.x * a.y).sum();
        twice / 2.0
    }

    /// The mean distance of corresponding corners: how wrong an outline is, in one number.
    pub fn mean_distance(&self, other: &Self) -> f32 {
        let pairs = self.corners.iter().zip(&other.corners);
        pairs.map(|(mine, theirs)| mine.distance(*theirs)).sum::<f32>() / 4.0
    }

    /// The same outline in an image that is `factor` times as large.
    ///
    /// # Errors
    /// When it shrinks so far that its corners fall together.
    pub fn scaled(&self, factor: f32) -> Result<Self, BadQuad> {
        Self::from_unordered(self.corners.map(|corner| corner.scaled(factor)))
    }

    /// The sine of the angle at each corner; 1 is a right angle, negative is a dent.
    pub(super) fn corner_sines(&self) -> [f32; 4] {
        std::array::from_fn(|index| {
            let before = self.corners[(index + 3) % 4];
            let here = self.corners[index];
            let after = self.corners[(index + 1) % 4];
            turn(before, here, after) / (before.distance(here) * here.distance(after))
        })
    }
}

impl TryFrom<[Point; 4]> for Quad {
    type Error = BadQuad;

    fn try_from(points: [Point; 4]) -> Result<Self, BadQuad> {
        Self::from_unordered(points)
    }
}

impl From<Quad> for [Point; 4] {
    fn from(quad: Quad) -> Self {
        quad.corners
    }
}

/// Sorts the points clockwise (as seen on the screen) and begins at the top-left one.
fn ordered(mut points: [Point; 4]) -> [Point; 4] {
    let x = points.iter().map(|point| point.x).sum::<f32>() / 4.0;
    let y = points.iter().map(|point| point.y).sum::<f32>() / 4.0;
    let angle = |point: &Point| (point.y - y).atan2(point.x - x);
    points.sort_by(|a, b| angle(a).total_cmp(&angle(b)));
    let sum = |index: usize| points[index].x + points[index].y;
    let first = (1..4).fold(0, |best, index| if sum(index) < sum(best) { index } else { best });
    points.rotate_left(first);
    points
}

/// Positive when the way from `a` over `b` to `c` turns to the right on the screen.
fn turn(a: Point, b: Point, c: Point) -> f32 {
    (b.x - a.x) * (c.y - b.y) - (b.y - a.y) * (c.x - b.x)
}

#[cfg(test)]
mod tests;
