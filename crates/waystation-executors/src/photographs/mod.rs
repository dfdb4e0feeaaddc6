//! Photographs of pages that never existed: typeset, laid on a desk, lit and photographed.
//!
//! Each photo comes with the true corners of its page, so that whoever looks for the page can
//! be measured. The same seed and index give the same photo on every run; the scene is
//! computed with basic arithmetic only, so that platforms agree as well.

mod camera;
mod clutter;
mod desk;
mod exposure;
mod hazard;
mod light;
mod page;
mod scene;
mod text;
mod typesetting;

use fastrand::Rng;
use image::codecs::jpeg::JpegEncoder;
use image::{ImageResult, RgbImage};

use crate::page::Quad;

use camera::Camera;
use hazard::Hazard;
use scene::Scene;

/// The width of every photo in pixels.
pub const PHOTO_WIDTH: u32 = 1200;
/// The height of every photo in pixels.
pub const PHOTO_HEIGHT: u32 = 1600;

/// Good enough to read, small enough for a demo.
const JPEG_QUALITY: u8 = 88;

/// A photographed page and the truth about it.
#[derive(Debug, Clone)]
pub struct Photo {
    /// What the camera saw.
    pub image: RgbImage,
    /// Where the page's corners truly are, in pixels; some may lie outside the frame.
    pub corners: Quad,
    /// False when a finder had better say that it cannot find this page.
    pub solvable: bool,
}

impl Photo {
    /// The photo as a camera would have saved it.
    pub fn jpeg(&self) -> ImageResult<Vec<u8>> {
        let mut bytes = Vec::new();
        let encoder = JpegEncoder::new_with_quality(&mut bytes, JPEG_QUALITY);
        self.image.write_with_encoder(encoder)?;
        Ok(bytes)
    }
}

/// Takes the photo number `index` of the roll that `seed` names; about one in six is hopeless.
pub fn photograph(seed: u64, index: u32) -> Photo {
    let hazard = Hazard::of_photo(seed, index);
    let mut random = Rng::with_seed(mixed(seed, index));
    let sheet = page::typeset(&mut random);
    let camera = Camera::place(&mut random, hazard);
    let scene = Scene::compose(&mut random, hazard, sheet);
    let mut image = scene.seen_through(&camera);
    exposure::expose(&mut image, &mut random, hazard);
    Photo { image, corners: camera.page, solvable: hazard == Hazard::None }
}

/// One number from two, such that neighbouring photos have nothing in common.
fn mixed(seed: u64, index: u32) -> u64 {
    let spread = u64::from(index).wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (seed ^ spread).wrapping_mul(0xd134_2543_de82_ef95).rotate_left(29) ^ spread
}

/// A number from the range, evenly spread.
fn between(random: &mut Rng, low: f32, high: f32) -> f32 {
    low + random.f32() * (high - low)
}

/// One of the given things.
fn pick<T: Copy>(random: &mut Rng, things: &[T]) -> T {
    things[random.usize(..things.len())]
}

/// Rises softly from 0 at `low` to 1 at `high`.
fn smooth_step(low: f32, high: f32, value: f32) -> f32 {
    let share = ((value - low) / (high - low)).clamp(0.0, 1.0);
    share * share * (3.0 - 2.0 * share)
}

#[cfg(test)]
mod finder_tests;
#[cfg(test)]
mod tests;
