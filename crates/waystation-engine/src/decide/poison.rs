//! Whether a job is taken for poison, that was handed out again and again without an end.

use waystation_core::pipeline::Stage;

use crate::control::Death;

/// Beyond so many times what its stage allows a job is poison, whatever is known of it.
const FACTOR: u32 = 3;

/// Whether a job is poison after so many deliveries. Where a supervisor looks how workers end,
/// jobs are told apart that were at hand beside the one that ended them: only those deliveries
/// count then in which the job had begun, all but the first.
pub fn is_poison(stage: &Stage, deliveries: u32, death: Option<&Death>, supervised: bool) -> bool {
    let max = stage.max_deliveries;
    if deliveries <= max {
        return false;
    }
    let deaths = death.map_or(0, |death| death.times);
    !supervised || deaths + 1 >= max || deliveries > max.saturating_mul(FACTOR)
}

#[cfg(test)]
mod tests {
    use waystation_core::clock::Timestamp;

    use super::*;

    #[test]
    fn a_job_is_poison_by_its_own_doing_or_after_far_too_many_deliveries() {
        let stage = Stage { max_deliveries: 3, ..Stage::new("work", "x") };
        let death = |times| Death {
            times,
            worker_id: "w".to_owned(),
            reason: "signal 6".to_owned(),
            at: Timestamp(0),
        };
        for (deliveries, deaths, supervised, expected) in [
            (3, 9, true, false),
            (4, 0, false, true),
            (4, 0, true, false),
            (4, 1, true, false),
            (4, 2, true, true),
            (9, 0, true, false),
            (10, 0, true, true),
        ] {
            let death = (deaths > 0).then(|| death(deaths));
            let is = is_poison(&stage, deliveries, death.as_ref(), supervised);
            assert_eq!(is, expected, "{deliveries} deliveries, {deaths} deaths, {supervised}");
        }
    }
}
