//! How a flat square looks from where the camera stood.

use super::geometry::{Point, Quad};

/// Maps between a flat plane and its perspective picture.
///
/// Only the four basic operations are used, so the same corners give the same pixels on
/// every platform.
#[derive(Debug, Clone, Copy)]
pub struct Projection {
    rows: [[f64; 3]; 3],
}

impl Projection {
    /// Maps the unit square, (0, 0) to (1, 1), onto the outline.
    pub fn from_unit_square(quad: &Quad) -> Self {
        let [a, b, c, d] = quad.corners().map(|p| (f64::from(p.x), f64::from(p.y)));
        // How far the outline is from a parallelogram; zero means no perspective at all.
        let (skew_x, skew_y) = (a.0 - b.0 + c.0 - d.0, a.1 - b.1 + c.1 - d.1);
        let (right_x, right_y) = (b.0 - c.0, b.1 - c.1);
        let (low_x, low_y) = (d.0 - c.0, d.1 - c.1);
        // The sine at the bottom-right corner times two sides: never zero for a `Quad`.
        let divisor = right_x * low_y - low_x * right_y;
        let lean_x = (skew_x * low_y - low_x * skew_y) / divisor;
        let lean_y = (right_x * skew_y - skew_x * right_y) / divisor;
        Self {
            rows: [
                [b.0 - a.0 + lean_x * b.0, d.0 - a.0 + lean_y * d.0, a.0],
                [b.1 - a.1 + lean_x * b.1, d.1 - a.1 + lean_y * d.1, a.1],
                [lean_x, lean_y, 1.0],
            ],
        }
    }

    /// Maps the other way round: from the outline back to the unit square.
    #[must_use]
    pub fn inverse(&self) -> Self {
        // The adjugate differs from the inverse by a factor only, and a projection does not
        // care about factors.
        let cofactor = |row: usize, column: usize| {
            let (r1, r2) = ((row + 1) % 3, (row + 2) % 3);
            let (c1, c2) = ((column + 1) % 3, (column + 2) % 3);
            self.rows[r1][c1] * self.rows[r2][c2] - self.rows[r1][c2] * self.rows[r2][c1]
        };
        Self {
            rows: std::array::from_fn(|row| std::array::from_fn(|column| cofactor(column, row))),
        }
    }

    /// Where the point comes to lie.
    pub fn map(&self, point: Point) -> Point {
        let (x, y) = (f64::from(point.x), f64::from(point.y));
        let [across, down, depth] = self.rows.map(|row| row[0] * x + row[1] * y + row[2]);
        Point::new((across / depth) as f32, (down / depth) as f32)
    }
}
