//! What those get of a queue before which others go.

/// While some are passed over, one delivery in so many is the oldest of the lowest priority that
/// waits.
pub const NORMAL_SHARE: usize = 16;

/// How many of a queue went before others since those had their share. Whoever hands out keeps it
/// from one time to the next, so that it holds also where one is taken at a time. It grows only
/// where somebody is passed over: a queue of one priority is never asked for its lowest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Share {
    passed: usize,
}

impl Share {
    /// How many of up to `max` are to be the oldest of the lowest priority that waits. The others
    /// are taken by priority, and so are these where there are not as many.
    pub fn due(self, max: usize) -> usize {
        ((self.passed + 1) / NORMAL_SHARE).min(max.div_ceil(NORMAL_SHARE))
    }

    /// Counts what was taken: so many by priority, and so many of the lowest. Where nothing waited
    /// that is lower than all that was taken by priority, nobody was passed over, and counting
    /// begins anew. What is due is paid at once: after one large claim, not for all small ones.
    pub fn took(&mut self, by_priority: usize, of_the_lowest: usize, passed_over: bool) {
        let taken = by_priority + of_the_lowest;
        let passed = (self.passed + taken).saturating_sub(NORMAL_SHARE * of_the_lowest);
        self.passed = if passed_over { passed.min(taken + NORMAL_SHARE - 1) } else { 0 };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many of the lowest come of so many takes of up to `max`.
    fn of_the_lowest(share: &mut Share, takes: usize, max: usize) -> usize {
        let due = (0..takes).map(|_| {
            let due = share.due(max);
            share.took(max - due, due, true);
            due
        });
        due.sum()
    }

    #[test]
    fn one_in_sixteen_is_of_the_lowest_however_many_are_taken_at_a_time() {
        for max in [1, 3, 15, 16, 17, 100, 1_000] {
            let mut share = Share::default();
            assert!(of_the_lowest(&mut share, 16, max) <= max, "{max} at a time");
            assert_eq!(of_the_lowest(&mut share, 160, max), 10 * max, "{max} at a time");
        }
        assert_eq!(of_the_lowest(&mut Share::default(), 15, 1), 0, "first by priority alone");
        assert_eq!(of_the_lowest(&mut Share::default(), 16, 1), 1);
    }

    #[test]
    fn large_claim_leaves_little_for_small_ones_to_pay() {
        let mut share = Share::default();
        share.took(1_000, 0, true);
        assert_eq!(share.due(1_000), 62);
        assert_eq!(of_the_lowest(&mut share, 16, 1), 2);
    }

    #[test]
    fn counting_begins_anew_where_nobody_is_passed_over() {
        let mut share = Share::default();
        share.took(15, 0, true);
        assert_eq!(share.due(1), 1);
        share.took(1, 0, false);
        assert_eq!((share, share.due(1_000)), (Share::default(), 0));
    }
}
