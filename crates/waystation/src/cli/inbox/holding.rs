//! Whose tasks are, and when they are due.

use serde::Serialize;
use serde_json::json;
use waystation::core::clock::Timestamp;
use waystation::server::wire::{Moment, Task, TaskAssignment, TaskClaim, TaskDue};

use crate::cli::exit::{Error, Outcome};
use crate::cli::session::Global;
use crate::cli::site::Site;
use crate::cli::{out, timing};

/// Claims a task for a while.
pub async fn claim(id: i64, seconds: u32, site: &Site, global: &Global) -> Result<Outcome, Error> {
    let claim = TaskClaim { lasts_seconds: Some(seconds) };
    change(id, "claim", &claim, site, global).await
}

/// Makes it nobody's again.
pub async fn release(id: i64, site: &Site, global: &Global) -> Result<Outcome, Error> {
    change(id, "release", &json!({}), site, global).await
}

/// Makes it somebody's, or nobody's.
pub async fn assign(
    id: i64,
    to: Option<String>,
    site: &Site,
    global: &Global,
) -> Result<Outcome, Error> {
    change(id, "assign", &TaskAssignment { to }, site, global).await
}

/// Says when it is due.
pub async fn due(
    id: i64,
    at: Option<Timestamp>,
    site: &Site,
    global: &Global,
) -> Result<Outcome, Error> {
    change(id, "due", &TaskDue { due_at: at.map(Moment) }, site, global).await
}

async fn change(
    id: i64,
    act: &str,
    body: &impl Serialize,
    site: &Site,
    global: &Global,
) -> Result<Outcome, Error> {
    let task: Task = site.post(&["inbox", &id.to_string(), act], body).await?;
    if global.json {
        out::json(&task);
        return Ok(Outcome::Done);
    }
    let whose = match (&task.holder, task.claimed_until) {
        (Some(holder), Some(until)) => {
            format!("held by {holder} until {}", timing::moment(until.0))
        }
        (Some(holder), None) => format!("held by {holder}"),
        (None, _) => "held by nobody".to_owned(),
    };
    let due = task.due_at.map(|due| format!(", due {}", timing::moment(due.0)));
    out::line(out::clean(&format!("task {id} is {whose}{}", due.unwrap_or_default())));
    Ok(Outcome::Done)
}
