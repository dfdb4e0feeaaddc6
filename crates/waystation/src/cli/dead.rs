//! `waystation dead`: jobs that nobody tries again until a person says so.

use clap::Subcommand;
use serde_json::json;
use waystation::core::job::PAGE_MAX;
use waystation::server::wire::{DeadLetter, DeadLetterPage, Job, JobDetail, RetryRequest};

use super::exit::{Error, Outcome};
use super::session::Global;
use super::site::{Query, Refusal, Site};
use super::table::{Cell, Table};
use super::{out, timing, words};

/// What can be done with dead letters.
#[derive(Subcommand)]
pub enum Verb {
    /// List them, newest first.
    List {
        /// Only of this pipeline
        #[arg(long)]
        pipeline: Option<String>,
    },
    /// Try their jobs again, each at the stage where it failed.
    Retry(Which),
    /// Drop them. Their jobs stay failed.
    Drop(Which),
}

/// Which dead letters.
#[derive(clap::Args)]
#[group(required = true, multiple = false)]
pub struct Which {
    /// The jobs
    jobs: Vec<String>,
    /// All of them
    #[arg(long)]
    all: bool,
}

/// What is done to a letter.
#[derive(Clone, Copy)]
enum Act<'a> {
    Retry(&'a RetryRequest),
    Drop,
}

/// Does it.
pub async fn run(verb: Verb, global: &Global) -> Result<Outcome, Error> {
    let site = global.site().await?;
    let plain = RetryRequest::default();
    match verb {
        Verb::List { pipeline } => list(pipeline.as_deref(), &site, global).await,
        Verb::Retry(Which { all: true, .. }) => retry_all(&site, None, global).await,
        Verb::Retry(Which { jobs, .. }) => retry(&site, &jobs, &plain, global).await,
        Verb::Drop(Which { all: true, .. }) => act_on_all(Act::Drop, &site, None, global).await,
        Verb::Drop(Which { jobs, .. }) => {
            let mut outcome = Outcome::Done;
            for job_id in jobs {
                outcome = outcome.and(act(Act::Drop, &site, &job_id, None, global).await?);
            }
            Ok(outcome)
        }
    }
}

/// Tries these jobs again.
pub async fn retry(
    site: &Site,
    jobs: &[String],
    how: &RetryRequest,
    global: &Global,
) -> Result<Outcome, Error> {
    let mut outcome = Outcome::Done;
    for job_id in jobs {
        outcome = outcome.and(act(Act::Retry(how), site, job_id, None, global).await?);
    }
    Ok(outcome)
}

/// Tries every job again that failed, of one pipeline or of all.
pub async fn retry_all(
    site: &Site,
    pipeline: Option<&str>,
    global: &Global,
) -> Result<Outcome, Error> {
    act_on_all(Act::Retry(&RetryRequest::default()), site, pipeline, global).await
}

async fn list(pipeline: Option<&str>, site: &Site, global: &Global) -> Result<Outcome, Error> {
    let page = letters(site, &newest(pipeline)).await?;
    let letters = page.dead_letters;
    if global.json {
        letters.iter().for_each(out::json);
        return Ok(Outcome::Done);
    }
    if page.next.is_some() {
        out::say(format_args!("only the newest {PAGE_MAX} are shown"));
    }
    let Some(first) = letters.first() else {
        out::say("no dead letters");
        return Ok(Outcome::Done);
    };
    let mut table = Table::new(["job", "stage", "pipeline", "age", "attempt", "failure"]);
    for letter in &letters {
        let attempt = letter.failure.attempt;
        table.row(vec![
            letter.job_id.as_str().into(),
            letter.stage.as_str().into(),
            letter.pipeline.as_str().into(),
            timing::age(timing::now(), letter.at.0).into(),
            attempt.map_or_else(|| "–".to_owned(), |number| number.to_string()).into(),
            Cell::from(out::short(&words::failure(&letter.failure), 160)),
        ]);
    }
    table.print();
    let show = global.command(&format!("jobs show {}", first.job_id));
    let retry = global.command(&format!("dead retry {}", first.job_id));
    out::hint(format_args!("`{show}` tells more; `{retry}` tries again"));
    Ok(Outcome::Done)
}

async fn letters(site: &Site, query: &Query) -> Result<DeadLetterPage, Refusal> {
    site.get(&["dead-letters"], query).await
}

/// The newest dead letters of one pipeline or of all.
fn newest(pipeline: Option<&str>) -> Query {
    Query::limit(PAGE_MAX).with("pipeline", pipeline)
}

/// Does it to each letter once, page by page. Those that come meanwhile are not among them.
async fn act_on_all(
    what: Act<'_>,
    site: &Site,
    pipeline: Option<&str>,
    global: &Global,
) -> Result<Outcome, Error> {
    let mut outcome = Outcome::Done;
    let mut page = letters(site, &newest(pipeline)).await?;
    if page.dead_letters.is_empty() {
        out::say("no dead letters");
    }
    loop {
        for letter in &page.dead_letters {
            // One that cannot be tried again does not keep the others from it.
            outcome = outcome.and(act(what, site, &letter.job_id, Some(letter), global).await?);
        }
        let Some(next) = page.next else { return Ok(outcome) };
        page = letters(site, &newest(pipeline).with("before", Some(next))).await?;
    }
}

/// Does it to one. What keeps only this one from it is told, and is no error.
async fn act(
    what: Act<'_>,
    site: &Site,
    job_id: &str,
    letter: Option<&DeadLetter>,
    global: &Global,
) -> Result<Outcome, Error> {
    let refusal = match what {
        Act::Retry(how) => match site.post::<Job>(&["jobs", job_id, "retry"], how).await {
            Ok(job) if global.json => {
                out::json(&job);
                return Ok(Outcome::Done);
            }
            Ok(job) => {
                out::line(format_args!("{job_id} goes on at {}", job.stage));
                return Ok(Outcome::Done);
            }
            Err(refusal) => refusal,
        },
        Act::Drop => {
            let stage = match letter {
                Some(letter) => Some(letter.stage.clone()),
                None => stage_of(site, job_id).await?,
            };
            match site.delete(&["dead-letters", job_id]).await {
                Ok(()) if global.json => {
                    out::json(&json!({ "job_id": job_id, "result": "dropped" }));
                    return Ok(Outcome::Done);
                }
                Ok(()) => {
                    let at = stage.map_or_else(String::new, |stage| format!(" at {stage}"));
                    out::line(format_args!("{job_id} is dropped; it stays failed{at}"));
                    return Ok(Outcome::Done);
                }
                Err(refusal) => refusal,
            }
        }
    };
    told(refusal, site, job_id, global).await
}

/// At which stage a job failed that lies with the dead letters.
async fn stage_of(site: &Site, job_id: &str) -> Result<Option<String>, Refusal> {
    let found = letters(site, &Query::limit(1).with("job_id", Some(job_id))).await?;
    Ok(found.dead_letters.into_iter().next().map(|letter| letter.stage))
}

/// Tells why it was not done to this one, if it may be done to others.
async fn told(
    refusal: Refusal,
    site: &Site,
    job_id: &str,
    global: &Global,
) -> Result<Outcome, Error> {
    if !refusal.is_of_one() {
        return Err(refusal.into());
    }
    let job: Option<JobDetail> = site.get(&["jobs", job_id], &Query::default()).await.ok();
    let (why, outcome) = match job {
        None => ("is unknown to this store".to_owned(), Outcome::Unknown),
        Some(JobDetail { job, .. }) if job.state != "failed" => {
            (format!("is {}, not with the dead letters", job.state), Outcome::NotAll)
        }
        Some(_) => {
            // The job's name stands in front of it anyway.
            let why = refusal.to_string();
            let prefix = format!("job {job_id} ");
            (why.strip_prefix(&prefix).unwrap_or(&why).to_owned(), Outcome::NotAll)
        }
    };
    refuse(job_id, &why, global);
    Ok(outcome)
}

/// Tells that nothing was done to a job.
pub fn refuse(job_id: &str, why: &str, global: &Global) {
    if global.json {
        out::json(&json!({ "job_id": job_id, "error": why }));
    } else {
        let (job_id, why) = (out::clean(job_id), out::clean(why));
        out::say(format_args!("{}: job {job_id} {why}", out::error_word()));
    }
}
