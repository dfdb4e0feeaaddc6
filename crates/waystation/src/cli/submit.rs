//! `waystation submit`: new jobs for a pipeline.

use std::path::Path;
use std::time::{Duration, Instant};

use waystation::Rejected;
use waystation::core::clock::Timestamp;
use waystation::core::pipeline::Pipeline;
use waystation::core::port::SETTLE_MAX;
use waystation::core::settlement::{Priority as Number, priority};
use waystation::server::Code;
use waystation::server::wire::{
    ManyJobs, Moment, NewJob, PipelineText, PipelineVersion, Priority, SubmitOutcome, SubmittedJob,
    SubmittedJobs, WhenDuplicate,
};

use super::exit::{Error, Outcome};
use super::input::Objects;
use super::session::{Global, read_pipeline};
use super::site::{Refusal, Site};
use super::{out, timing, watch};

/// A request holds about so many bytes of params at most, of several jobs: servers take no more
/// than twice as many.
const BATCH_BYTES_MAX: usize = 4 * 1024 * 1024;
/// A year.
const DELAY_SECONDS_MAX: u64 = 365 * 24 * 60 * 60;

/// An hour, and how often is looked whether there is room.
const ROOM_SECONDS_MAX: u64 = 3_600;
const ROOM_PAUSE: Duration = Duration::from_millis(200);

/// What `submit` is told.
#[derive(clap::Args)]
pub struct Arguments {
    /// The pipeline: a file, or the name of one that the store knows. A server is given the file's
    /// text, for which it wants an admin's token; `${NAME}` in it gets the server's values
    pipeline: String,
    /// The jobs' params: a JSON object, @FILE, or - for stdin; both may hold many objects
    #[arg(long, value_name = "JSON|@FILE|-", default_value = "{}", allow_hyphen_values = true)]
    params: String,
    /// Start at this stage
    #[arg(long, value_name = "STAGE")]
    entry: Option<String>,
    /// End after this stage
    #[arg(long, value_name = "STAGE")]
    exit: Option<String>,
    /// Jobs of one pipeline with the same key are one job
    #[arg(long, value_name = "KEY", alias = "key")]
    dedupe_key: Option<String>,
    /// What to do when another job has the key
    #[arg(long, value_enum, default_value_t, requires = "dedupe_key")]
    on_duplicate: Policy,
    /// low, normal, high, critical, or a number: higher runs first
    #[arg(long, value_name = "NAME|N", default_value = "normal", allow_hyphen_values = true)]
    #[arg(value_parser = priority::parse)]
    priority: Number,
    /// Not before so many seconds
    #[arg(long, value_name = "N")]
    #[arg(value_parser = clap::value_parser!(u64).range(..=DELAY_SECONDS_MAX))]
    delay_seconds: Option<u64>,
    /// The moment at which it is to have ended, as 2026-01-31T12:00:00Z
    #[arg(long, value_name = "MOMENT", value_parser = timing::parse)]
    deadline: Option<Timestamp>,
    /// The job's id, instead of a new one
    #[arg(long, value_name = "ID", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    job_id: Option<String>,
    /// Where as many jobs wait at their stage as may, wait so long for room
    #[arg(long, value_name = "SECONDS", default_value_t = 0)]
    #[arg(value_parser = clap::value_parser!(u64).range(..=ROOM_SECONDS_MAX))]
    wait_for_room: u64,
    /// Follow the jobs to their end
    #[arg(long)]
    watch: bool,
}

/// What to do when another job has the key.
#[derive(Clone, Copy, Default, clap::ValueEnum)]
enum Policy {
    /// Submit nothing, and fail
    Reject,
    /// Submit nothing, and give the other job's id
    #[default]
    ReturnExisting,
    /// Abort the other job, unless it has ended
    Replace,
}

/// Submits the jobs, in batches.
pub async fn run(arguments: Arguments, global: &Global) -> Result<Outcome, Error> {
    let mut objects = Objects::open("--params", &arguments.params)?;
    let (site, target) = pipeline(&arguments.pipeline, global).await?;
    let mut job_ids = Vec::new();
    let mut submitted = 0;
    let mut outcome = Outcome::Done;
    loop {
        let batch = next_batch(&mut objects, &arguments, &target, timing::now());
        let jobs = batch.map_err(|error| after(error, submitted))?;
        if jobs.is_empty() {
            break;
        }
        let sent = jobs.len();
        let answers = send(&site, jobs, arguments.wait_for_room).await;
        let answers = answers.map_err(|refusal| unanswered(refusal, sent, submitted))?.jobs;
        submitted += answers.len();
        for answer in answers {
            tell(&answer, arguments.dedupe_key.as_deref(), global);
            match answer.outcome {
                SubmitOutcome::Rejected => outcome = Outcome::NotAll,
                _ if arguments.watch => job_ids.push(answer.job_id),
                _ => {}
            }
        }
    }
    if submitted == 0 {
        return Err(Error::usage("--params holds no object: nothing was submitted"));
    }
    if !job_ids.is_empty() {
        return Ok(outcome.and(watch::follow(&site, &job_ids, global).await?));
    }
    Ok(outcome)
}

/// Submits a batch, again while its lane is full and there is time left.
async fn send(site: &Site, jobs: Vec<NewJob>, seconds: u64) -> Result<SubmittedJobs, Refusal> {
    let until = Instant::now() + Duration::from_secs(seconds);
    let batch = ManyJobs { jobs };
    loop {
        match site.post::<SubmittedJobs>(&["jobs"], &batch).await {
            // Nothing of it was written.
            Err(refusal) if refusal.code() == Some(Code::Full) && Instant::now() < until => {
                tokio::time::sleep(ROOM_PAUSE).await;
            }
            answered => return answered,
        }
    }
}

/// The pipeline that jobs are for, and its version where that is known.
struct Target {
    name: String,
    version: Option<u32>,
}

/// The pipeline, put there when it is a file.
async fn pipeline(named: &str, global: &Global) -> Result<(Site, Target), Error> {
    let path = Path::new(named);
    let looks_like_a_file = named.contains('/')
        || path.extension().is_some_and(|end| ["yaml", "yml", "json"].iter().any(|e| end == *e));
    if path.is_file() || looks_like_a_file {
        let (site, put) = put(path, global).await?;
        return Ok((site, Target { name: put.name, version: Some(put.version) }));
    }
    let target = Target { name: named.to_owned(), version: None };
    Ok((global.site().await?, target))
}

/// Puts a pipeline file's text to the site. No store is made for a bad one.
pub async fn put(path: &Path, global: &Global) -> Result<(Site, PipelineVersion), Error> {
    let source = match global.server_url()? {
        // What the names in it stand for is known there.
        Some(_) => read_pipeline(path)?,
        None => global.read_good_pipeline(path)?,
    };
    let origin = path.display().to_string();
    let name = Pipeline::load_graph(&origin, &source, &*global.environment())?.name;
    let site = global.site_to_make().await?;
    let put = site.put(&["pipelines", name.as_str()], &PipelineText { source }).await?;
    Ok((site, put))
}

fn next_batch(
    objects: &mut Objects,
    arguments: &Arguments,
    target: &Target,
    now: Timestamp,
) -> Result<Vec<NewJob>, Error> {
    let (mut batch, mut bytes) = (Vec::new(), 0);
    while batch.len() < SETTLE_MAX
        && bytes < BATCH_BYTES_MAX
        && let Some(params) = objects.next()?
    {
        bytes += serde_json::to_string(&params).map_or(0, |text| text.len());
        batch.push(NewJob { params, ..arguments.job(target, now) });
    }
    if batch.len() > 1 && (arguments.job_id.is_some() || arguments.dedupe_key.is_some()) {
        let option = if arguments.job_id.is_some() { "--job-id" } else { "--dedupe-key" };
        let message = format!("{option} is for one job, but --params holds several objects");
        return Err(Error::usage(message));
    }
    Ok(batch)
}

/// The same error, and what was submitted before it.
fn after(error: Error, submitted: usize) -> Error {
    match submitted {
        0 => error,
        count => {
            let jobs = out::counted(count, "job");
            error.with(&format!(" ({jobs} before that: submitted; what follows: not)"))
        }
    }
}

/// What is told of jobs whose submitting was not answered well.
fn unanswered(refusal: Refusal, sent: usize, submitted: usize) -> Error {
    let is_unsure = refusal.is_unsure();
    let error = after(refusal.into(), submitted);
    if !is_unsure {
        return error;
    }
    let jobs = out::counted(sent, "job");
    error.with(&format!(
        " (whether the last {jobs} came to be is not known: `jobs list` tells; what has a --job-id \
         or --dedupe-key can be submitted again safely)"
    ))
}

/// Says what came of a job: its id, or that of the one that stands for it, in a line of its own.
fn tell(answer: &SubmittedJob, key: Option<&str>, global: &Global) {
    if global.json {
        return out::json(answer);
    }
    let SubmittedJob { job_id, outcome, replaced } = answer;
    match outcome {
        SubmitOutcome::Created => out::line(job_id),
        SubmitOutcome::Replaced => {
            out::line(job_id);
            let replaced = replaced.as_deref().unwrap_or("that had the key");
            out::hint(format_args!("it takes the place of job {replaced}, which is aborted"));
        }
        SubmitOutcome::Duplicate => {
            out::line(job_id);
            out::hint(format_args!("job {job_id} is there already: nothing was submitted"));
        }
        SubmitOutcome::Rejected => {
            let key = key.unwrap_or_default().to_owned();
            let rejected = Rejected { key, job_id: job_id.as_str().into() };
            out::say(format_args!("{}: {rejected}", out::error_word()));
        }
    }
}

impl Arguments {
    /// A job as it is to be, but for its params.
    fn job(&self, target: &Target, now: Timestamp) -> NewJob {
        let delay = self.delay_seconds.map(Duration::from_secs);
        let on_duplicate = self.dedupe_key.as_ref().map(|_| match self.on_duplicate {
            Policy::Reject => WhenDuplicate::Reject,
            Policy::ReturnExisting => WhenDuplicate::ReturnExisting,
            Policy::Replace => WhenDuplicate::Replace,
        });
        NewJob {
            pipeline: target.name.clone(),
            pipeline_version: target.version,
            job_id: self.job_id.clone(),
            entry_stage: self.entry.clone(),
            exit_stage: self.exit.clone(),
            dedupe_key: self.dedupe_key.clone(),
            on_duplicate,
            priority: Some(Priority::Number(self.priority)),
            not_before: delay.map(|delay| Moment(now.plus(delay))),
            deadline: self.deadline.map(Moment),
            ..NewJob::default()
        }
    }
}
