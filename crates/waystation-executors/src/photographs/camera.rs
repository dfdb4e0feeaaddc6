//! Where the camera was held.

use fastrand::Rng;

use crate::page::{Point, Projection, Quad};

use super::hazard::Hazard;
use super::{PHOTO_HEIGHT, PHOTO_WIDTH, between};

/// The height of a page whose width is 1; desk coordinates are page widths from its corner.
pub(super) const PAGE_HEIGHT: f32 = std::f32::consts::SQRT_2;
/// At least this much desk is seen around a page that lies inside the frame, in pixels.
const MARGIN_PIXELS: f32 = 28.0;

/// A view of the desk.
pub(super) struct Camera {
    /// The page's corners in the photo.
    pub(super) page: Quad,
    /// How many pixels a page width covers, roughly: the measure for soft edges.
    pub(super) pixels_per_unit: f32,
    to_desk: Projection,
    lens: Lens,
}

/// A lens that bends straight lines a little, as those of phones do.
#[derive(Clone, Copy)]
struct Lens {
    bend: f32,
}

impl Camera {
    /// Holds the camera over the page, as people do: nearly, but never quite, straight.
    pub(super) fn place(random: &mut Rng, hazard: Hazard) -> Self {
        loop {
            let corners = tilted(random);
            let framed = framed(random, corners, hazard);
            let lens = Lens { bend: between(random, -0.007, 0.007) };
            // The tilts allowed above never fold a page; a failed attempt would just be redone.
            let straight = Quad::from_unordered(framed);
            let bent = Quad::from_unordered(framed.map(|corner| lens.bent(corner)));
            if let (Ok(straight), Ok(bent)) = (straight, bent) {
                return Self {
                    page: bent,
                    pixels_per_unit: (straight.area() / PAGE_HEIGHT).sqrt(),
                    to_desk: Projection::from_unit_square(&straight).inverse(),
                    lens,
                };
            }
        }
    }

    /// The place on the desk that a pixel shows, in page widths from the page's corner.
    pub(super) fn desk_at(&self, pixel: Point) -> Point {
        let place = self.to_desk.map(self.lens.straightened(pixel));
        Point::new(place.x, place.y * PAGE_HEIGHT)
    }
}

impl Lens {
    /// Where a perfect lens would have drawn what this one draws at the pixel.
    fn straightened(self, pixel: Point) -> Point {
        let (x, y) = (PHOTO_WIDTH as f32 / 2.0, PHOTO_HEIGHT as f32 / 2.0);
        let (across, down) = (pixel.x - x, pixel.y - y);
        let factor = 1.0 + self.bend * (across * across + down * down) / (x * x + y * y);
        Point::new(x + across * factor, y + down * factor)
    }

    /// The other way round; there is no formula, but a few corrections come close enough.
    fn bent(self, place: Point) -> Point {
        let mut pixel = place;
        for _ in 0..8 {
            let straightened = self.straightened(pixel);
            pixel.x += place.x - straightened.x;
            pixel.y += place.y - straightened.y;
        }
        pixel
    }
}

/// The page's corners as a pinhole sees them, before they are moved into the frame.
fn tilted(random: &mut Rng) -> [Point; 4] {
    let reach = pick_reach(random);
    let roll = rotation(between(random, -reach, reach));
    let pitch = rotation(between(random, -0.19, 0.19));
    let yaw = rotation(between(random, -0.12, 0.12));
    let distance = between(random, 1.9, 3.2);
    let (x, y) = (0.5, PAGE_HEIGHT / 2.0);
    [(-x, -y), (x, -y), (x, y), (-x, y)].map(|(x, y)| {
        let (x, y) = (x * roll.0 - y * roll.1, x * roll.1 + y * roll.0);
        let (y, depth) = (y * pitch.0, y * pitch.1);
        let (x, depth) = (x * yaw.0 - depth * yaw.1, x * yaw.1 + depth * yaw.0);
        Point::new(x / (distance + depth), y / (distance + depth))
    })
}

/// Most people hold the camera nearly upright, some do not care.
fn pick_reach(random: &mut Rng) -> f32 {
    if random.u32(..4) == 0 { 0.22 } else { 0.08 }
}

/// Cosine and sine from the tangent of half the angle, without a library's rounding.
fn rotation(half_tangent: f32) -> (f32, f32) {
    let square = half_tangent * half_tangent;
    ((1.0 - square) / (1.0 + square), 2.0 * half_tangent / (1.0 + square))
}

/// Scales and shifts the corners so that the page fills the frame as the hazard wants it.
fn framed(random: &mut Rng, corners: [Point; 4], hazard: Hazard) -> [Point; 4] {
    let (width, height) = (PHOTO_WIDTH as f32, PHOTO_HEIGHT as f32);
    let (low, high) = bounds(&corners);
    let (wide, tall) = (high.x - low.x, high.y - low.y);
    let room = (width - 2.0 * MARGIN_PIXELS, height - 2.0 * MARGIN_PIXELS);
    let fit = (room.0 / wide).min(room.1 / tall);
    let scale = fit * between(random, 0.78, 1.0);
    let free = (room.0 - wide * scale, room.1 - tall * scale);
    let mut left = MARGIN_PIXELS + free.0 * between(random, 0.1, 0.9);
    let mut top = MARGIN_PIXELS + free.1 * between(random, 0.1, 0.9);
    if hazard == Hazard::CutOff {
        let share = between(random, 0.2, 0.34);
        match random.u32(..3) {
            0 => left = -wide * scale * share,
            1 => left = width - wide * scale * (1.0 - share),
            _ => top = height - tall * scale * (1.0 - share),
        }
    }
    corners.map(|corner| {
        Point::new(left + (corner.x - low.x) * scale, top + (corner.y - low.y) * scale)
    })
}

/// The upright rectangle around the corners.
fn bounds(corners: &[Point; 4]) -> (Point, Point) {
    corners.iter().fold((corners[0], corners[0]), |(low, high), corner| {
        (
            Point::new(low.x.min(corner.x), low.y.min(corner.y)),
            Point::new(high.x.max(corner.x), high.y.max(corner.y)),
        )
    })
}
