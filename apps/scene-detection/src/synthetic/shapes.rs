//! Light on a canvas: the shapes of objects, the background and the camera's noise.

use fastrand::Rng;

use crate::classify::Class;
use crate::raster::Raster;

/// A point as the optics spread it: the standard deviation in pixels.
const POINT_SIGMA: f64 = 1.1;
/// Half the width of a streak, and of a ring's line.
const HALF_WIDTH: f64 = 1.6;

/// Light, not yet rounded.
pub struct Canvas {
    side: usize,
    light: Vec<f64>,
}

impl Canvas {
    /// A dark sky that is a little brighter towards one corner.
    pub fn background(side: usize, random: &mut Rng) -> Self {
        let base = 18.0 + 12.0 * random.f64();
        let (right, down) = (10.0 * random.f64(), 10.0 * random.f64());
        let share = |at: usize| at as f64 / side as f64;
        let pixels = (0..side).flat_map(|y| (0..side).map(move |x| (x, y)));
        let light = pixels.map(|(x, y)| base + right * share(x) + down * share(y)).collect();
        Self { side, light }
    }

    /// Adds an object that reaches so far from its middle.
    pub fn draw(&mut self, class: Class, middle: (f64, f64), reach: f64, random: &mut Rng) {
        let peak = 130.0 + 80.0 * random.f64();
        let angle = std::f64::consts::PI * random.f64();
        let (cos, sin) = (angle.cos(), angle.sin());
        // Half a pixel beyond it nothing is left of the light.
        let end = reach.ceil() + 2.0;
        for (x, y) in self.around(middle, end) {
            let (dx, dy) = (x as f64 - middle.0, y as f64 - middle.1);
            let distance = dx.hypot(dy);
            let light = match class {
                Class::Point => (-distance.powi(2) / (2.0 * POINT_SIGMA.powi(2))).exp(),
                Class::Ring => covered(HALF_WIDTH - (distance - (reach - HALF_WIDTH)).abs()),
                Class::Streak => {
                    let along = (dx * cos + dy * sin).abs();
                    let across = (dy * cos - dx * sin).abs();
                    covered(reach - along) * covered(HALF_WIDTH - across)
                }
                Class::Disc | Class::Other => covered(reach - distance),
            };
            self.light[y * self.side + x] += peak * light;
        }
    }

    /// What a camera with noise of this standard deviation makes of it.
    pub fn expose(self, noise: f64, random: &mut Rng) -> Raster {
        let noisy = self.light.into_iter().map(|light| light + noise * normal(random));
        let values = noisy.map(|light| light.round().clamp(0.0, 255.0) as u8).collect();
        Raster::new(self.side, self.side, values)
    }

    fn around(&self, middle: (f64, f64), end: f64) -> impl Iterator<Item = (usize, usize)> + use<> {
        let side = self.side;
        let range = move |at: f64| {
            let first = (at - end).max(0.0) as usize;
            first..((at + end) as usize + 1).min(side)
        };
        range(middle.1).flat_map(move |y| range(middle.0).map(move |x| (x, y)))
    }
}

/// How much of a pixel a shape covers whose border is this far outwards from the pixel's middle.
fn covered(inwards: f64) -> f64 {
    (inwards + 0.5).clamp(0.0, 1.0)
}

/// Nearly normal, by basic arithmetic: the sum of twelve even numbers, less their mean.
fn normal(random: &mut Rng) -> f64 {
    (0..12).map(|_| random.f64()).sum::<f64>() - 6.0
}
