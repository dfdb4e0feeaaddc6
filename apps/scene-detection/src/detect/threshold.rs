//! From how bright a pixel is part of an object.

/// How often each brightness occurs.
pub type Histogram = [u64; 256];

/// An object is at least this many standard deviations brighter than the background.
const CONTRAST_SIGMAS: f64 = 5.0;
/// The standard deviation of a normal distribution, over its median absolute deviation.
const SIGMA_PER_MAD: f64 = 1.4826;

/// Counts.
pub fn histogram(values: &[u8]) -> Histogram {
    let mut counts = [0; 256];
    for value in values {
        counts[usize::from(*value)] += 1;
    }
    counts
}

/// Pixels brighter than this are of objects: what Otsu's method says, but never so little that
/// the noise of the background passes, as it would in a scene without objects.
pub fn threshold(counts: &Histogram) -> u8 {
    otsu(counts).max(noise_limit(counts))
}

/// The threshold `t` that parts the values into two classes, `≤ t` and `> t`, such that the
/// variance between them, `w0·w1·(m0 - m1)²` with the classes' shares `w` and means `m`, is
/// largest; the lowest of those that are as good.
///
/// N. Otsu, "A threshold selection method from gray-level histograms", IEEE Transactions on
/// Systems, Man, and Cybernetics 9 (1979), equations 14 and 18.
pub fn otsu(counts: &Histogram) -> u8 {
    let total: u64 = counts.iter().sum();
    let sum: u64 = (0..).zip(counts).map(|(value, count)| value * count).sum();
    let (mut below, mut sum_below) = (0, 0);
    let (mut best, mut best_variance) = (0, 0.0);
    for (value, count) in (0_u8..=255).zip(counts) {
        below += count;
        sum_below += u64::from(value) * count;
        let above = total - below;
        if below == 0 || above == 0 {
            continue;
        }
        let mean_below = sum_below as f64 / below as f64;
        let mean_above = (sum - sum_below) as f64 / above as f64;
        // The shares' common divisor `total²` changes nothing about which is largest.
        let variance = below as f64 * above as f64 * (mean_above - mean_below).powi(2);
        if variance > best_variance {
            (best, best_variance) = (value, variance);
        }
    }
    best
}

/// The background's median, and five of its standard deviations above it. Both are told by
/// medians, which the few pixels of objects do not move.
pub fn noise_limit(counts: &Histogram) -> u8 {
    let median = median_of(counts);
    let mut deviations = [0; 256];
    for (value, count) in (0_u8..=255).zip(counts) {
        deviations[usize::from(value.abs_diff(median))] += count;
    }
    let sigma = SIGMA_PER_MAD * f64::from(median_of(&deviations));
    (f64::from(median) + CONTRAST_SIGMAS * sigma).round().min(255.0) as u8
}

/// The lowest value that half of all are not above; 0 of none.
fn median_of(counts: &Histogram) -> u8 {
    let half = counts.iter().sum::<u64>().div_ceil(2);
    let mut seen = 0;
    (0_u8..=255)
        .zip(counts)
        .find_map(|(value, count)| {
            seen += count;
            (seen >= half).then_some(value)
        })
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(of: &[(u8, u64)]) -> Histogram {
        let mut counts = [0; 256];
        for (value, count) in of {
            counts[usize::from(*value)] = *count;
        }
        counts
    }

    /// The definition, word for word.
    fn otsu_by_definition(counts: &Histogram) -> u8 {
        let total: u64 = counts.iter().sum();
        let share = |range: std::ops::RangeInclusive<usize>| {
            let count: u64 = counts[range.clone()].iter().sum();
            let sum: u64 = range.map(|value| value as u64 * counts[value]).sum();
            (count as f64 / total as f64, sum as f64 / count.max(1) as f64)
        };
        let variance = |t: usize| {
            let ((w0, m0), (w1, m1)) = (share(0..=t), share(t + 1..=255));
            w0 * w1 * (m0 - m1).powi(2)
        };
        let mut best = 0;
        for t in 0..255 {
            if variance(t) > variance(best) * (1.0 + 1e-12) {
                best = t;
            }
        }
        best as u8
    }

    #[test]
    fn two_heaps_are_parted_between_them() {
        let threshold = otsu(&counts(&[(10, 50), (12, 50), (200, 3), (210, 3)]));
        assert_eq!(threshold, 12, "the lowest of those that part them");
    }

    #[test]
    fn otsu_is_the_definition() {
        let mut random = fastrand::Rng::with_seed(1);
        for _ in 0..50 {
            let mut counts = [0; 256];
            for _ in 0..random.usize(2..400) {
                counts[usize::from(random.u8(..))] += random.u64(1..30);
            }
            assert_eq!(otsu(&counts), otsu_by_definition(&counts));
        }
    }

    #[test]
    fn noise_alone_does_not_pass() {
        // Ten grey values around 30: Otsu would take the brighter half for objects.
        let noise: Vec<(u8, u64)> = (25..=35).map(|value| (value, 100)).collect();
        assert_eq!(otsu(&counts(&noise)), 29);
        assert!(threshold(&counts(&noise)) > 35);
    }

    #[test]
    fn flat_and_empty_images_have_a_threshold() {
        assert_eq!(threshold(&counts(&[(7, 100)])), 7, "nothing is brighter");
        assert_eq!(threshold(&[0; 256]), 0);
    }
}
