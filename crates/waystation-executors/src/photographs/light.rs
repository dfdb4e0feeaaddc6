//! How the scene is lit.

use fastrand::Rng;

use crate::page::Point;

use super::desk::Colour;
use super::hazard::Hazard;
use super::{PHOTO_HEIGHT, PHOTO_WIDTH, between, pick, smooth_step};

/// A lamp or a window somewhere, and perhaps the soft shadow of whoever holds the camera.
pub(super) struct Light {
    tint: Colour,
    slope: (f32, f32),
    shadow: Option<Shadow>,
}

/// A shadow that covers one side of a line.
struct Shadow {
    normal: (f32, f32),
    offset: f32,
    softness: f32,
    depth: f32,
}

/// Daylight, a warm bulb, a cool tube, all within what a camera's white balance leaves.
const TINTS: [Colour; 4] =
    [[1.0, 1.0, 1.0], [1.03, 0.99, 0.91], [0.95, 0.99, 1.03], [1.0, 0.97, 0.93]];

impl Light {
    /// Switches on some light; the hazard `SameColour` wants it even.
    pub(super) fn switch_on(random: &mut Rng, hazard: Hazard) -> Self {
        let steep = if hazard == Hazard::SameColour { 0.04 } else { 0.2 };
        let slope = (between(random, -steep, steep), between(random, -steep, steep));
        let shadowed = hazard != Hazard::SameColour && random.u32(..5) < 2;
        let shadow = shadowed.then(|| {
            let lean = between(random, -0.6, 0.6);
            let length = (1.0 + lean * lean).sqrt();
            let sign = pick(random, &[-1.0, 1.0]);
            let normal = (sign * lean / length, sign / length);
            let normal = if random.bool() { normal } else { (normal.1, normal.0) };
            Shadow {
                normal,
                offset: between(random, -0.1, 0.3),
                softness: between(random, 0.06, 0.3),
                depth: between(random, 0.18, 0.42),
            }
        });
        Self { tint: pick(random, &TINTS), slope, shadow }
    }

    /// The share of each colour that a pixel receives.
    pub(super) fn at(&self, pixel: Point) -> Colour {
        let (width, height) = (PHOTO_WIDTH as f32, PHOTO_HEIGHT as f32);
        let (x, y) = ((pixel.x - width / 2.0) / height, (pixel.y - height / 2.0) / height);
        let vignette = 1.0 - 0.22 * (x * x + y * y);
        let slope = 0.93 + x * self.slope.0 * 2.0 + y * self.slope.1 * 1.5;
        let shade = self.shadow.as_ref().map_or(1.0, |shadow| shadow.at(x, y));
        self.tint.map(|channel| channel * vignette * slope * shade)
    }
}

impl Shadow {
    fn at(&self, x: f32, y: f32) -> f32 {
        let depth = x * self.normal.0 + y * self.normal.1 - self.offset;
        1.0 - self.depth * smooth_step(-self.softness, self.softness, depth)
    }
}
