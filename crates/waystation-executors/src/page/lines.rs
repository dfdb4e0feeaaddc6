//! Candidates from lines: finds the strongest straight edges and joins four of them.
//!
//! This finds a page whose region runs into another sheet or a bright spot, where the outlines
//! of regions fail. Edges have a bright and a dark side here, so that only lines whose bright
//! sides face each other are ever joined.

use super::evidence::coarse_score;
use super::geometry::{Point, Quad};
use super::line::Line;
use super::view::View;

/// Directions are counted in whole degrees, all around, since an edge has a bright side.
const DIRECTIONS: usize = 360;
/// Each edge pixel votes for its own direction and this many degrees to both sides.
const SPREAD: i32 = 3;
/// Parallel lines are told apart at this distance in pixels.
const BAND: f32 = 2.0;
/// The most lines, and pairs of facing lines, that are tried.
const LINES_MAX: usize = 48;
const PAIRS_MAX: usize = 160;
/// A line needs votes for this share of the view's shorter side.
const VOTES_SHARE_MIN: f32 = 0.16;
/// The most candidates handed on.
const CANDIDATES_MAX: usize = 8;

/// An edge that is straight for long enough.
#[derive(Debug, Clone, Copy)]
struct Edge {
    line: Line,
    degrees: i32,
    offset: f32,
    votes: u16,
}

/// The best outlines that four straight edges make, in the view's pixels.
pub(super) fn line_outlines(view: &View, area_min: f32) -> Vec<Quad> {
    let pairs = facing_pairs(&straight_edges(view));
    let mut candidates: Vec<(f32, Quad)> = Vec::new();
    for (index, first) in pairs.iter().enumerate() {
        for second in &pairs[index + 1..] {
            if !crosses(first, second) {
                continue;
            }
            let Some(quad) = joined(view, first, second) else { continue };
            if quad.area() >= area_min {
                candidates.push((coarse_score(view, &quad), quad));
            }
        }
    }
    candidates.sort_by(|a, b| b.0.total_cmp(&a.0));
    candidates.into_iter().take(CANDIDATES_MAX).map(|(_, quad)| quad).collect()
}

/// Lets every edge pixel vote for the lines it may lie on, and takes the lines with most votes.
fn straight_edges(view: &View) -> Vec<Edge> {
    let (width, height) = view.colour.dimensions();
    let reach = ((width * width + height * height) as f32).sqrt();
    let bands = (2.0 * reach / BAND) as usize + 2;
    let turns: Vec<(f32, f32)> =
        (0..DIRECTIONS).map(|degrees| (degrees as f32).to_radians().sin_cos()).collect();
    let mut votes = vec![0_u16; DIRECTIONS * bands];
    for y in 1..height as i32 - 1 {
        for x in 1..width as i32 - 1 {
            let Some(direction) = edge_direction(view, x, y) else { continue };
            for degrees in direction - SPREAD..=direction + SPREAD {
                let degrees = degrees.rem_euclid(DIRECTIONS as i32) as usize;
                let (sine, cosine) = turns[degrees];
                let offset = (x as f32 + 0.5) * cosine + (y as f32 + 0.5) * sine;
                let cell = degrees * bands + ((offset + reach) / BAND) as usize;
                votes[cell] = votes[cell].saturating_add(1);
            }
        }
    }
    let votes_min = (width.min(height) as f32 * VOTES_SHARE_MIN) as u16;
    let mut cells: Vec<usize> = (0..votes.len()).filter(|&i| votes[i] >= votes_min).collect();
    cells.sort_by_key(|&cell| std::cmp::Reverse(votes[cell]));
    let edges = cells.into_iter().map(|cell| {
        let (degrees, band) = (cell / bands, cell % bands);
        let offset = (band as f32 + 0.5) * BAND - reach;
        Edge::new(degrees as i32, offset, turns[degrees], votes[cell])
    });
    strongest(edges)
}

/// The direction in whole degrees in which it becomes brighter, where an edge runs through.
fn edge_direction(view: &View, x: i32, y: i32) -> Option<i32> {
    let slope = view.slope_at(x, y);
    let strength = slope.strength();
    if strength < view.slope_min {
        return None;
    }
    // Only the steepest pixel across an edge votes, so that blurred edges do not win.
    let (step_x, step_y) = (slope.x / strength, slope.y / strength);
    let (step_x, step_y) = (step_x.round() as i32, step_y.round() as i32);
    let before = view.slope_at(x - step_x, y - step_y).strength();
    let after = view.slope_at(x + step_x, y + step_y).strength();
    (strength >= before && strength > after)
        .then(|| slope.y.atan2(slope.x).to_degrees().round() as i32)
}

/// Drops lines that are nearly the same as a stronger one.
fn strongest(edges: impl Iterator<Item = Edge>) -> Vec<Edge> {
    let mut kept: Vec<Edge> = Vec::with_capacity(LINES_MAX);
    for edge in edges {
        let known = kept.iter().any(|other| {
            angle_between(edge.degrees, other.degrees) <= 5
                && (edge.offset - other.offset).abs() < 7.0
        });
        if !known {
            kept.push(edge);
        }
        if kept.len() == LINES_MAX {
            break;
        }
    }
    kept
}

/// Pairs of lines whose bright sides face each other, or face away from each other.
fn facing_pairs(edges: &[Edge]) -> Vec<(Edge, Edge)> {
    let mut pairs = Vec::new();
    for (index, first) in edges.iter().enumerate() {
        for second in &edges[index + 1..] {
            let opposite = angle_between(first.degrees, second.degrees) >= 145;
            // Offsets count in opposite directions, so their sum is the gap between the lines.
            if opposite && (first.offset + second.offset).abs() > 60.0 {
                pairs.push((*first, *second));
            }
        }
    }
    pairs.sort_by_key(|(a, b)| std::cmp::Reverse(u32::from(a.votes) + u32::from(b.votes)));
    pairs.truncate(PAIRS_MAX);
    pairs
}

/// True when the second pair runs across the first, within what perspective does.
fn crosses(first: &(Edge, Edge), second: &(Edge, Edge)) -> bool {
    let across = |a: &Edge, b: &Edge| (55..=125).contains(&angle_between(a.degrees, b.degrees));
    across(&first.0, &second.0) && across(&first.1, &second.1)
}

/// The outline between two pairs of lines, if all of it is in the frame.
fn joined(view: &View, first: &(Edge, Edge), second: &(Edge, Edge)) -> Option<Quad> {
    let (width, height) = view.colour.dimensions();
    let corner = |a: &Edge, b: &Edge| {
        let crossing = a.line.crossing(&b.line)?;
        let inside = crossing.x > -2.0
            && crossing.y > -2.0
            && crossing.x < width as f32 + 2.0
            && crossing.y < height as f32 + 2.0;
        inside.then_some(crossing)
    };
    let corners = [
        corner(&first.0, &second.0)?,
        corner(&first.0, &second.1)?,
        corner(&first.1, &second.0)?,
        corner(&first.1, &second.1)?,
    ];
    Quad::from_unordered(corners).ok()
}

/// Degrees between two directions, 0 to 180.
fn angle_between(a: i32, b: i32) -> i32 {
    let difference = (a - b).rem_euclid(360);
    difference.min(360 - difference)
}

impl Edge {
    fn new(degrees: i32, offset: f32, (sine, cosine): (f32, f32), votes: u16) -> Self {
        let point = Point::new(cosine * offset, sine * offset);
        let line = Line { point, direction: (-sine, cosine) };
        Self { line, degrees, offset, votes }
    }
}
