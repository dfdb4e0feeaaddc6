//! How workers ended that had a job in hand which had been handed out before: what a job is told of
//! that is taken for poison.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use waystation_core::clock::Timestamp;
use waystation_core::id::JobId;
use waystation_core::port::{Error, Expected};

use super::collection;
use crate::backend::Backend;

/// Where they lie, by job.
const COLLECTION: &str = "deaths";
/// How long one is kept.
const KEPT: Duration = Duration::from_hours(24 * 7);

/// How the worker of a job ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Death {
    /// How often a worker ended while it was at this job.
    pub times: u32,
    /// The last of them.
    pub worker_id: String,
    /// How: `signal 11 (SIGSEGV)`.
    pub reason: String,
    /// When.
    pub at: Timestamp,
}

/// Keeps how the worker of a job ended. Its times are counted on.
pub async fn keep(backend: &Backend, job_id: &JobId, death: &Death) -> Result<(), Error> {
    let before: Option<Death> = match backend.records.record(COLLECTION, job_id.as_str()).await? {
        Some(record) => collection::read(COLLECTION, record),
        None => None,
    };
    let times = death.times + before.map_or(0, |before| before.times);
    let value = collection::written(COLLECTION, &Death { times, ..death.clone() })?;
    let (gone, key) = (Some(death.at.plus(KEPT)), job_id.as_str());
    backend.records.put_record(COLLECTION, key, &value, Expected::Any, gone).await.map(drop)
}

/// How the worker of a job ended that had it last, where that is known.
pub async fn of(backend: &Backend, job_id: &JobId) -> Option<Death> {
    match backend.records.record(COLLECTION, job_id.as_str()).await {
        Ok(record) => record.and_then(|record| collection::read(COLLECTION, record)),
        Err(error) => {
            tracing::debug!(job = %job_id, %error, "how its worker ended is not known");
            None
        }
    }
}
