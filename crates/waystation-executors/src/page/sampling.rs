//! Colours between pixels.

use image::RgbImage;

use super::geometry::Point;

/// The colour at a place between pixels, from the four around it, in 0 to 255.
///
/// Beyond the edges of the image, its outermost pixels go on; the image must not be empty.
pub fn colour_between(image: &RgbImage, place: Point) -> [f32; 3] {
    let (right_most, low_most) = (image.width() - 1, image.height() - 1);
    let across = (place.x - 0.5).clamp(0.0, right_most as f32);
    let down = (place.y - 0.5).clamp(0.0, low_most as f32);
    let (left, top) = (across as u32, down as u32);
    let (right, bottom) = ((left + 1).min(right_most), (top + 1).min(low_most));
    let (share_x, share_y) = (across - left as f32, down - top as f32);
    let corners = [(left, top), (right, top), (left, bottom), (right, bottom)];
    let pixels = corners.map(|(column, row)| image.get_pixel(column, row).0);
    std::array::from_fn(|channel| {
        let [a, b, c, d] = pixels.map(|pixel| f32::from(pixel[channel]));
        let (upper, lower) = (a + (b - a) * share_x, c + (d - c) * share_x);
        upper + (lower - upper) * share_y
    })
}
