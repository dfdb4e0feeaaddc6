//! Finds the page in a photo, or says why it cannot.

use image::RgbImage;

use super::evidence::Evidence;
use super::geometry::Quad;
use super::lines::line_outlines;
use super::outlines::region_outlines;
use super::photo_check::check_photo;
use super::refinement::refine;
use super::view::View;

/// The page covers at least this share of the photo.
const AREA_SHARE_MIN: f32 = 0.15;
/// Every side must show along this share of its length.
const SIDE_SHARE_MIN: f32 = 0.6;
/// The two ends that meet in a corner must show along this share.
const CORNER_SHARE_MIN: f32 = 0.45;
/// Beyond a corner, a side may seem to go on along this share: joints and other sheets do that.
const BEYOND_SHARE_MAX: f32 = 0.6;
/// Only so many outlines are worth the work of refining them.
const REFINED_MAX: usize = 6;

/// Why no page was found.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum NotFound {
    /// The photo has too few pixels.
    #[error("the photo is too small: its shorter side has {side} pixels, 120 are needed")]
    TooSmall {
        /// The shorter side in pixels.
        side: u32,
    },
    /// Nothing in the photo is bright.
    #[error("the photo is too dark: its brightest parts reach {brightness} of 255")]
    TooDark {
        /// The level that nearly all pixels stay below.
        brightness: u8,
    },
    /// No edge in the photo is sharp.
    #[error("the photo is blurred: even its sharpest edges are {edge_pixels:.0} pixels wide")]
    TooBlurred {
        /// How wide the sharpest edges are, in pixels of the photo.
        edge_pixels: f32,
    },
    /// Nothing large has four sides.
    #[error("no four-sided outline covers at least 15 % of the photo")]
    NoOutline,
    /// There are outlines, but their sides fade away when they are looked at closely.
    #[error("something has four sides, but they are too vague to tell where they run")]
    Vague,
    /// The best outline has a side that hardly shows.
    #[error("the {side} side of the likeliest outline shows on only {percent:.0} % of its length")]
    FaintSide {
        /// Which side: `top`, `right`, `bottom` or `left`.
        side: &'static str,
        /// How much of it shows.
        percent: f32,
    },
    /// The best outline has a corner that is covered or missing.
    #[error("the {corner} corner of the likeliest outline is hidden")]
    HiddenCorner {
        /// Which corner: `top left`, `top right`, `bottom right` or `bottom left`.
        corner: &'static str,
    },
    /// The best outline cuts through something that goes on.
    #[error("the likeliest outline goes on beyond its {corner} corner")]
    GoesOn {
        /// Which corner: `top left`, `top right`, `bottom right` or `bottom left`.
        corner: &'static str,
    },
}

const SIDES: [&str; 4] = ["top", "right", "bottom", "left"];
const CORNERS: [&str; 4] = ["top left", "top right", "bottom right", "bottom left"];

/// Finds the corners of the page in a photo.
///
/// Two ways lead to candidates, regions and lines, since each fails where the other works. All
/// candidates are judged by what shows along their sides, the best are moved onto the true
/// edges in the full photo, and the winner must still stand up to a close look.
///
/// # Errors
/// When there is no page, or none whose outline shows well enough to be relied on.
pub fn find_page(photo: &RgbImage) -> Result<Quad, NotFound> {
    if photo.width().min(photo.height()) == 0 {
        return Err(NotFound::TooSmall { side: 0 });
    }
    let view = View::of(photo);
    check_photo(&view)?;
    let rough = best_first(&view, candidates(&view));
    if rough.is_empty() {
        return Err(NotFound::NoOutline);
    }
    let (quad, evidence) = best_refined(photo, &view, &rough).ok_or(NotFound::Vague)?;
    check_outline(&evidence)?;
    Ok(quad)
}

/// Everything that may be the page, in the view's pixels.
fn candidates(view: &View) -> Vec<Quad> {
    let frame = (view.colour.width() * view.colour.height()) as f32;
    let area_min = frame * AREA_SHARE_MIN;
    let mut candidates = region_outlines(view);
    candidates.extend(line_outlines(view, area_min));
    candidates.retain(|quad| quad.area() >= area_min);
    candidates
}

/// The likeliest candidates, each of them once.
fn best_first(view: &View, candidates: Vec<Quad>) -> Vec<Quad> {
    let mut judged: Vec<(f32, Quad)> =
        candidates.into_iter().map(|quad| (Evidence::of(view, &quad).score, quad)).collect();
    judged.sort_by(|a, b| b.0.total_cmp(&a.0));
    let mut best: Vec<Quad> = Vec::with_capacity(REFINED_MAX);
    for (_, quad) in judged {
        if best.len() < REFINED_MAX && best.iter().all(|other| quad.mean_distance(other) > 3.0) {
            best.push(quad);
        }
    }
    best
}

/// Refines the candidates in the full photo and returns the one that shows best.
fn best_refined(photo: &RgbImage, view: &View, rough: &[Quad]) -> Option<(Quad, Evidence)> {
    let judged = rough.iter().filter_map(|quad| {
        let large = quad.scaled(view.scale).ok()?;
        let refined = refine(photo, &large, view.scale)?;
        let small = refined.scaled(1.0 / view.scale).ok()?;
        Some((refined, Evidence::of(view, &small)))
    });
    judged.max_by(|a, b| a.1.score.total_cmp(&b.1.score))
}

/// Refuses an outline that does not show all around.
fn check_outline(evidence: &Evidence) -> Result<(), NotFound> {
    let (index, share) = evidence.faintest_side();
    if share < SIDE_SHARE_MIN {
        return Err(NotFound::FaintSide { side: SIDES[index], percent: share * 100.0 });
    }
    let (index, share) = evidence.faintest_corner();
    if share < CORNER_SHARE_MIN {
        return Err(NotFound::HiddenCorner { corner: CORNERS[index] });
    }
    let (index, share) = evidence.overrun_corner();
    if share > BEYOND_SHARE_MAX {
        return Err(NotFound::GoesOn { corner: CORNERS[index] });
    }
    Ok(())
}
