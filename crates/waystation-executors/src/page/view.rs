//! A small, calm copy of the photo, in which the page is looked for.

use image::imageops::{fast_blur, thumbnail};
use image::{GrayImage, Luma, RgbImage};

use super::geometry::Point;

/// The longer side of the copy; letters blur away at this size, and page sides stay.
const LONG_SIDE: u32 = 700;
/// Blur that removes grain but moves no side, in pixels of the copy.
const BLUR: f32 = 1.0;

/// The copy and what is computed from it once for all candidates.
pub(super) struct View {
    /// The blurred copy.
    pub(super) colour: RgbImage,
    /// How bright each pixel is.
    pub(super) brightness: GrayImage,
    /// The weakest channel of each pixel: paper is pale even where a bright wood is not.
    pub(super) paleness: GrayImage,
    /// Slopes weaker than this are grain or texture.
    pub(super) slope_min: f32,
    /// The photo is this many times as large as the copy.
    pub(super) scale: f32,
    slopes: Vec<Slope>,
}

/// Where and how fast the picture becomes brighter, in levels per pixel.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Slope {
    pub(super) x: f32,
    pub(super) y: f32,
}

impl Slope {
    /// How steep it is, in whichever direction.
    pub(super) fn strength(self) -> f32 {
        (self.x * self.x + self.y * self.y).sqrt()
    }
}

impl View {
    /// Shrinks and blurs the photo and measures its slopes.
    pub(super) fn of(photo: &RgbImage) -> Self {
        let scale = (photo.width().max(photo.height()) as f32 / LONG_SIDE as f32).max(1.0);
        let size = |side: u32| ((side as f32 / scale).round() as u32).max(1);
        let small = thumbnail(photo, size(photo.width()), size(photo.height()));
        let colour = fast_blur(&small, BLUR);
        let slopes = slopes(&colour);
        Self {
            brightness: channel_by(&colour, |[r, g, b]| {
                ((u32::from(r) * 54 + u32::from(g) * 183 + u32::from(b) * 19) / 256) as u8
            }),
            paleness: channel_by(&colour, |[r, g, b]| r.min(g).min(b)),
            slope_min: slope_min(&slopes),
            colour,
            scale,
            slopes,
        }
    }

    /// The slope at a pixel; none beyond the edges.
    pub(super) fn slope_at(&self, x: i32, y: i32) -> Slope {
        let (width, height) = (self.colour.width() as i32, self.colour.height() as i32);
        if x < 0 || y < 0 || x >= width || y >= height {
            return Slope::default();
        }
        self.slopes[(y * width + x) as usize]
    }

    /// The colour at a place, or none outside the frame.
    pub(super) fn colour_at(&self, place: Point) -> Option<[f32; 3]> {
        if place.x < 0.0 || place.y < 0.0 {
            return None;
        }
        let pixel = self.colour.get_pixel_checked(place.x as u32, place.y as u32)?;
        Some(pixel.0.map(f32::from))
    }

    /// The given share of all slopes is weaker than the returned one.
    pub(super) fn slope_percentile(&self, share: f32) -> f32 {
        percentile(&self.slopes, share)
    }
}

fn channel_by(colour: &RgbImage, value: impl Fn([u8; 3]) -> u8) -> GrayImage {
    GrayImage::from_fn(colour.width(), colour.height(), |x, y| {
        Luma([value(colour.get_pixel(x, y).0)])
    })
}

/// Measures the slope at each pixel in whichever colour channel is the steepest there, so that
/// a side shows even between two colours of the same brightness.
fn slopes(colour: &RgbImage) -> Vec<Slope> {
    let (width, height) = (colour.width() as usize, colour.height() as usize);
    let mut slopes = vec![Slope::default(); width * height];
    let bytes = colour.as_raw();
    for y in 1..height.saturating_sub(1) {
        for x in 1..width.saturating_sub(1) {
            let steepest = (0..3).map(|channel| {
                let at = |column: usize, row: usize| {
                    f32::from(bytes[(row * width + column) * 3 + channel])
                };
                Slope {
                    x: (at(x + 1, y) - at(x - 1, y)) * 0.25
                        + (at(x + 1, y - 1) - at(x - 1, y - 1)) * 0.125
                        + (at(x + 1, y + 1) - at(x - 1, y + 1)) * 0.125,
                    y: (at(x, y + 1) - at(x, y - 1)) * 0.25
                        + (at(x - 1, y + 1) - at(x - 1, y - 1)) * 0.125
                        + (at(x + 1, y + 1) - at(x + 1, y - 1)) * 0.125,
                }
            });
            let square = |slope: &Slope| slope.x * slope.x + slope.y * slope.y;
            let best = steepest.max_by(|a, b| square(a).total_cmp(&square(b)));
            slopes[y * width + x] = best.unwrap_or_default();
        }
    }
    slopes
}

/// The desk's texture sets the bar: a side must stand out from it.
fn slope_min(slopes: &[Slope]) -> f32 {
    (percentile(slopes, 0.5) * 2.0).clamp(2.5, 9.0)
}

fn percentile(slopes: &[Slope], share: f32) -> f32 {
    // Every fifth pixel is enough for a share.
    let mut strengths: Vec<f32> = slopes.iter().step_by(5).map(|s| s.strength()).collect();
    if strengths.is_empty() {
        return 0.0;
    }
    let index = ((strengths.len() - 1) as f32 * share) as usize;
    *strengths.select_nth_unstable_by(index, f32::total_cmp).1
}
