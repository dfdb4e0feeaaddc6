//! Aborting whole families.

use waystation_core::id::JobId;
use waystation_core::job::{Family, JobFilter, PAGE_MAX};
use waystation_core::port::{Error, Store};

/// Aborts all children of a job that have not ended, and theirs. Those that have ended are gone
/// through, too: a child that failed may have left children that go on.
pub async fn abort_children(store: &dyn Store, job_id: &JobId, reason: &str) -> Result<(), Error> {
    let mut open = vec![job_id.clone()];
    while let Some(parent) = open.pop() {
        let mut before = None;
        loop {
            let family = Family::ChildrenOf(parent.clone());
            let filter = JobFilter { family, before, limit: PAGE_MAX, ..JobFilter::default() };
            let page = store.jobs(filter).await?;
            for child in &page.jobs {
                if !child.state.is_terminal() {
                    store.abort(&child.job_id, reason).await?;
                }
                open.push(child.job_id.clone());
            }
            match page.next {
                Some(next) => before = Some(next),
                None => break,
            }
        }
    }
    Ok(())
}
