//! `waystation jobs show` and `jobs why`.

use serde_json::json;
use waystation::core::clock::Timestamp;
use waystation::server::wire::{Event, Failure, Job, JobDetail, LogLine};

use crate::cli::exit::{Error, Outcome};
use crate::cli::session::Global;
use crate::cli::site::Site;
use crate::cli::{out, timing, watch, words};

use super::{find, timeline};

/// Which job to show.
#[derive(clap::Args)]
pub struct Arguments {
    /// The job
    job: String,
    /// The last so many log lines
    #[arg(long, value_name = "N", default_value_t = 50)]
    log_lines: usize,
}

/// All that is known of a job.
struct Known {
    detail: JobDetail,
    events: Vec<Event>,
    log: Vec<LogLine>,
}

/// Tells why a job is where it is, and what it waits for.
pub async fn why(job_id: &str, site: &Site, global: &Global) -> Result<Outcome, Error> {
    let JobDetail { job, why, .. } = find(site, job_id).await?;
    if global.json {
        out::json(&json!({ "job_id": job.job_id, "state": job.state, "why": why }));
        return Ok(Outcome::Done);
    }
    out::line(format_args!("{} at stage {}", words::state(&job.state), out::clean(&job.stage)));
    for reason in &why {
        out::line(out::clean(&reason.words));
    }
    Ok(Outcome::Done)
}

/// Shows it.
pub async fn run(arguments: &Arguments, site: &Site, global: &Global) -> Result<Outcome, Error> {
    let detail = find(site, &arguments.job).await?;
    let (events, log) = watch::history(site, &arguments.job).await?;
    let known = Known { detail, events, log };
    if global.json {
        let Known { detail, events, log } = known;
        out::json(&json!({ "job": detail, "events": events, "log": log }));
        return Ok(Outcome::Done);
    }
    print_facts(&known, timing::now(), global);
    let pretty = serde_json::to_string_pretty(&known.detail.job.params).unwrap_or_default();
    title("params");
    for line in pretty.lines() {
        out::line(format_args!("  {}", out::clean(line)));
    }
    let cut = known.log.len().saturating_sub(arguments.log_lines);
    title("timeline (UTC)");
    for line in timeline::lines(&known.events, &known.log[cut..], (0, 0)) {
        out::line(format_args!("  {line}"));
    }
    if cut > 0 {
        let lines = out::counted(cut, "earlier log line");
        out::say(format_args!("{lines} left out: --log-lines {}", known.log.len()));
    }
    Ok(Outcome::Done)
}

fn print_facts(known: &Known, now: Timestamp, global: &Global) {
    let (detail, job) = (&known.detail, &known.detail.job);
    let ago = |then| format!("{} ({} ago)", timing::moment(then), timing::lasted(now.since(then)));
    fact("job", &out::clean(&job.job_id));
    fact("state", &format!("{} at stage {}", words::state(&job.state), out::clean(&job.stage)));
    // Of what has ended the lines below tell as much.
    let why = detail.why.iter().filter(|_| !words::has_ended(&job.state));
    for (index, reason) in why.enumerate() {
        fact(if index == 0 { "why" } else { "" }, &out::clean(&reason.words));
    }
    fact("pipeline", &format!("{} version {}", out::clean(&job.pipeline), job.pipeline_version));
    fact("submitted", &ago(job.created_at.0));
    fact("changed", &ago(job.updated_at.0));
    if let Some(parent) = &job.parent {
        fact("child", &format!("number {} of {}", parent.position, parent.job_id));
    }
    if let Some(awaits) = &detail.awaits {
        fact("children", &format!("{} completed, {} failed", awaits.completed, awaits.failed));
    }
    if let Some(since) = job.running_since {
        fact("running", &format!("since {}", ago(since.0)));
    }
    if let Some(said) = &job.progress {
        let (percent, attempt) = (said.percent.round(), said.attempt);
        let said = format!("{percent} % {} (attempt {attempt}, {})", said.message, ago(said.at.0));
        fact("progress", &out::clean(&said));
    }
    if job.deliveries > 1 {
        fact("delivered", &format!("{} times to this stage", job.deliveries));
    }
    if let Some(at) = job.not_before.map(|at| at.0).filter(|at| *at > now) {
        let wait = timing::lasted(at.since(now));
        fact("not before", &format!("{} (in {wait})", timing::moment(at)));
    }
    if let Some(deadline) = detail.deadline {
        fact("deadline", &timing::moment(deadline.0));
    }
    if let Some(failure) = &job.failure {
        print_failure(failure);
    }
    if let Some(next) = next_step(detail, global) {
        fact("next", &next);
    }
}

fn print_failure(failure: &Failure) {
    fact("failure", &out::clean(&format!("{}: {}", failure.kind, failure.message)));
    if let (Some(stage), Some(attempt)) = (&failure.stage, failure.attempt) {
        fact("  at", &out::clean(&format!("stage {stage}, attempt {attempt}")));
    }
    for cause in &failure.causes {
        fact("  cause", &out::clean(cause));
    }
}

fn failed_by_a_child(job: &Job) -> bool {
    job.failure.as_ref().is_some_and(|failure| failure.kind == "child")
}

/// What the reader may do about it.
fn next_step(detail: &JobDetail, global: &Global) -> Option<String> {
    let JobDetail { job, task_id, awaits, .. } = detail;
    match job.state.as_str() {
        "waiting" if awaits.is_some() => {
            let command = global.command(&format!("jobs list --children-of {}", job.job_id));
            Some(format!("it goes on when its children have ended: `{command}`"))
        }
        "waiting" => Some(match task_id {
            Some(task_id) => {
                let command = global.command(&format!("inbox show {task_id}"));
                format!("task {task_id} waits for a person: `{command}`")
            }
            None => format!("a person answers: `{}`", global.command("inbox list")),
        }),
        "failed" if failed_by_a_child(job) => {
            let list = format!("jobs list --children-of {} --state failed", job.job_id);
            let (list, retry) = (global.command(&list), global.command("jobs retry JOB"));
            Some(format!("`{list}` names the children: `{retry}` for each, and then for this job"))
        }
        "failed" => {
            let command = global.command(&format!("jobs retry {}", job.job_id));
            Some(format!("`{command}` tries it again at {}", job.stage))
        }
        _ => None,
    }
}

fn fact(name: &str, text: &str) {
    out::line(format_args!("{} {text}", out::paint(&format!("{name:<10}"), out::faint())));
}

fn title(text: &str) {
    out::line("");
    out::line(out::paint(text, out::strong()));
}
