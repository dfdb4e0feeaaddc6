//! Straight lines without ends.

use super::geometry::Point;

/// A line through a point; the direction has length 1.
#[derive(Debug, Clone, Copy)]
pub(super) struct Line {
    pub(super) point: Point,
    pub(super) direction: (f32, f32),
}

impl Line {
    /// The line through both points, which must not coincide.
    pub(super) fn through(from: Point, to: Point) -> Self {
        let length = from.distance(to);
        Self { point: from, direction: ((to.x - from.x) / length, (to.y - from.y) / length) }
    }

    /// Where the lines cross; none when they are nearly parallel.
    pub(super) fn crossing(&self, other: &Self) -> Option<Point> {
        let (a, b) = (self.direction, other.direction);
        let sine = a.0 * b.1 - a.1 * b.0;
        if sine.abs() < 0.05 {
            return None;
        }
        let (x, y) = (other.point.x - self.point.x, other.point.y - self.point.y);
        let along = (x * b.1 - y * b.0) / sine;
        Some(Point::new(self.point.x + a.0 * along, self.point.y + a.1 * along))
    }
}
