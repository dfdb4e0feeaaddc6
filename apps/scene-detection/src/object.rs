//! Objects as sums over their pixels, and the shape that these tell.
//!
//! The sums are whole numbers, so that a program in any language that reads them comes to the
//! same shape.

use std::f64::consts::PI;

use serde::{Deserialize, Serialize};

/// The objects of a scene.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ObjectTable {
    /// The scene.
    pub image_id: String,
    /// Its width in pixels.
    pub width: u64,
    /// Its height in pixels.
    pub height: u64,
    /// Pixels brighter than this are of objects.
    pub threshold: u8,
    /// What was found.
    pub objects: Vec<Object>,
}

/// An object.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Object {
    /// Its number in the scene, from 1.
    pub id: u32,
    /// Its sums.
    #[serde(flatten)]
    pub moments: Moments,
}

/// Sums over the pixels of an object: how many, of their columns `x` and rows `y`, and of the
/// products of these.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moments {
    /// How many pixels.
    pub area: u64,
    /// The sum of `x`.
    pub sum_x: u64,
    /// The sum of `y`.
    pub sum_y: u64,
    /// The sum of `x²`.
    pub sum_xx: u64,
    /// The sum of `y²`.
    pub sum_yy: u64,
    /// The sum of `x·y`.
    pub sum_xy: u64,
}

/// What an object looks like, wherever it lies and however it is turned.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Shape {
    /// Its pixels.
    pub area: f64,
    /// The long axis over the short one.
    pub elongation: f64,
    /// Its area over that of the ellipse with the same second moments: 1 for a disc or an ellipse,
    /// less for what is hollow.
    pub fill: f64,
}

/// The variance of a coordinate within one pixel, a square of side 1.
const PIXEL_VARIANCE: f64 = 1.0 / 12.0;

impl Moments {
    /// Adds a pixel.
    pub fn add(&mut self, x: u64, y: u64) {
        self.area += 1;
        self.sum_x += x;
        self.sum_y += y;
        self.sum_xx += x * x;
        self.sum_yy += y * y;
        self.sum_xy += x * y;
    }

    /// The middle, in pixels from the upper left one's.
    pub fn centre(&self) -> (f64, f64) {
        let area = self.area as f64;
        (self.sum_x as f64 / area, self.sum_y as f64 / area)
    }

    /// The shape, by the central second moments `m` of the pixels, taken as squares:
    ///
    /// - `mxx = (n·Σx² - (Σx)²)/n² + 1/12`, `mxy = (n·Σxy - Σx·Σy)/n²`;
    /// - the variances along the axes, the eigenvalues of `m`:
    ///   `l = (mxx + myy)/2 ± √(((mxx - myy)/2)² + mxy²)`;
    /// - `elongation = √(l₁/l₂)`; the ellipse with these has the area `4π·√(l₁·l₂)`.
    ///
    /// M. Teague, "Image analysis via the general theory of moments", Journal of the Optical
    /// Society of America 70 (1980), section 2 (the image ellipse).
    pub fn shape(&self) -> Shape {
        let n = i128::from(self.area);
        let [x, y, xx, yy, xy] =
            [self.sum_x, self.sum_y, self.sum_xx, self.sum_yy, self.sum_xy].map(i128::from);
        // Differences of large numbers: exact as whole ones.
        let central = |product: i128, one: i128, other: i128| {
            (n * product - one * other) as f64 / (n * n) as f64
        };
        let mxx = central(xx, x, x) + PIXEL_VARIANCE;
        let myy = central(yy, y, y) + PIXEL_VARIANCE;
        let mxy = central(xy, x, y);
        let middle = f64::midpoint(mxx, myy);
        let spread = (((mxx - myy) / 2.0).powi(2) + mxy.powi(2)).sqrt();
        let (long, short) = (middle + spread, middle - spread);
        let area = self.area as f64;
        Shape {
            area,
            elongation: (long / short).sqrt(),
            fill: area / (4.0 * PI * (long * short).sqrt()),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(width: u64, height: u64, holds: impl Fn(f64, f64) -> bool) -> Moments {
        let mut moments = Moments::default();
        for (x, y) in (0..height).flat_map(|y| (0..width).map(move |x| (x, y))) {
            if holds(x as f64, y as f64) {
                moments.add(x, y);
            }
        }
        moments
    }

    fn near(found: f64, expected: f64, tolerance: f64) {
        assert!((found - expected).abs() <= tolerance, "{found} is not near {expected}");
    }

    #[test]
    fn rectangles_have_the_moments_of_rectangles() {
        let moments = of(12, 3, |_, _| true);
        assert_eq!(moments.centre(), (5.5, 1.0));
        let shape = moments.shape();
        near(shape.area, 36.0, 0.0);
        near(shape.elongation, 4.0, 1e-12);
        // 4π·√(w²/12 · h²/12) = wh·π/3.
        near(shape.fill, 3.0 / PI, 1e-12);
    }

    #[test]
    fn discs_fill_their_ellipse_and_rings_do_not() {
        let distance = |x: f64, y: f64| (x - 20.0).hypot(y - 20.0);
        let disc = of(41, 41, |x, y| distance(x, y) <= 15.0).shape();
        near(disc.elongation, 1.0, 1e-9);
        near(disc.fill, 1.0, 0.01);
        // A ring from r to R has variance (R² + r²)/4: fill (R² - r²)/(R² + r²).
        let ring = of(41, 41, |x, y| (12.0..=15.0).contains(&distance(x, y))).shape();
        near(ring.fill, (225.0 - 144.0) / (225.0 + 144.0), 0.03);
    }

    proptest! {
        #[test]
        fn shape_does_not_depend_on_where_the_object_lies(
            pixels in proptest::collection::hash_set((0_u64..30, 0_u64..30), 1..60),
            away in (0_u64..5_000, 0_u64..5_000),
        ) {
            let (mut here, mut there) = (Moments::default(), Moments::default());
            for (x, y) in &pixels {
                here.add(*x, *y);
                there.add(x + away.0, y + away.1);
            }
            prop_assert_eq!(here.shape(), there.shape());
        }

        #[test]
        fn shape_does_not_depend_on_how_the_object_is_turned(
            pixels in proptest::collection::hash_set((0_u64..30, 0_u64..30), 1..60),
        ) {
            let (mut upright, mut turned) = (Moments::default(), Moments::default());
            for (x, y) in &pixels {
                upright.add(*x, *y);
                turned.add(30 - y, *x);
            }
            let (upright, turned) = (upright.shape(), turned.shape());
            prop_assert!((upright.elongation - turned.elongation).abs() < 1e-9);
            prop_assert!((upright.fill - turned.fill).abs() < 1e-9);
            prop_assert!(upright.elongation >= 1.0);
        }
    }
}
