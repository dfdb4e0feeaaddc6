//! *Detect*: from pixels to objects.

mod components;
mod threshold;
mod union_find;

pub use components::components;
pub use threshold::{Histogram, histogram, noise_limit, otsu, threshold};

use crate::object::{Object, ObjectTable};
use crate::raster::Raster;

/// Fewer pixels than this are noise.
pub const AREA_MIN: u64 = 3;
/// An object that covers more than this share of the scene is a part of the background.
pub const SHARE_MAX: f64 = 0.25;

/// Finds the bright objects of a scene, numbered from 1 in the order of their first pixels.
pub fn detect(image_id: &str, raster: &Raster) -> ObjectTable {
    let threshold = threshold(&histogram(raster.values()));
    let area_max = (raster.values().len() as f64 * SHARE_MAX) as u64;
    let kept = components(raster, threshold)
        .into_iter()
        .filter(|moments| (AREA_MIN..=area_max).contains(&moments.area));
    let objects = (1..).zip(kept).map(|(id, moments)| Object { id, moments }).collect();
    ObjectTable {
        image_id: image_id.to_owned(),
        width: raster.width() as u64,
        height: raster.height() as u64,
        threshold,
        objects,
    }
}
