//! Reads what the children of a job gave, at the stage where they come together.

use waystation_core::Params;
use waystation_core::contract::{Contract, Gathered};
use waystation_core::failure::{ErrorKind, Failure};
use waystation_core::id::JobId;
use waystation_core::job::ChildRecord;
use waystation_core::pipeline::Stage;
use waystation_core::port::{self, Store};

use super::ask::{Unanswered, ask};
use crate::abort::abort_children;
use crate::backend::Backend;
use crate::decide::{Gatherer, Together};
use crate::stop::{Cause, Stop};

/// How many children are read at a time: each may be as large as a contract.
const PAGE: usize = 200;
/// Why children are aborted that nobody waits for any longer.
const NOT_NEEDED: &str = "enough of its siblings have ended";

/// Why a job does not go on from its join now.
pub enum Apart {
    /// It fails.
    Failed(Failure),
    /// It was tried again before all are there that must be.
    Open(String),
    /// The attempt must stop.
    Stopped(Cause),
}

impl From<Unanswered<port::Error>> for Apart {
    fn from(unanswered: Unanswered<port::Error>) -> Self {
        match unanswered {
            Unanswered::Refused(error) => {
                Self::Failed(Failure::from_error(ErrorKind::Transient, &error))
            }
            Unanswered::Stopped(cause) => Self::Stopped(cause),
        }
    }
}

/// The params of a job with what its children gave. Children that are not waited for any longer
/// are aborted first, so that none is left when the job goes on.
pub async fn gather(
    backend: &Backend,
    stage: &Stage,
    gathered: Gathered,
    contract: &Contract,
    stop: &Stop,
) -> Result<Params, Apart> {
    let join = stage.join.clone().unwrap_or_default();
    let bytes_max = backend.queue.capabilities().payload_bytes_max;
    let params = &contract.params;
    let mut gatherer = Gatherer::new(&join, &stage.id, gathered, params, bytes_max);
    let store = &*backend.store;
    let mut from = 0;
    loop {
        let page = ask(stop, || children(store, &contract.job_id, gathered, from)).await?;
        for child in &page {
            gatherer.add(child);
        }
        match page.last() {
            Some(last) if page.len() == PAGE => from = last.position + 1,
            _ => break,
        }
    }
    let (params, rest) = match gatherer.finish() {
        Together::Complete(params, rest) => (params, rest),
        Together::Open(why) => return Err(Apart::Open(why)),
        Together::Failed(failure) => return Err(Apart::Failed(failure)),
    };
    for child in &rest {
        ask(stop, || store.abort(child, NOT_NEEDED)).await?;
        ask(stop, || abort_children(store, child, NOT_NEEDED)).await?;
    }
    Ok(params)
}

async fn children(
    store: &dyn Store,
    job_id: &JobId,
    gathered: Gathered,
    from: u32,
) -> Result<Vec<ChildRecord>, port::Error> {
    store.children(job_id, gathered.visit, from, PAGE).await
}
