//! `waystation jobs`: see jobs, and end or repeat them.

mod bulk;
mod list;
mod show;
pub mod timeline;

use clap::{ArgGroup, Subcommand};
use waystation::server::wire::{
    AbortOutcome, AbortRequest, Aborted, Act, JobDetail, OperationRequest, RetryRequest,
};

use super::exit::{Error, Outcome};
use super::input::Objects;
use super::operations;
use super::session::Global;
use super::site::{Query, Refusal, Site};
use super::{dead, out, watch, words};

use bulk::Selected;

/// What can be done with jobs.
#[derive(Subcommand)]
pub enum Verb {
    /// List jobs, newest first.
    List(list::Arguments),
    /// Show all that is known of a job.
    Show(show::Arguments),
    /// Tell why a job is where it is, and what it waits for.
    Why {
        /// The job
        job: String,
    },
    /// Follow a job to its end.
    Watch {
        /// The job
        job: String,
    },
    /// Abort jobs that have not ended.
    Abort(Abort),
    /// Try failed jobs again, each at the stage where it failed.
    Retry(Retry),
}

/// Which jobs to abort.
#[derive(clap::Args)]
#[command(group(ArgGroup::new("which").required(true).args(["jobs", "all"])))]
pub struct Abort {
    /// The jobs
    jobs: Vec<String>,
    #[command(flatten)]
    selected: Selected,
    /// Why
    #[arg(long, value_name = "TEXT", default_value = "aborted by hand")]
    reason: String,
}

/// Which jobs to try again.
#[derive(clap::Args)]
#[command(group(ArgGroup::new("which").required(true).args(["jobs", "all_failed", "all"])))]
pub struct Retry {
    /// The jobs
    jobs: Vec<String>,
    /// All that failed, one by one
    #[arg(long)]
    all_failed: bool,
    #[command(flatten)]
    selected: Selected,
    /// From this stage on, instead of where each failed
    #[arg(long, value_name = "STAGE", conflicts_with = "all_failed")]
    from: Option<String>,
    /// With these params instead of the job's own: a JSON object, @FILE, or - for stdin
    #[arg(long, value_name = "JSON|@FILE|-", allow_hyphen_values = true)]
    #[arg(conflicts_with_all = ["all_failed", "all"])]
    params: Option<String>,
    /// Why, where all that match are tried again
    #[arg(long, value_name = "TEXT", default_value = "tried again by hand", requires = "all")]
    reason: String,
}

/// Does it.
pub async fn run(verb: Verb, global: &Global) -> Result<Outcome, Error> {
    let site = global.site().await?;
    match verb {
        Verb::List(arguments) => list::run(arguments, &site, global).await,
        Verb::Show(arguments) => show::run(&arguments, &site, global).await,
        Verb::Why { job } => show::why(&job, &site, global).await,
        Verb::Watch { job } => watch::follow(&site, &[job], global).await,
        Verb::Abort(Abort { jobs, selected, reason }) => {
            selected.check(false)?;
            if selected.all {
                let request = selected.request(Act::Abort, reason, None);
                return operations::carry_out(&site, &request, selected.dry_run, global).await;
            }
            abort(&jobs, reason, &site, global).await
        }
        Verb::Retry(retry) => try_again(retry, &site, global).await,
    }
}

/// A job, or the error that there is none.
pub async fn find(site: &Site, job_id: &str) -> Result<JobDetail, Refusal> {
    site.get(&["jobs", job_id], &Query::default()).await
}

async fn try_again(retry: Retry, site: &Site, global: &Global) -> Result<Outcome, Error> {
    let Retry { jobs, all_failed, selected, from, params, reason } = retry;
    selected.check(all_failed)?;
    if all_failed {
        return dead::retry_all(site, selected.pipeline.as_deref(), global).await;
    }
    if selected.all {
        let request: OperationRequest = selected.request(Act::Retry, reason, from);
        return operations::carry_out(site, &request, selected.dry_run, global).await;
    }
    let params = params.map(|text| Objects::open("--params", &text).and_then(Objects::one));
    let params = params.transpose()?;
    if params.is_some() && jobs.len() > 1 {
        let message = format!("--params is for one job, but {} are named", jobs.len());
        return Err(Error::usage(message));
    }
    dead::retry(site, &jobs, &RetryRequest { from, params }, global).await
}

async fn abort(
    jobs: &[String],
    reason: String,
    site: &Site,
    global: &Global,
) -> Result<Outcome, Error> {
    let mut outcome = Outcome::Done;
    let request = AbortRequest { reason };
    for job_id in jobs {
        outcome = outcome.and(match abort_one(job_id, &request, site).await {
            Ok(Some(aborted)) => {
                tell(&aborted, global);
                Outcome::Done
            }
            Ok(None) => {
                dead::refuse(job_id, "had already ended", global);
                Outcome::NotAll
            }
            Err(refusal) if refusal.is_of_one() => {
                dead::refuse(job_id, "unknown to this store", global);
                Outcome::Unknown
            }
            Err(refusal) => return Err(refusal.into()),
        });
    }
    Ok(outcome)
}

/// Aborts a job. `None` when it had ended before.
async fn abort_one(
    job_id: &str,
    request: &AbortRequest,
    site: &Site,
) -> Result<Option<Aborted>, Refusal> {
    let is_over = |job: JobDetail| words::has_ended(&job.job.state);
    if is_over(find(site, job_id).await?) {
        return Ok(None);
    }
    match site.post(&["jobs", job_id, "abort"], request).await {
        Ok(aborted) => Ok(Some(aborted)),
        // It ended at this moment.
        Err(_) if is_over(find(site, job_id).await?) => Ok(None),
        Err(refusal) => Err(refusal),
    }
}

fn tell(aborted: &Aborted, global: &Global) {
    if global.json {
        return out::json(aborted);
    }
    let text = match aborted.outcome {
        AbortOutcome::Aborted => "aborted",
        AbortOutcome::Requested => {
            "is to be aborted: its worker is told, and no later stage will see it"
        }
    };
    out::line(format_args!("{} {text}", out::clean(&aborted.job_id)));
}
