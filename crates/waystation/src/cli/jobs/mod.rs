//! `waystation jobs`: see jobs, and end or repeat them.

mod list;
mod show;
pub mod timeline;

use clap::{ArgGroup, Subcommand};
use serde_json::json;
use waystation::core::id::{JobId, PipelineName};
use waystation::core::job::{JobRecord, TaskFilter, TaskRecord};
use waystation::core::port::{self, Abort};
use waystation::{Backend, Client};

use super::exit::{Error, Outcome};
use super::session::{Global, Session};
use super::{dead, out, watch};

/// What can be done with jobs.
#[derive(Subcommand)]
pub enum Verb {
    /// List jobs, newest first.
    List(list::Arguments),
    /// Show all that is known of a job.
    Show(show::Arguments),
    /// Follow a job to its end.
    Watch {
        /// The job
        job: JobId,
    },
    /// Abort jobs that have not ended.
    Abort {
        /// The jobs
        #[arg(required = true)]
        jobs: Vec<JobId>,
        /// Why
        #[arg(long, value_name = "TEXT", default_value = "aborted by hand")]
        reason: String,
    },
    /// Try failed jobs again, each at the stage where it failed.
    Retry(Retry),
}

/// Which jobs to try again.
#[derive(clap::Args)]
#[command(group(ArgGroup::new("which").required(true).args(["jobs", "all_failed"])))]
pub struct Retry {
    /// The jobs
    jobs: Vec<JobId>,
    /// All that failed
    #[arg(long)]
    all_failed: bool,
    /// Of all that failed, only those of this pipeline
    #[arg(long, requires = "all_failed", value_name = "PIPELINE")]
    pipeline: Option<PipelineName>,
}

/// Does it.
pub async fn run(verb: Verb, global: &Global) -> Result<Outcome, Error> {
    let session = global.open_existing().await?;
    match verb {
        Verb::List(arguments) => list::run(arguments, &session, global).await,
        Verb::Show(arguments) => show::run(&arguments, &session, global).await,
        Verb::Watch { job } => watch::follow(session.backend(), &[job], global).await,
        Verb::Abort { jobs, reason } => abort(&jobs, &reason, &session, global).await,
        Verb::Retry(Retry { pipeline, all_failed: true, .. }) => {
            dead::retry_all(&session, pipeline.as_ref(), global).await
        }
        Verb::Retry(Retry { jobs, .. }) => dead::retry(&session, &jobs, global).await,
    }
}

/// A job, or the error that there is none.
pub async fn find(backend: &Backend, job_id: &JobId) -> Result<JobRecord, Error> {
    let job = backend.store.job(job_id).await?;
    job.ok_or_else(|| Error::usage(format!("there is no job {}", out::clean(job_id.as_str()))))
}

/// The task of a job that waits for a person.
pub async fn task_of(
    backend: &Backend,
    job: &JobRecord,
) -> Result<Option<TaskRecord>, port::Error> {
    let filter = TaskFilter { job_id: Some(job.job_id.clone()), ..TaskFilter::first(1) };
    Ok(backend.store.tasks(filter).await?.into_iter().next())
}

async fn abort(
    jobs: &[JobId],
    reason: &str,
    session: &Session,
    global: &Global,
) -> Result<Outcome, Error> {
    let client: Client = session.client();
    let mut outcome = Outcome::Done;
    for job_id in jobs {
        let (word, text, one) = match client.abort(job_id, reason).await? {
            Abort::Done => ("aborted", "aborted", Outcome::Done),
            Abort::Requested => {
                let text = "runs: its worker is told, and no later stage will see it";
                ("requested", text, Outcome::Done)
            }
            Abort::TooLate => ("too_late", "had already ended", Outcome::NotAll),
            Abort::Unknown => ("unknown", "unknown to this store", Outcome::Unknown),
        };
        outcome = outcome.and(one);
        if global.json {
            out::json(&json!({ "job_id": job_id, "abort": word }));
        } else if one == Outcome::Done {
            out::line(format_args!("{job_id} {text}"));
        } else {
            out::say(format_args!("{}: job {job_id} {text}", out::error_word()));
        }
    }
    Ok(outcome)
}
