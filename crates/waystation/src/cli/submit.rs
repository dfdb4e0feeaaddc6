//! `waystation submit`: new jobs for a pipeline.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use waystation::core::id::{JobId, PipelineName};
use waystation::core::port::SETTLE_MAX;
use waystation::core::settlement::Submitted;
use waystation::engine::Graph;
use waystation::{Client, Submission};

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
    #[arg(long, value_name = "DEDUPE")]
    key: Option<String>,
    /// Higher runs first
    #[arg(long, value_name = "N", default_value_t = 0, allow_hyphen_values = true)]
    priority: i16,
    /// Not before so many seconds
    #[arg(long, value_name = "N")]
    #[arg(value_parser = clap::value_parser!(u64).range(..=DELAY_SECONDS_MAX))]
    delay_seconds: Option<u64>,
    /// The job's id, instead of a new one
    #[arg(long, value_name = "ID", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    job_id: Option<String>,
    /// Follow the jobs to their end
    #[arg(long)]
    watch: bool,
}

/// Submits the jobs, in batches.
pub async fn run(arguments: Arguments, global: &Global) -> Result<Outcome, Error> {
    let mut objects = Objects::open("--params", &arguments.params)?;
    let (client, graph) = pipeline(&arguments.pipeline, global).await?;
    let mut job_ids = Vec::new();
    let mut submitted = 0;
    loop {
        let batch = next_batch(&mut objects, &arguments, &client);
        let batch = batch.map_err(|error| after(error, submitted))?;
        if batch.is_empty() {
            break;
        }
        let answers = client.submit(&graph, batch).await;
        let answers = answers.map_err(|error| after(error.into(), submitted))?;
        submitted += answers.len();
        for answer in &answers {
            let job_id = tell(answer, global);
            if arguments.watch {
                job_ids.push(job_id.clone());
            }
        }
    }
    if submitted == 0 {
        return Err(Error::usage("--params holds no object: nothing was submitted"));
    }
    if arguments.watch {
        return watch::follow(client.backend(), &job_ids, global).await;
    }
    Ok(Outcome::Done)
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
            dedupe_key: arguments.key.clone(),
            priority: arguments.priority,
            not_before: delay.map(|delay| now.plus(delay)),
        });
    }
    if batch.len() > 1 && (arguments.job_id.is_some() || arguments.key.is_some()) {
        let option = if arguments.job_id.is_some() { "--job-id" } else { "--key" };
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

fn tell<'a>(answer: &'a Submitted, global: &Global) -> &'a JobId {
    let (job_id, word) = match answer {
        Submitted::Created(job_id) => (job_id, "created"),
        Submitted::Duplicate(job_id) => (job_id, "duplicate"),
    };
    match (global.json, answer) {
        (true, _) => out::json(&json!({ "job_id": job_id, "submitted": word })),
        (false, Submitted::Created(_)) => out::line(job_id),
        (false, Submitted::Duplicate(_)) => {
            out::line(job_id);
            out::hint(format_args!("job {job_id} is there already: nothing was submitted"));
        }
    }
    job_id
}
