//! A page on a desk, with all that lies around it.

use fastrand::Rng;
use image::{Rgb, RgbImage};

use crate::page::{Point, colour_between};

use super::camera::{Camera, PAGE_HEIGHT};
use super::clutter::{self, Thing};
use super::desk::{Colour, Desk};
use super::hazard::Hazard;
use super::light::Light;
use super::{PHOTO_HEIGHT, PHOTO_WIDTH, between, smooth_step};

/// Everything in front of the camera.
pub(super) struct Scene {
    desk: Desk,
    below: Vec<Thing>,
    page: RgbImage,
    above: Vec<Thing>,
    light: Light,
    shadow: PageShadow,
}

/// A sheet is thin, but its shadow is what parts it from a bright desk.
struct PageShadow {
    shift: (f32, f32),
    reach: f32,
    depth: f32,
}

impl Scene {
    /// Lays the page on a desk and everything else around it.
    pub(super) fn compose(random: &mut Rng, hazard: Hazard, page: RgbImage) -> Self {
        let paper = page.get_pixel(4, 4).0.map(f32::from);
        let bare = hazard == Hazard::SameColour;
        let below = if bare { Vec::new() } else { clutter::around_page(random) };
        let above = match hazard {
            Hazard::CoveredCorner => vec![clutter::corner_cover(random)],
            Hazard::None if random.u32(..5) == 0 => vec![clutter::pen_across_side(random)],
            _ => Vec::new(),
        };
        Self {
            desk: Desk::furnish(random, hazard, paper),
            below,
            page,
            above,
            light: Light::switch_on(random, hazard),
            shadow: PageShadow {
                shift: (between(random, -0.012, 0.012), between(random, 0.0, 0.014)),
                reach: between(random, 0.012, 0.03),
                depth: if bare { 0.02 } else { between(random, 0.2, 0.45) },
            },
        }
    }

    /// What the camera sees, with perfect optics.
    pub(super) fn seen_through(&self, camera: &Camera) -> RgbImage {
        RgbImage::from_fn(PHOTO_WIDTH, PHOTO_HEIGHT, |x, y| {
            let pixel = Point::new(x as f32 + 0.5, y as f32 + 0.5);
            let colour = self.colour_at(camera.desk_at(pixel), camera.pixels_per_unit);
            let light = self.light.at(pixel);
            Rgb(std::array::from_fn(|channel| {
                (colour[channel] * light[channel]).clamp(0.0, 255.0) as u8
            }))
        })
    }

    fn colour_at(&self, place: Point, pixels_per_unit: f32) -> Colour {
        let distance = outside_page(place);
        let coverage = (0.5 - distance * pixels_per_unit).clamp(0.0, 1.0);
        let mut colour = [0.0; 3];
        if coverage < 1.0 {
            colour = self.desk.colour_at(place);
            for thing in &self.below {
                colour = thing.lay_over(colour, place, pixels_per_unit);
            }
            let shade = self.shadow.at(place);
            colour = colour.map(|channel| channel * shade);
        }
        if coverage > 0.0 {
            let page = self.page_at(place);
            colour = std::array::from_fn(|channel| {
                colour[channel] + (page[channel] - colour[channel]) * coverage
            });
        }
        for thing in &self.above {
            colour = thing.lay_over(colour, place, pixels_per_unit);
        }
        colour
    }

    /// The colour of the typeset page at a place on the desk.
    fn page_at(&self, place: Point) -> Colour {
        let across = place.x * self.page.width() as f32;
        let down = place.y / PAGE_HEIGHT * self.page.height() as f32;
        colour_between(&self.page, Point::new(across, down))
    }
}

impl PageShadow {
    fn at(&self, place: Point) -> f32 {
        let place = Point::new(place.x - self.shift.0, place.y - self.shift.1);
        let distance = outside_page(place);
        1.0 - self.depth * (1.0 - smooth_step(-self.reach * 0.5, self.reach, distance))
    }
}

/// How far a place is outside the page; negative on the page.
fn outside_page(place: Point) -> f32 {
    let x = (place.x - 0.5).abs() - 0.5;
    let y = (place.y - PAGE_HEIGHT / 2.0).abs() - PAGE_HEIGHT / 2.0;
    let (out_x, out_y) = (x.max(0.0), y.max(0.0));
    (out_x * out_x + out_y * out_y).sqrt() + x.max(y).min(0.0)
}
