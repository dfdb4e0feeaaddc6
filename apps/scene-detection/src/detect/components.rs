//! Pixels that touch are one component.
//!
//! Two passes over the rows: the first gives each bright pixel the label of a neighbour that was
//! seen before, and notes which labels met; the second adds up each set (A. Rosenfeld and
//! J. Pfaltz, "Sequential operations in digital picture processing", Journal of the ACM 13
//! (1966)). Pixels touch by sides and corners.

use super::union_find::UnionFind;
use crate::object::Moments;
use crate::raster::Raster;

/// Stands for a pixel of no component.
const NONE: u32 = u32::MAX;

/// The moments of each component of the pixels brighter than the threshold, in the order of
/// their first pixels.
pub fn components(raster: &Raster, threshold: u8) -> Vec<Moments> {
    let mut sets = UnionFind::default();
    let labels = label(raster, threshold, &mut sets);
    add_up(&labels, raster.width(), &mut sets)
}

/// The first pass: a label a pixel.
fn label(raster: &Raster, threshold: u8, sets: &mut UnionFind) -> Vec<u32> {
    let width = raster.width();
    let mut labels = vec![NONE; raster.values().len()];
    for (index, value) in raster.values().iter().enumerate() {
        if *value <= threshold {
            continue;
        }
        let met = seen_before(index, width).filter_map(|neighbour| {
            let label = labels[neighbour];
            (label != NONE).then_some(label)
        });
        labels[index] =
            met.reduce(|one, other| sets.unite(one, other)).unwrap_or_else(|| sets.add());
    }
    labels
}

/// The neighbours of a pixel that come before it: left, and the three above.
fn seen_before(index: usize, width: usize) -> impl Iterator<Item = usize> {
    let column = index % width;
    let above = index.checked_sub(width);
    let left = (column > 0).then(|| index - 1);
    let above_left = above.filter(|_| column > 0).map(|above| above - 1);
    let above_right = above.filter(|_| column + 1 < width).map(|above| above + 1);
    [left, above_left, above, above_right].into_iter().flatten()
}

/// The second pass: the moments of each set.
fn add_up(labels: &[u32], width: usize, sets: &mut UnionFind) -> Vec<Moments> {
    let mut found: Vec<Moments> = Vec::new();
    // The place of each set in `found`, by its smallest label.
    let mut places: Vec<Option<usize>> = Vec::new();
    for (index, label) in labels.iter().enumerate().filter(|(_, label)| **label != NONE) {
        let set = sets.find(*label) as usize;
        if places.len() <= set {
            places.resize(set + 1, None);
        }
        let place = *places[set].get_or_insert_with(|| {
            found.push(Moments::default());
            found.len() - 1
        });
        found[place].add((index % width) as u64, (index / width) as u64);
    }
    found
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn areas(rows: &[&str]) -> Vec<u64> {
        let values = rows.iter().flat_map(|row| row.bytes());
        let values = values.map(|byte| if byte == b'#' { 255 } else { 0 }).collect();
        let raster = Raster::new(rows[0].len(), rows.len(), values);
        components(&raster, 100).iter().map(|moments| moments.area).collect()
    }

    #[test]
    fn shapes_are_whole_whatever_labels_met_in_them() {
        for (rows, expected) in [
            (&["#.#", ".#.", "#.#"][..], &[5][..]),
            (&["#..#", "#..#", "####"], &[8]),
            (&["#.#.#", "#.#.#", "#####"], &[11]),
            (&["##..", "....", "..##"], &[2, 2]),
            (&["#..", "..#"], &[1, 1]),
            (&["..#", "#.."], &[1, 1]),
            (&["...", "..."], &[]),
        ] {
            assert_eq!(areas(rows), expected, "{rows:?}");
        }
    }

    /// Another way to the same: walk from pixel to pixel.
    fn areas_by_flood(width: usize, bright: &[bool]) -> Vec<u64> {
        let mut left = bright.to_vec();
        let mut areas = Vec::new();
        for start in 0..left.len() {
            let mut edge = vec![start];
            let mut area = 0;
            while let Some(index) = edge.pop() {
                if !std::mem::take(&mut left[index]) {
                    continue;
                }
                area += 1;
                let near = |other: &usize| {
                    (other % width).abs_diff(index % width) <= 1
                        && (other / width).abs_diff(index / width) <= 1
                };
                edge.extend((0..left.len()).filter(near));
            }
            areas.extend((area > 0).then_some(area));
        }
        areas
    }

    proptest! {
        #[test]
        fn components_are_those_of_a_flood_fill(
            width in 1_usize..12,
            bright in proptest::collection::vec(any::<bool>(), 1..120),
        ) {
            let height = bright.len().div_ceil(width);
            let mut bright = bright;
            bright.resize(width * height, false);
            let values = bright.iter().map(|bright| if *bright { 255 } else { 0 }).collect();
            let found = components(&Raster::new(width, height, values), 100);
            let found: Vec<u64> = found.iter().map(|moments| moments.area).collect();
            prop_assert_eq!(found, areas_by_flood(width, &bright));
        }
    }
}
