//! Runs a handler until it ends, its time is over or it is told to stop.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use waystation_core::Params;
use waystation_core::failure::{ErrorKind, Failure};
use waystation_core::handler::{Completion, Context, Handler};

use crate::decide::{Limit, Outcome};
use crate::stop::{Cause, Stop};

/// Runs the handler until it ends, its time is over or it is told to stop. `None` when the lease
/// was lost.
pub async fn execute(
    handler: &Arc<dyn Handler>,
    context: Context,
    params: Params,
    limit: Option<Limit>,
    stop: &Stop,
    grace: Duration,
) -> Option<Outcome> {
    let stage = context.stage.clone();
    let cancellation = context.cancellation.clone();
    let work = async { handler.run(context, params).await };
    let work = AssertUnwindSafe(work).catch_unwind();
    tokio::pin!(work);
    let cause = tokio::select! {
        biased;
        ended = &mut work => return Some(outcome_of(ended)),
        cause = stop.stopped() => Over::Stopped(cause),
        limit = time_over(limit) => Over::Limit(limit),
    };
    cancellation.cancel();
    let ended = tokio::time::timeout(grace, &mut work).await;
    match (cause, ended) {
        (Over::Stopped(Cause::LeaseLost), _) => None,
        (Over::Stopped(Cause::Abort(reason)), _) => Some(Outcome::Aborted(reason)),
        // Work that was finished after all is kept.
        (_, Ok(Ok(Ok(completion)))) => Some(Outcome::Completed(completion)),
        (Over::Stopped(Cause::Shutdown), _) => Some(Outcome::HandedBack),
        (Over::Limit(limit), _) => Some(Outcome::Failed(limit.exceeded(&stage))),
    }
}

/// Why a handler is not let go on.
enum Over {
    /// It is to stop.
    Stopped(Cause),
    /// Its time is over.
    Limit(Limit),
}

async fn time_over(limit: Option<Limit>) -> Limit {
    match limit {
        Some(limit) => {
            tokio::time::sleep(limit.length).await;
            limit
        }
        None => std::future::pending().await,
    }
}

fn outcome_of(
    ended: Result<Result<Completion, Failure>, Box<dyn std::any::Any + Send>>,
) -> Outcome {
    match ended {
        Ok(Ok(completion)) => Outcome::Completed(completion),
        Ok(Err(failure)) => Outcome::Failed(failure),
        Err(panic) => {
            let message = panic
                .downcast_ref::<String>()
                .map(String::as_str)
                .or_else(|| panic.downcast_ref::<&str>().copied())
                .unwrap_or("without a message");
            Outcome::Failed(Failure::new(ErrorKind::Panic, format!("handler panicked: {message}")))
        }
    }
}
