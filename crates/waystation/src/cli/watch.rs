//! Follows jobs to their end.

use std::time::Duration;

use serde_json::json;
use waystation::Backend;
use waystation::core::id::JobId;
use waystation::core::job::JobRecord;
use waystation::core::state::JobState;

use super::exit::{Error, Outcome};
use super::jobs::{find, task_of, timeline};
use super::out;
use super::session::Global;

/// How long to wait at most before looking again: the job may be worked on elsewhere.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
const GAP: Duration = Duration::from_millis(50);

/// Tells what happens to these jobs, one after the other, until each has ended or waits.
pub async fn follow(
    backend: &Backend,
    job_ids: &[JobId],
    global: &Global,
) -> Result<Outcome, Error> {
    let mut outcome = Outcome::Done;
    for job_id in job_ids {
        if job_ids.len() > 1 && !global.json {
            out::line(out::paint(job_id.as_str(), out::strong()));
        }
        outcome = outcome.and(follow_one(backend, job_id, global).await?);
    }
    Ok(outcome)
}

async fn follow_one(backend: &Backend, job_id: &JobId, global: &Global) -> Result<Outcome, Error> {
    let mut told = (0, 0);
    let mut before: Option<JobRecord> = None;
    loop {
        let mut signals = backend.bus.subscribe();
        let job = find(backend, job_id).await?;
        let over = job.state.is_terminal() || job.state == JobState::Waiting;
        if before.as_ref() != Some(&job) {
            tell_news(backend, job_id, &mut told, global).await?;
        }
        if over {
            return end(backend, &job, global).await;
        }
        before = Some(job);
        tokio::time::sleep(GAP).await;
        let _ = tokio::time::timeout(LOOK_AGAIN, signals.next()).await;
    }
}

/// Tells what happened since the last time.
async fn tell_news(
    backend: &Backend,
    job_id: &JobId,
    told: &mut (usize, usize),
    global: &Global,
) -> Result<(), Error> {
    let events = backend.store.events(job_id).await?;
    let log = backend.store.log(job_id).await?;
    if global.json {
        for event in events.iter().skip(told.0) {
            out::json(&json!({ "event": event }));
        }
        for line in log.iter().skip(told.1) {
            out::json(&json!({ "job_id": job_id, "log": line }));
        }
    } else {
        for line in timeline::lines(&events, &log, *told) {
            out::line(line);
        }
    }
    *told = (events.len(), log.len());
    Ok(())
}

async fn end(backend: &Backend, job: &JobRecord, global: &Global) -> Result<Outcome, Error> {
    if global.json {
        out::json(&json!({ "job": job }));
    } else {
        let state = out::paint(job.state.as_str(), out::style_of(job.state));
        out::line(format_args!("{state} at {}", job.stage));
    }
    match job.state {
        JobState::Waiting => {
            let command = match task_of(backend, job).await? {
                Some(task) => global.command(&format!("inbox show {}", task.task_id)),
                None => global.command("inbox list"),
            };
            out::hint(format_args!("the job waits for a person: `{command}`"));
            Ok(Outcome::Done)
        }
        JobState::Failed => {
            let command = global.command(&format!("jobs retry {}", job.job_id));
            out::hint(format_args!("to try again: `{command}`"));
            Ok(Outcome::NotAll)
        }
        JobState::Aborted => Ok(Outcome::NotAll),
        _ => Ok(Outcome::Done),
    }
}
