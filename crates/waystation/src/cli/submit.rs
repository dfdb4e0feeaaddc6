//! `waystation submit`: new jobs for a pipeline.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use waystation::core::clock::Timestamp;
use waystation::core::id::{JobId, PipelineName};
use waystation::core::port::SETTLE_MAX;
use waystation::core::settlement::Priority;
use waystation::engine::Graph;
use waystation::{Client, Dedupe, OnDuplicate, Rejected, Submission, Submitted, priority};

use super::exit::{Error, Outcome};
use super::input::Objects;
use super::session::Global;
use super::{out, watch};

/// A year.
const DELAY_SECONDS_MAX: u64 = 365 * 24 * 60 * 60;

/// What `submit` is told.
#[derive(clap::Args)]
pub struct Arguments {
    /// The pipeline: a file, or the name of one that the store knows
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
    priority: Priority,
    /// Not before so many seconds
    #[arg(long, value_name = "N")]
    #[arg(value_parser = clap::value_parser!(u64).range(..=DELAY_SECONDS_MAX))]
    delay_seconds: Option<u64>,
    /// The moment at which it is to have ended, as 2026-01-31T12:00:00Z
    #[arg(long, value_name = "MOMENT", value_parser = moment)]
    deadline: Option<Timestamp>,
    /// The job's id, instead of a new one
    #[arg(long, value_name = "ID", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    job_id: Option<String>,
    /// Follow the jobs to their end
    #[arg(long)]
    watch: bool,
}

fn moment(text: &str) -> Result<Timestamp, String> {
    let no_moment = || format!("`{text}` is no moment (hint: 2026-01-31T12:00:00Z, or +01:00)");
    Timestamp::parse(text).ok_or_else(no_moment)
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
    let (client, graph) = pipeline(&arguments.pipeline, global).await?;
    let mut job_ids = Vec::new();
    let mut submitted = 0;
    let mut outcome = Outcome::Done;
    loop {
        let batch = next_batch(&mut objects, &arguments, &client);
        let batch = batch.map_err(|error| after(error, submitted))?;
        if batch.is_empty() {
            break;
        }
        let answers = client.submit(&graph, batch).await;
        let answers = answers.map_err(|error| after(error.into(), submitted))?;
        submitted += answers.len();
        for answer in answers {
            tell(&answer, global);
            match answer.accepted() {
                Ok(job_id) if arguments.watch => job_ids.push(job_id),
                Ok(_) => {}
                Err(_) => outcome = Outcome::NotAll,
            }
        }
    }
    if submitted == 0 {
        return Err(Error::usage("--params holds no object: nothing was submitted"));
    }
    if !job_ids.is_empty() {
        return Ok(outcome.and(watch::follow(client.backend(), &job_ids, global).await?));
    }
    Ok(outcome)
}

/// The pipeline, installed when it is a file.
async fn pipeline(named: &str, global: &Global) -> Result<(Client, Arc<Graph>), Error> {
    let path = Path::new(named);
    let looks_like_a_file = named.contains('/')
        || path.extension().is_some_and(|end| ["yaml", "yml", "json"].iter().any(|e| end == *e));
    if path.is_file() || looks_like_a_file {
        let text = global.read_good_pipeline(path)?;
        global.refuse_fleeting_store()?;
        let client = global.open().await?.client();
        let definition = client.registry().install(named, &text).await?;
        return Ok((client, Arc::clone(definition.graph())));
    }
    let name = PipelineName::from(named);
    let client = global.open_existing().await?.client();
    let graph = client.registry().graph_to_act_on(&name, None).await?;
    Ok((client, graph))
}

fn next_batch(
    objects: &mut Objects,
    arguments: &Arguments,
    client: &Client,
) -> Result<Vec<Submission>, Error> {
    let now = client.backend().clock.now();
    let delay = arguments.delay_seconds.map(Duration::from_secs);
    let mut batch = Vec::new();
    while batch.len() < SETTLE_MAX
        && let Some(params) = objects.next()?
    {
        batch.push(Submission {
            job_id: arguments.job_id.as_deref().map(JobId::from),
            params,
            entry: arguments.entry.as_deref().map(Into::into),
            exit: arguments.exit.as_deref().map(Into::into),
            dedupe: arguments.dedupe(),
            priority: arguments.priority,
            not_before: delay.map(|delay| now.plus(delay)),
            deadline: arguments.deadline,
            ..Submission::default()
        });
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

/// Says what came of a job: its id, or that of the one that stands for it, in a line of its own.
fn tell(answer: &Submitted, global: &Global) {
    if global.json {
        return out::json(&object(answer));
    }
    match answer {
        Submitted::Created(job_id) => out::line(job_id),
        Submitted::Replaced { job_id, replaced } => {
            out::line(job_id);
            out::hint(format_args!("it takes the place of job {replaced}, which is aborted"));
        }
        Submitted::Duplicate(job_id) => {
            out::line(job_id);
            out::hint(format_args!("job {job_id} is there already: nothing was submitted"));
        }
        Submitted::Rejected(rejected) => {
            out::say(format_args!("{}: {rejected}", out::error_word()));
        }
    }
}

fn object(answer: &Submitted) -> Value {
    match answer {
        Submitted::Created(job_id) => json!({ "job_id": job_id, "submitted": "created" }),
        Submitted::Replaced { job_id, replaced } => {
            json!({ "job_id": job_id, "submitted": "replaced", "replaced": replaced })
        }
        Submitted::Duplicate(job_id) => json!({ "job_id": job_id, "submitted": "duplicate" }),
        Submitted::Rejected(Rejected { key, job_id }) => {
            json!({ "job_id": job_id, "submitted": "rejected", "dedupe_key": key })
        }
    }
}

impl Arguments {
    fn dedupe(&self) -> Option<Dedupe> {
        let policy = match self.on_duplicate {
            Policy::Reject => OnDuplicate::Reject,
            Policy::ReturnExisting => OnDuplicate::ReturnExisting,
            Policy::Replace => OnDuplicate::Replace,
        };
        self.dedupe_key.as_ref().map(|key| Dedupe::new(key).on_duplicate(policy))
    }
}
