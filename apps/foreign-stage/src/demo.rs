//! Everything at once: three services, an admin program that submits jobs and watches them, and a
//! look at what the store has of them.

use std::path::Path;

use anyhow::{Context, bail, ensure};
use waystation::core::event::EventKind;
use waystation::core::state::JobState;
use waystation::{JobId, OpenApp, Signals};

use crate::places::Places;
use crate::process::{Process, ours, theirs};
use crate::{app, python};

/// The order in which a job must have completed its stages.
const STAGES: [&str; 3] = ["detect", "classify", "predict"];

/// Runs it with this many jobs. Everything that it started has ended when it returns.
pub async fn run(jobs: usize, places: &Places) -> anyhow::Result<()> {
    let mut signals = Signals::listen()?;
    let python = python::interpreter()?;
    let mut services = start_services(&python, places)?;
    println!("detect, classify and predict run in a process each; {jobs} jobs are submitted\n");
    let submitted = tokio::select! {
        submitted = submit_and_watch(&python, jobs, places) => submitted,
        died = first_to_end(&mut services) => Err(died),
        () = signals.next() => Err(anyhow::anyhow!("told to end")),
    };
    for service in &mut services {
        service.end().await?;
    }
    let submitted = submitted?;
    ensure!(submitted.len() == jobs, "{} of {jobs} jobs were submitted", submitted.len());
    check_store(&submitted, places).await
}

/// `detect`, `classify` and `predict`, in a process each.
fn start_services(python: &Path, places: &Places) -> anyhow::Result<[Process; 3]> {
    let program = std::env::current_exe()?;
    Ok([
        Process::start("detect", ours(&program, "detect", places))?,
        Process::start("classify", theirs(python, "classify.py", places))?,
        Process::start("predict", ours(&program, "predict", places))?,
    ])
}

/// None of them ends before it is told to.
async fn first_to_end([detect, classify, predict]: &mut [Process; 3]) -> anyhow::Error {
    let (name, ended) = tokio::select! {
        ended = detect.ended() => (detect.name(), ended),
        ended = classify.ended() => (classify.name(), ended),
        ended = predict.ended() => (predict.name(), ended),
    };
    match ended {
        Ok(status) => anyhow::anyhow!("{name} ended before its time: {status}"),
        Err(error) => error,
    }
}

/// Lets the admin program do its work; gives the jobs that it submitted.
async fn submit_and_watch(
    python: &Path,
    jobs: usize,
    places: &Places,
) -> anyhow::Result<Vec<JobId>> {
    let list = std::env::temp_dir().join(format!("foreign-stage-{}.jobs", std::process::id()));
    let mut admin = theirs(python, "admin.py", places);
    admin.args(["--jobs", &jobs.to_string(), "--ids-to"]).arg(&list);
    let status = Process::start("admin", admin)?.ended().await?;
    let text = std::fs::read_to_string(&list);
    let _ = std::fs::remove_file(&list);
    if !status.success() {
        bail!("the admin program did not see every job complete: {status}");
    }
    Ok(text.context("the list of jobs")?.lines().map(JobId::from).collect())
}

/// Every job is completed in the store as well, which it was never submitted to.
async fn check_store(jobs: &[JobId], places: &Places) -> anyhow::Result<()> {
    let app = app(places)?.open().await?;
    let mut good = 0;
    for job_id in jobs {
        match wrong(&app, job_id).await? {
            None => good += 1,
            Some(why) => println!("job {job_id} in the store: {why}"),
        }
    }
    println!("{good} of {} jobs are completed in the store, stage by stage", jobs.len());
    ensure!(good == jobs.len(), "the store does not have all of it");
    Ok(())
}

/// What is wrong with a job in the store.
async fn wrong(app: &OpenApp, job_id: &JobId) -> anyhow::Result<Option<String>> {
    let job = app.job(job_id).await?;
    if job.state != JobState::Completed {
        return Ok(Some(format!("{} at {}", job.state.as_str(), job.stage)));
    }
    let events = app.client().backend().store.events(job_id).await?;
    let completed = events.iter().filter(|event| event.kind == EventKind::Completed);
    let stages: Vec<_> = completed.map(|event| event.stage.as_str()).collect();
    Ok((stages != STAGES).then(|| format!("completed {}", stages.join(", "))))
}
