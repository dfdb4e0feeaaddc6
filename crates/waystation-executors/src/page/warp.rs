//! Lays a photographed page flat.

use image::{Rgb, RgbImage};

use super::geometry::{Point, Quad};
use super::projection::Projection;
use super::sampling::colour_between;

/// No side of a straightened page is longer than this, however large the photo is.
pub const PAGE_SIDE_PIXELS_MAX: u32 = 2400;
/// Samples per output pixel along each axis; more only matters for very large photos.
const SAMPLES_MAX: u32 = 4;

/// Straightens the part of the photo inside the corners into an upright rectangle.
///
/// The page comes out as large as it was in the photo: as wide as its longer horizontal side
/// and as high as its longer vertical one, so that no detail of the nearer half is lost.
pub fn warp_page(photo: &RgbImage, corners: &Quad) -> RgbImage {
    let (width, height, shrink) = page_size(corners);
    let projection = Projection::from_unit_square(corners);
    let samples = (shrink.round() as u32).clamp(1, SAMPLES_MAX);
    RgbImage::from_fn(width, height, |x, y| {
        let mut sum = [0.0; 3];
        for sample in 0..samples * samples {
            let (column, row) = (sample % samples, sample / samples);
            let across = x as f32 + (column as f32 + 0.5) / samples as f32;
            let down = y as f32 + (row as f32 + 0.5) / samples as f32;
            let source = Point::new(across / width as f32, down / height as f32);
            let colour = colour_between(photo, projection.map(source));
            sum = std::array::from_fn(|channel| sum[channel] + colour[channel]);
        }
        let count = (samples * samples) as f32;
        Rgb(sum.map(|channel: f32| (channel / count + 0.5) as u8))
    })
}

/// Width and height of the straightened page, and how much smaller than the photo it is.
fn page_size(corners: &Quad) -> (u32, u32, f32) {
    let [top, right, bottom, left] = corners.sides().map(|(from, to)| from.distance(to));
    let (width, height) = (top.max(bottom), left.max(right));
    let shrink = (width.max(height) / PAGE_SIDE_PIXELS_MAX as f32).max(1.0);
    let pixels = |side: f32| ((side / shrink).round() as u32).max(1);
    (pixels(width), pixels(height), shrink)
}
