//! Clears away what jobs leave behind that have ended, and what is known of the running no longer.

use std::time::Duration;

use tokio_util::sync::CancellationToken;
use waystation_core::job::PAGE_MAX;
use waystation_core::port::{Error, Records, Store};
use waystation_core::statistics;

use crate::backend::Backend;

/// How often, after the start.
const INTERVAL: Duration = Duration::from_mins(1);

/// Clears away at the start, for engines that live shortly, and again and again until the engine
/// drains. What is left then is the next engine's.
pub async fn run(backend: Backend, drain: CancellationToken) {
    loop {
        let (store, records) = (&*backend.store, &*backend.records);
        if let Err(error) = clear(store).await {
            tracing::warn!(%error, "steps of ended jobs are kept until the next time");
        }
        let old = backend.clock.now().minus(statistics::KEPT);
        if let Err(error) = store.forget_statistics(old).await {
            tracing::warn!(%error, "old statistics are kept until the next time");
        }
        if let Err(error) = clear_records(records).await {
            tracing::warn!(%error, "expired records are kept until the next time");
        }
        tokio::select! {
            () = drain.cancelled() => return,
            () = tokio::time::sleep(INTERVAL) => {}
        }
    }
}

/// Forgets the steps of jobs that ended, page by page, so that nobody waits long for the store.
async fn clear(store: &dyn Store) -> Result<(), Error> {
    let mut after = store.forget_steps(None).await?;
    while let Some(last) = after {
        after = store.forget_steps(Some(&last)).await?;
    }
    Ok(())
}

/// Clears records that have expired, page by page.
async fn clear_records(records: &dyn Records) -> Result<(), Error> {
    while records.clear_expired_records().await? == PAGE_MAX {}
    Ok(())
}
