//! How well the page finder does on photos whose true corners are known.

use std::time::{Duration, Instant};

use crate::page::{find_page, warp_page};

use super::photograph;

/// Rolls and photos per roll: 72 photos, of which 60 are solvable.
const ROLLS: [u64; 3] = [7, 2024, 918_273];
const PHOTOS_PER_ROLL: u32 = 24;

/// How the finder did over several rolls.
#[derive(Debug, Default)]
struct Tally {
    solvable: u32,
    found: u32,
    error_percent_sum: f32,
    error_percent_max: f32,
    hopeless: u32,
    refused: u32,
    search: Duration,
}

impl Tally {
    fn count(&mut self, seed: u64, index: u32) {
        let photo = photograph(seed, index);
        let diagonal = (photo.image.width() as f32).hypot(photo.image.height() as f32);
        let start = Instant::now();
        let result = find_page(&photo.image);
        self.search += start.elapsed();
        if let Err(reason) = &result {
            println!("photo {seed}/{index}, solvable: {}: {reason}", photo.solvable);
        }
        if !photo.solvable {
            self.hopeless += 1;
            self.refused += u32::from(result.is_err());
            return;
        }
        self.solvable += 1;
        if let Ok(corners) = result {
            let error = corners.mean_distance(&photo.corners) / diagonal * 100.0;
            self.found += 1;
            self.error_percent_sum += error;
            self.error_percent_max = self.error_percent_max.max(error);
        }
    }
}

#[test]
fn pages_are_found_exactly_or_not_at_all() {
    let mut tally = Tally::default();
    for seed in ROLLS {
        for index in 0..PHOTOS_PER_ROLL {
            tally.count(seed, index);
        }
    }
    let mean = tally.error_percent_sum / tally.found as f32;
    println!("{tally:?}, mean error {mean} % of the diagonal");
    assert!(tally.solvable + tally.hopeless >= 60);
    assert!(tally.found * 100 >= tally.solvable * 95, "{tally:?}");
    assert!(mean < 0.2, "mean error {mean} % of the diagonal");
    assert!(tally.error_percent_max < 1.0, "{tally:?}");
    assert!(tally.refused * 10 >= tally.hopeless * 8, "{tally:?}");
}

#[test]
fn straightened_page_shows_its_corners_in_the_corners() {
    let photo = photograph(7, 0);
    let page = warp_page(&photo.image, &photo.corners);
    let ratio = page.height() as f32 / page.width() as f32;
    assert!((1.1..1.8).contains(&ratio), "a sheet came out with a ratio of {ratio}");
    for (x, y) in [(0.02, 0.02), (0.98, 0.02), (0.98, 0.98), (0.02, 0.98)] {
        let place = (page.width() as f32 * x, page.height() as f32 * y);
        let [red, _, _] = page.get_pixel(place.0 as u32, place.1 as u32).0;
        assert!(red > 90, "no paper at ({x}, {y}) but {red}");
    }
}
