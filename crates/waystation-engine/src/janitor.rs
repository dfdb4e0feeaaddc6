//! Clears away what jobs leave behind that have ended.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use waystation_core::port::{Error, Store};

/// How often.
const INTERVAL: Duration = Duration::from_mins(1);

/// Clears away again and again until the engine drains. What is left then is the next engine's.
pub async fn run(store: Arc<dyn Store>, drain: CancellationToken) {
    loop {
        tokio::select! {
            () = drain.cancelled() => return,
            () = tokio::time::sleep(INTERVAL) => {}
        }
        if let Err(error) = clear(&*store).await {
            tracing::warn!(%error, "steps of ended jobs are kept until the next time");
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
