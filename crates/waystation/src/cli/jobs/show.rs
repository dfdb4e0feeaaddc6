//! `waystation jobs show`.

use serde_json::json;
use waystation::core::clock::Timestamp;
use waystation::core::contract::Contract;
use waystation::core::event::{Event, LogLine};
use waystation::core::failure::ErrorKind;
use waystation::core::id::{JobId, QueueName};
use waystation::core::job::{Awaited, JobRecord, TaskRecord};
use waystation::core::port::Depth;
use waystation::core::state::JobState;

use crate::cli::exit::{Error, Outcome};
use crate::cli::session::{Global, Session};
use crate::cli::{out, timing};

use super::{find, task_of, timeline};

/// Which job to show.
#[derive(clap::Args)]
pub struct Arguments {
    /// The job
    job: JobId,
    /// The last so many log lines
    #[arg(long, value_name = "N", default_value_t = 50)]
    log_lines: usize,
}

/// All that is known of a job.
struct Known {
    job: JobRecord,
    events: Vec<Event>,
    log: Vec<LogLine>,
    task: Option<TaskRecord>,
    /// What it waits for, while that is its children.
    awaited: Option<Awaited>,
    /// Of its stage's queue, while it stands there.
    depth: Option<Depth>,
}

/// Shows it.
pub async fn run(
    arguments: &Arguments,
    session: &Session,
    global: &Global,
) -> Result<Outcome, Error> {
    let known = gather(&arguments.job, session).await?;
    if global.json {
        out::json(&json!({
            "job": known.job, "events": known.events, "log": known.log, "task": known.task,
            "queue": known.depth, "awaited": known.awaited,
        }));
        return Ok(Outcome::Done);
    }
    print_facts(&known, session, global);
    let pretty = serde_json::to_string_pretty(&known.job.params).unwrap_or_default();
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

async fn gather(job_id: &JobId, session: &Session) -> Result<Known, Error> {
    let backend = session.backend();
    let job = find(backend, job_id).await?;
    let events = backend.store.events(job_id).await?;
    let log = backend.store.log(job_id).await?;
    let task = match job.state {
        JobState::Waiting => task_of(backend, &job).await?,
        _ => None,
    };
    let awaited = match job.state {
        JobState::Waiting => backend.store.awaited(job_id).await?,
        _ => None,
    };
    let depth = match job.state {
        JobState::Queued | JobState::Delayed | JobState::Retrying => {
            let queue = QueueName::of_stage(&job.pipeline, &job.stage);
            Some(backend.queue.depth(&queue).await?)
        }
        _ => None,
    };
    Ok(Known { job, events, log, task, awaited, depth })
}

fn print_facts(known: &Known, session: &Session, global: &Global) {
    let job = &known.job;
    let now = session.backend().clock.now();
    let ago = |then| format!("{} ({} ago)", timing::moment(then), timing::lasted(now.since(then)));
    fact("job", job.job_id.as_str());
    let state = out::paint(job.state.as_str(), out::style_of(job.state));
    fact("state", &format!("{state} at stage {}", job.stage));
    fact("pipeline", &format!("{} version {}", job.pipeline, job.pipeline_version));
    fact("submitted", &ago(job.created_at));
    fact("changed", &ago(job.updated_at));
    if let Some(parent) = &job.parent {
        fact("child", &format!("number {} of {}", parent.position, parent.job_id));
    }
    if let Some(Awaited { tally, .. }) = &known.awaited {
        let made = children_made(&known.events, known.awaited);
        let of = made.map_or_else(String::new, |made| format!(" of {made}"));
        let ended = format!("{} completed, {} failed", tally.completed, tally.failed);
        fact("children", &format!("{ended}{of}"));
    }
    if let Some(since) = job.running_since {
        fact("running", &format!("since {}", ago(since)));
    }
    if let Some(said) = &job.progress {
        let (percent, attempt) = (said.percent.round(), said.attempt);
        let said = format!("{percent} % {} (attempt {attempt}, {})", said.message, ago(said.at));
        fact("progress", &out::clean(&said));
    }
    if job.deliveries > 1 {
        fact("delivered", &format!("{} times to this stage", job.deliveries));
    }
    if let Some(at) = job.not_before.filter(|at| *at > now) {
        let wait = timing::lasted(at.since(now));
        fact("not before", &format!("{} (in {wait})", timing::moment(at)));
    }
    if let Some(deadline) = deadline(job) {
        fact("deadline", &timing::moment(deadline));
    }
    if let Some(failure) = &job.failure {
        fact("failure", &out::clean(&format!("{}: {}", failure.kind, failure.message)));
        if let (Some(stage), Some(attempt)) = (&failure.stage, failure.attempt) {
            fact("  at", &out::clean(&format!("stage {stage}, attempt {attempt}")));
        }
        for cause in &failure.causes {
            fact("  cause", &out::clean(cause));
        }
    }
    if let Some(depth) = &known.depth {
        let Depth { ready, delayed, leased, .. } = depth;
        fact("queue", &format!("{ready} ready, {delayed} delayed, {leased} running"));
    }
    if let Some(next) = next_step(known, global) {
        fact("next", &next);
    }
}

/// When the job is to have ended, as its contract says.
fn deadline(job: &JobRecord) -> Option<Timestamp> {
    Contract::parse(&job.body).ok()?.deadline
}

fn failed_by_a_child(job: &JobRecord) -> bool {
    job.failure.as_ref().is_some_and(|failure| failure.kind == ErrorKind::Child)
}

/// How many children the stage run made that the job waits for.
fn children_made(events: &[Event], awaited: Option<Awaited>) -> Option<u64> {
    let visit = awaited?.visit;
    let told = |event: &Event| event.detail.as_ref()?.get(Event::CHILDREN)?.as_u64();
    events.iter().filter(|event| event.visit == visit).find_map(told)
}

/// What the reader may do about it.
fn next_step(known: &Known, global: &Global) -> Option<String> {
    let job = &known.job;
    match job.state {
        JobState::Waiting if known.awaited.is_some() => {
            let command = global.command(&format!("jobs list --children-of {}", job.job_id));
            Some(format!("it goes on when its children have ended: `{command}`"))
        }
        JobState::Waiting => Some(match &known.task {
            Some(task) => {
                let command = global.command(&format!("inbox show {}", task.task_id));
                format!("task {} waits for a person: `{command}`", task.task_id)
            }
            None => format!("a person answers: `{}`", global.command("inbox list")),
        }),
        JobState::Failed if failed_by_a_child(job) => {
            let list = format!("jobs list --children-of {} --state failed", job.job_id);
            let (list, retry) = (global.command(&list), global.command("jobs retry JOB"));
            Some(format!("`{list}` names the children: `{retry}` for each, and then for this job"))
        }
        JobState::Failed => {
            let command = global.command(&format!("jobs retry {}", job.job_id));
            Some(format!("`{command}` tries it again at {}", job.stage))
        }
        JobState::Queued if known.depth.is_some_and(|depth| depth.leased == 0) => {
            Some("nothing runs at this stage (hint: is a `waystation run` up?)".to_owned())
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
