//! Finds the page in a photo and lays it flat.
//!
//! The finder would rather say "I could not" than hand back a poor outline: a person can
//! click four corners in seconds, but a wrong outline that nobody looks at is a lost page.

mod evidence;
mod find_page;
mod geometry;
mod line;
mod lines;
mod outlines;
mod photo_check;
mod projection;
mod refinement;
mod sampling;
mod view;
mod warp;

pub use find_page::{NotFound, find_page};
pub use geometry::{BadQuad, Point, Quad};
pub use projection::Projection;
pub use sampling::colour_between;
pub use warp::{PAGE_SIDE_PIXELS_MAX, warp_page};

#[cfg(test)]
mod tests;
