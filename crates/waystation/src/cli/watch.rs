//! Follows jobs to their end.

use std::time::Duration;

use serde_json::json;
use waystation::server::wire::{Event, EventPage, Job, JobDetail, LogLine};

use super::exit::{Error, Outcome};
use super::jobs::{find, timeline};
use super::session::Global;
use super::site::{Query, Refusal, Site};
use super::{out, words};

/// How long to wait at most before looking again, in seconds: signals may be lost.
const LOOK_AGAIN_SECONDS: u32 = 2;
/// The least time between two looks, and the most where only other jobs have news.
const GAP: Duration = Duration::from_millis(50);
const GAP_MAX: Duration = Duration::from_secs(1);

/// Tells what happens to these jobs, one after the other, until each has ended or waits.
pub async fn follow(site: &Site, job_ids: &[String], global: &Global) -> Result<Outcome, Error> {
    let mut outcome = Outcome::Done;
    for job_id in job_ids {
        if job_ids.len() > 1 && !global.json {
            out::line(out::paint(job_id, out::strong()));
        }
        outcome = outcome.and(follow_one(site, job_id, global).await?);
    }
    Ok(outcome)
}

async fn follow_one(site: &Site, job_id: &str, global: &Global) -> Result<Outcome, Error> {
    let (mut told, mut before, mut gap) = ((0, 0), None, GAP);
    loop {
        // Before the look: what happens after it is waited for.
        let place = place(site).await?;
        let detail = find(site, job_id).await?;
        let over = words::has_ended(&detail.job.state) || detail.job.state == "waiting";
        let now = (detail.job.state.clone(), detail.job.updated_at, detail.job.running_since);
        if before.as_ref() == Some(&now) {
            gap = (gap * 2).min(GAP_MAX);
        } else {
            gap = GAP;
            tell_news(site, job_id, &mut told, global).await?;
            before = Some(now);
        }
        if over {
            return Ok(end(&detail, global));
        }
        tokio::time::sleep(gap).await;
        wait_behind(site, place).await?;
    }
}

/// Where the feed of events stands.
async fn place(site: &Site) -> Result<u64, Refusal> {
    let page: EventPage = site.get(&["events"], &Query::limit(1)).await?;
    Ok(page.next)
}

/// Waits until something happens behind this place of the feed, for a while.
async fn wait_behind(site: &Site, place: u64) -> Result<(), Refusal> {
    let query = Query::limit(1).with("after", Some(place));
    let query = query.with("wait_seconds", Some(LOOK_AGAIN_SECONDS));
    site.get::<EventPage>(&["events"], &query).await.map(drop)
}

/// Tells what happened since the last time.
async fn tell_news(
    site: &Site,
    job_id: &str,
    told: &mut (usize, usize),
    global: &Global,
) -> Result<(), Error> {
    let (events, log) = history(site, job_id).await?;
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

/// What happened to a job, and what its attempts wrote.
pub async fn history(site: &Site, job_id: &str) -> Result<(Vec<Event>, Vec<LogLine>), Refusal> {
    let all = Query::default();
    let events = site.get(&["jobs", job_id, "events"], &all).await?;
    Ok((events, site.get(&["jobs", job_id, "log"], &all).await?))
}

fn end(detail: &JobDetail, global: &Global) -> Outcome {
    let job: &Job = &detail.job;
    if global.json {
        out::json(&json!({ "job": job }));
    } else {
        out::line(format_args!("{} at {}", words::state(&job.state), job.stage));
    }
    match job.state.as_str() {
        "waiting" => {
            let command = match (detail.task_id, detail.awaits) {
                (Some(task_id), _) => global.command(&format!("inbox show {task_id}")),
                (None, Some(_)) => {
                    let list = format!("jobs list --children-of {}", job.job_id);
                    let command = global.command(&list);
                    out::hint(format_args!("the job waits for its children: `{command}`"));
                    return Outcome::Done;
                }
                (None, None) => global.command("inbox list"),
            };
            out::hint(format_args!("the job waits for a person: `{command}`"));
            Outcome::Done
        }
        "failed" => {
            let command = global.command(&format!("jobs retry {}", job.job_id));
            out::hint(format_args!("to try again: `{command}`"));
            Outcome::NotAll
        }
        "aborted" => Outcome::NotAll,
        _ => Outcome::Done,
    }
}
