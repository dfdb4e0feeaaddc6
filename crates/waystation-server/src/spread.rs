//! How long many things took, as it is counted: by buckets.

use std::time::Duration;

use waystation_core::statistics::{BEYOND, BOUNDS_MS, UNTIMED};

/// How long so many things took: a number for each bucket.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Spread([u64; UNTIMED as usize + 1]);

impl Spread {
    /// Takes in so many of a bucket.
    pub fn add(&mut self, bucket: u8, count: u64) {
        if let Some(sum) = self.0.get_mut(usize::from(bucket)) {
            *sum += count;
        }
    }

    /// About how long it took at most for this share of them, from 0 to 1: as if they lay evenly
    /// within their bucket. `None` when there are none.
    pub fn percentile(&self, share: f64) -> Option<Duration> {
        let timed = &self.0[..=usize::from(BEYOND)];
        let total: u64 = timed.iter().sum();
        if total == 0 {
            return None;
        }
        let rank = share * total as f64;
        let mut below = 0.0;
        for (bucket, count) in timed.iter().enumerate().filter(|(_, count)| **count > 0) {
            let count = *count as f64;
            if below + count >= rank {
                let bound = |index: usize| BOUNDS_MS.get(index).copied().unwrap_or(LONGEST_MS);
                let low = bucket.checked_sub(1).map_or(0, bound) as f64;
                let part = ((rank - below) / count).clamp(0.0, 1.0);
                let ms = low + (bound(bucket) as f64 - low) * part;
                return Some(Duration::from_micros((ms * 1_000.0) as u64));
            }
            below += count;
        }
        None
    }
}

/// What stands for everything that took longer than the last bound.
const LONGEST_MS: u64 = BOUNDS_MS[BOUNDS_MS.len() - 1];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_lie_within_their_buckets() {
        let mut spread = Spread::default();
        assert_eq!(spread.percentile(0.5), None);
        spread.add(UNTIMED, 5);
        assert_eq!(spread.percentile(0.5), None, "nobody knows how long these took");
        // 100 between 50 and 100 ms, and one beyond every bound.
        spread.add(6, 100);
        spread.add(BEYOND, 1);
        assert_eq!(spread.percentile(0.5), Some(Duration::from_micros(75_250)));
        assert_eq!(spread.percentile(1.0), Some(Duration::from_millis(LONGEST_MS)));
    }
}
