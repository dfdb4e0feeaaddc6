//! Turns away photos in which nobody could find, or read, a page.

use super::find_page::NotFound;
use super::view::View;

/// Photos with a shorter side than this, in pixels, hold no readable page.
const SIDE_MIN: u32 = 120;
/// The brightest parts must reach this level of 255.
const BRIGHTNESS_MIN: u8 = 36;
/// The sharpest edges may be this wide, in pixels of the view. A sharp photo has about 3, and
/// letters of ordinary size are lost long before 8.
const EDGE_WIDTH_MAX: f32 = 8.0;

/// Says why the photo as a whole is hopeless, if it is.
pub(super) fn check_photo(view: &View) -> Result<(), NotFound> {
    let (width, height) = view.colour.dimensions();
    if width.min(height) < SIDE_MIN {
        return Err(NotFound::TooSmall { side: width.min(height) });
    }
    let (dark, bright) = brightness_range(view);
    if bright < BRIGHTNESS_MIN {
        return Err(NotFound::TooDark { brightness: bright });
    }
    // Where the whole range is crossed in one edge, its width is the range over the slope.
    let edge_width = f32::from(bright - dark) / view.slope_percentile(0.998).max(0.1);
    if edge_width > EDGE_WIDTH_MAX && bright - dark > BRIGHTNESS_MIN {
        return Err(NotFound::TooBlurred { edge_pixels: edge_width * view.scale });
    }
    Ok(())
}

/// The brightness that 5 % and 95 % of the pixels do not exceed.
fn brightness_range(view: &View) -> (u8, u8) {
    let mut pixels: Vec<u8> = view.brightness.iter().copied().step_by(3).collect();
    pixels.sort_unstable();
    let at = |share: f32| pixels[((pixels.len() - 1) as f32 * share) as usize];
    (at(0.05), at(0.95))
}
