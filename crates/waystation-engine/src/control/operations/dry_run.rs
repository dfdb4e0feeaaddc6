//! How many jobs there are that something would be done to.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use waystation_core::job::PAGE_MAX;
use waystation_core::port::{Error, Store};

use super::Selection;

/// How many are counted one by one at most.
const COUNTED_MAX: u64 = 10_000;
/// How long counting may take.
const TIME_MAX: Duration = Duration::from_secs(3);

/// How many jobs are selected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DryRun {
    /// So many.
    pub jobs: u64,
    /// Whether those are all. There are at least so many otherwise.
    pub complete: bool,
}

/// Counts the selected jobs: at once where the store keeps count, else one by one, up to a limit.
pub async fn dry_run(store: &dyn Store, selection: &Selection) -> Result<DryRun, Error> {
    if is_counted(selection) {
        let counts = store.counts(selection.pipeline.as_ref()).await?;
        let wanted = counts.iter().filter(|count| {
            (selection.states.is_empty() || selection.states.contains(&count.state))
                && selection.stage.as_ref().is_none_or(|stage| count.stage == *stage)
        });
        return Ok(DryRun { jobs: wanted.map(|count| count.jobs).sum(), complete: true });
    }
    let (began, mut jobs, mut before) = (Instant::now(), 0, None);
    loop {
        let page = store.jobs(selection.filter(before, PAGE_MAX)).await?;
        jobs += page.jobs.len() as u64;
        let Some(next) = page.next else { return Ok(DryRun { jobs, complete: true }) };
        if jobs >= COUNTED_MAX || began.elapsed() > TIME_MAX {
            return Ok(DryRun { jobs, complete: false });
        }
        before = Some(next);
    }
}

/// Whether nothing is asked for but what stores keep count of.
fn is_counted(selection: &Selection) -> bool {
    let Selection { created_from, created_before, text, parents_only, children_of, .. } = selection;
    let moments = created_from.is_some() || created_before.is_some();
    !moments && text.is_none() && !parents_only && children_of.is_none()
}
