//! *Predict*: from the objects of a scene to how many to expect in each tile of it next time.

use serde::{Deserialize, Serialize};

use crate::classify::{Class, ClassTable};
use crate::object::ObjectTable;

/// The side of a tile in pixels.
pub const TILE: u64 = 64;

/// What to expect of a scene, tile by tile, row by row from the upper left.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Prediction {
    /// The scene.
    pub image_id: String,
    /// The side of a tile in pixels.
    pub tile: u64,
    /// Tiles from left to right.
    pub columns: usize,
    /// Tiles from top to bottom.
    pub rows: usize,
    /// How many objects of a known class have their middle in the tile.
    pub counted: Vec<u64>,
    /// How many are to be expected there.
    pub expected: Vec<f64>,
}

/// The classes are not those of the objects: the two tables are of different runs.
#[derive(Debug, thiserror::Error)]
#[error("object {id} of `{image_id}` has no class, or there are classes without an object")]
pub struct Mismatch {
    image_id: String,
    id: u32,
}

/// Predicts from where the objects are. Those that are nothing known are left out: what they are
/// may not be there next time.
pub fn predict(table: &ObjectTable, classes: &ClassTable) -> Result<Prediction, Mismatch> {
    let (mut objects, mut classes) = (table.objects.iter(), classes.classes.iter());
    let mut known = Vec::new();
    loop {
        match (objects.next(), classes.next()) {
            (None, None) => break,
            (Some(object), Some(classified)) if object.id == classified.id => {
                known.extend((classified.class != Class::Other).then_some(object));
            }
            (object, classified) => {
                let id = object.map(|one| one.id).or(classified.map(|one| one.id));
                let image_id = table.image_id.clone();
                return Err(Mismatch { image_id, id: id.unwrap_or_default() });
            }
        }
    }
    let grid = Grid::new(table.width, table.height);
    let counted = grid.count(known.into_iter().map(|object| object.moments.centre()));
    let expected = grid.smooth(&counted);
    Ok(Prediction {
        image_id: table.image_id.clone(),
        tile: TILE,
        columns: grid.columns,
        rows: grid.rows,
        counted,
        expected,
    })
}

impl Prediction {
    /// The tile with most to expect, as its column and row from 0; `None` of an empty scene.
    pub fn busiest(&self) -> Option<(usize, usize, f64)> {
        let tiles = self.expected.iter().copied().enumerate();
        let (index, most) = tiles.reduce(|best, one| if one.1 > best.1 { one } else { best })?;
        Some((index % self.columns, index / self.columns, most))
    }
}

/// The tiles of a scene. Those at its right and lower border may be cut.
#[derive(Clone, Copy, Debug)]
pub struct Grid {
    width: u64,
    height: u64,
    /// Tiles from left to right.
    pub columns: usize,
    /// Tiles from top to bottom.
    pub rows: usize,
}

impl Grid {
    /// The tiles of a scene of this size.
    pub fn new(width: u64, height: u64) -> Self {
        let (columns, rows) = (width.div_ceil(TILE) as usize, height.div_ceil(TILE) as usize);
        Self { width, height, columns, rows }
    }

    /// How many of these places are in each tile.
    pub fn count(&self, places: impl Iterator<Item = (f64, f64)>) -> Vec<u64> {
        let mut counted = vec![0; self.columns * self.rows];
        for (x, y) in places {
            let (column, row) = (x as usize / TILE as usize, y as usize / TILE as usize);
            if column < self.columns && row < self.rows {
                counted[row * self.columns + column] += 1;
            }
        }
        counted
    }

    /// The estimator: the density of objects, averaged over a tile and its neighbours, times the
    /// tile's area `a`:
    ///
    /// `e_i = a_i · Σ_j w_ij·n_j / Σ_j w_ij·a_j`
    ///
    /// with the counts `n` and the binomial weights `w` (1 2 1 each way; 4, 2 or 1 by how far the
    /// tile `j` is). It is a kernel estimate of the intensity of a point process with its edges
    /// corrected: P. Diggle, "A kernel method for smoothing point process data", Applied
    /// Statistics 34 (1985), with tiles for places and a binomial kernel for the quartic one.
    pub fn smooth(&self, counted: &[u64]) -> Vec<f64> {
        let tiles = (0..self.rows).flat_map(|row| (0..self.columns).map(move |c| (c, row)));
        tiles
            .map(|(column, row)| {
                let (mut objects, mut area) = (0.0, 0.0);
                for (near_column, near_row, weight) in self.neighbours(column, row) {
                    let count = counted[near_row * self.columns + near_column];
                    objects += weight * count as f64;
                    area += weight * self.area(near_column, near_row);
                }
                self.area(column, row) * objects / area
            })
            .collect()
    }

    /// A tile and those around it, with their weights.
    fn neighbours(&self, column: usize, row: usize) -> impl Iterator<Item = (usize, usize, f64)> {
        let around = |at: usize, end: usize| at.saturating_sub(1)..(at + 2).min(end);
        let weight = |at: usize, near: usize| if at == near { 2.0 } else { 1.0 };
        let columns = around(column, self.columns);
        around(row, self.rows).flat_map(move |near_row| {
            columns.clone().map(move |near_column| {
                let weight = weight(column, near_column) * weight(row, near_row);
                (near_column, near_row, weight)
            })
        })
    }

    /// The pixels of a tile.
    fn area(&self, column: usize, row: usize) -> f64 {
        let side = |at: usize, size: u64| (size - at as u64 * TILE).min(TILE) as f64;
        side(column, self.width) * side(row, self.height)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn one_object_spreads_by_the_weights() {
        let grid = Grid::new(3 * TILE, 3 * TILE);
        let middle = 1.5 * TILE as f64;
        let counted = grid.count([(middle, middle)].into_iter());
        assert_eq!(counted, [0, 0, 0, 0, 1, 0, 0, 0, 0]);
        let expected = grid.smooth(&counted);
        // In the middle 4 of all 16; in a corner its weight 1 of the 9 that are in the scene.
        assert!((expected[4] - 0.25).abs() < 1e-12, "{expected:?}");
        assert!((expected[0] - 1.0 / 9.0).abs() < 1e-12, "{expected:?}");
    }

    proptest! {
        #[test]
        fn even_density_stays_as_it_is(width in 1_u64..400, height in 1_u64..400) {
            // As many objects in each tile as it has pixels.
            let grid = Grid::new(width, height);
            let pixels = (0..height).flat_map(|y| (0..width).map(move |x| (x as f64, y as f64)));
            let counted = grid.count(pixels);
            for (count, expected) in counted.iter().zip(grid.smooth(&counted)) {
                prop_assert!((*count as f64 - expected).abs() < 1e-6);
            }
        }
    }
}
