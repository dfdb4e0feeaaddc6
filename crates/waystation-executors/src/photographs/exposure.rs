//! What the lens and the sensor do to a picture.

use fastrand::Rng;
use image::RgbImage;
use image::imageops::{FilterType, fast_blur, resize, thumbnail};

use super::between;
use super::hazard::Hazard;

/// Blurs, darkens and grains the picture as the hazard wants it, and slightly in any case.
pub(super) fn expose(image: &mut RgbImage, random: &mut Rng, hazard: Hazard) {
    let brightness = if hazard == Hazard::Dark { between(random, 0.05, 0.09) } else { 1.0 };
    let grain = between(random, 1.5, 5.0);
    if hazard == Hazard::Blurred {
        let radius = between(random, 14.0, 20.0);
        blur_strongly(image, radius);
    } else {
        let neighbour_weight = between(random, 0.1, 0.27);
        soften(image, neighbour_weight);
    }
    add_grain(image, random, brightness, grain);
}

/// Mixes each pixel with its neighbours: a lens is never quite sharp.
///
/// The general blur of the image crate takes ten times as long for such a small radius.
fn soften(image: &mut RgbImage, neighbour_weight: f32) {
    let row = image.width() as usize * 3;
    let side = (neighbour_weight * 256.0) as u32;
    for stride in [3, row] {
        let source = image.as_raw().clone();
        let bytes: &mut [u8] = image;
        let inner = &mut bytes[stride..source.len() - stride];
        let neighbours = source.iter().zip(&source[2 * stride..]);
        for ((byte, middle), (before, after)) in
            inner.iter_mut().zip(&source[stride..]).zip(neighbours)
        {
            let sides = u32::from(*before) + u32::from(*after);
            let mixed = u32::from(*middle) * (256 - 2 * side) + sides * side;
            *byte = (mixed / 256) as u8;
        }
    }
}

/// Blurs far out of focus, on a small copy, since no detail survives anyway.
fn blur_strongly(image: &mut RgbImage, radius: f32) {
    let shrink = 8;
    let (width, height) = image.dimensions();
    let small = thumbnail(image, width / shrink, height / shrink);
    let blurred = fast_blur(&small, radius / shrink as f32);
    *image = resize(&blurred, width, height, FilterType::CatmullRom);
}

/// Scales the brightness and adds noise that is nearly bell-shaped.
fn add_grain(image: &mut RgbImage, random: &mut Rng, brightness: f32, grain: f32) {
    for pixel in image.pixels_mut() {
        let bytes = random.u64(..).to_le_bytes().map(f32::from);
        // The sum of four even numbers from 0 to 255 has this standard deviation.
        let spread = 147.8;
        let common = (bytes[0] + bytes[1] + bytes[2] + bytes[3] - 510.0) / spread;
        for (channel, byte) in pixel.0.iter_mut().zip(&bytes[4..]) {
            let own = (byte - 127.5) / 73.9;
            let value = f32::from(*channel) * brightness + grain * (0.8 * common + 0.5 * own);
            *channel = (value + 0.5).clamp(0.0, 255.0) as u8;
        }
    }
}
