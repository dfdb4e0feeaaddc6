//! Candidates from regions: parts the pale from the dark and takes the outlines of what is left.

use image::GrayImage;
use imageproc::contours::{BorderType, find_contours_with_threshold};
use imageproc::contrast::{ThresholdType, adaptive_threshold, otsu_level, threshold};
use imageproc::geometry::{approximate_polygon_dp, arc_length, contour_area, convex_hull};
use imageproc::point::Point as Spot;

use super::geometry::{Point, Quad};
use super::view::View;

/// Smaller regions than this share of the view cannot be the page.
const REGION_SHARE_MIN: f64 = 0.1;
/// How much of its own outline a shape may lose while it is reduced to four corners.
const TOLERANCES: [f64; 6] = [0.01, 0.015, 0.02, 0.03, 0.045, 0.06];

/// Four-sided outlines of large regions, in the view's pixels.
pub(super) fn region_outlines(view: &View) -> Vec<Quad> {
    let otsu = |image: &GrayImage| threshold(image, otsu_level(image), ThresholdType::Binary);
    // The local threshold finds a page that is half in the shadow.
    let radius = view.brightness.width().max(view.brightness.height()) / 5;
    let masks = [
        otsu(&view.paleness),
        otsu(&view.brightness),
        adaptive_threshold(&view.brightness, radius, 0),
    ];
    masks.iter().flat_map(mask_outlines).collect()
}

fn mask_outlines(mask: &GrayImage) -> Vec<Quad> {
    let area_min = f64::from(mask.width() * mask.height()) * REGION_SHARE_MIN;
    find_contours_with_threshold::<i32>(mask, 0)
        .into_iter()
        .filter(|contour| contour.border_type == BorderType::Outer && contour.points.len() > 40)
        .map(|contour| convex_hull(contour.points))
        .filter(|hull| contour_area(hull) >= area_min)
        .filter_map(|hull| four_corners(&hull))
        .collect()
}

/// Lets go of small dents until exactly four corners are left.
fn four_corners(hull: &[Spot<i32>]) -> Option<Quad> {
    let around = arc_length(hull, true);
    TOLERANCES.into_iter().find_map(|tolerance| {
        let corners = approximate_polygon_dp(hull, tolerance * around, true);
        let corners: [Spot<i32>; 4] = corners.try_into().ok()?;
        let centres = corners.map(|spot| Point::new(spot.x as f32 + 0.5, spot.y as f32 + 0.5));
        Quad::from_unordered(centres).ok()
    })
}
