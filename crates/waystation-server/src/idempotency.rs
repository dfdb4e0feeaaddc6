//! Requests that are one although they came twice: the ids of the jobs that a request made are kept
//! under its key before it makes them, so that a repetition makes the same ones, or none.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::json;
use waystation_core::port::{Expected, Put};

use crate::access::hash;
use crate::context::Context;
use crate::problem::{Code, Problem};

/// Where they lie.
const COLLECTION: &str = "idempotency";
/// How long a key is remembered.
const KEPT: Duration = Duration::from_hours(24);

/// What is remembered of a request.
#[derive(Serialize, Deserialize)]
struct Remembered {
    /// The hash of what was asked for.
    fingerprint: String,
    /// The jobs that it makes.
    job_ids: Vec<String>,
}

/// The ids of the jobs that a request makes: these, or those that the same request had before.
pub async fn ids(
    context: &Context,
    by: &str,
    key: &str,
    request: &str,
    ids: Vec<String>,
) -> Result<Vec<String>, Problem> {
    let (records, now) = (&context.backend().records, context.now());
    let (place, fingerprint) = (hash(&json!([by, key]).to_string()), hash(request));
    let fresh = Remembered { fingerprint: fingerprint.clone(), job_ids: ids };
    let (value, until) = (json!(fresh), Some(now.plus(KEPT)));
    let put = records.put_record(COLLECTION, &place, &value, Expected::Absent, until).await?;
    if let Put::Kept(_) = put {
        return Ok(fresh.job_ids);
    }
    let known = records.record(COLLECTION, &place).await?;
    let known = known.and_then(|record| serde_json::from_value::<Remembered>(record.value).ok());
    match known {
        Some(known) if known.fingerprint == fingerprint => Ok(known.job_ids),
        Some(_) => {
            let why = format!("Idempotency-Key {key} stands for another request (hint: a new key)");
            Err(Problem::new(Code::Conflict, why))
        }
        // It expired at this moment.
        None => Ok(fresh.job_ids),
    }
}
