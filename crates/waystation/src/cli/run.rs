//! `waystation run`: a pipeline's engine in this process.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio_util::sync::CancellationToken;
use waystation::config::Given;
use waystation::core::id::StageId;
use waystation::core::job::Count;
use waystation::core::pipeline::Pipeline;
use waystation::core::state::JobState;
use waystation::{Backend, Definition, Engine, Handle, Options, Sources};

use super::exit::{Error, Outcome};
use super::out;
use super::progress::Progress;
use super::serve;
use super::session::Global;
use super::table::{Cell, Table};
use waystation::Signals;

/// What `run` is told.
#[derive(clap::Args)]
pub struct Arguments {
    /// The pipeline file
    pipeline: PathBuf,
    /// The same as --set input=DIR
    #[arg(long, value_name = "DIR")]
    input: Option<String>,
    /// Let sources look once, and end when no job can go on by itself
    #[arg(long)]
    until_idle: bool,
    /// Serve only these stages here; others serve the rest
    #[arg(long, value_name = "STAGE,...", value_delimiter = ',')]
    stages: Vec<String>,
    /// Serve the API and the dashboard beside it [default address: 127.0.0.1:7280]
    #[arg(long, value_name = "ADDRESS", num_args = 0..=1, require_equals = true)]
    #[expect(clippy::option_option, reason = "absent, without a value, with one")]
    serve: Option<Option<SocketAddr>>,
    /// How long what runs may go on once the engine is to end [default: 30]
    #[arg(long, value_name = "N")]
    drain_seconds: Option<u64>,
    /// How long a dead worker's jobs stay its own [default: 30]
    #[arg(long, value_name = "N")]
    lease_seconds: Option<u64>,
}

impl Arguments {
    /// What they say of settings.
    pub fn given(&self) -> Vec<Given> {
        let given = [
            Given::new("engine.drain_seconds", "--drain-seconds", self.drain_seconds),
            Given::new("engine.lease_seconds", "--lease-seconds", self.lease_seconds),
        ];
        let address = serve::given("--serve", self.serve.flatten());
        given.into_iter().flatten().chain(address).collect()
    }
}

/// Runs the pipeline until it is idle, broken or told to end.
pub async fn run(arguments: Arguments, global: &Global) -> Result<Outcome, Error> {
    let global = &with_input(global, arguments.input.as_deref())?;
    let text = global.read_good_pipeline(&arguments.pipeline)?;
    let mut signals = Signals::listen()
        .map_err(|error| Error::failed(format!("cannot listen to signals: {error}")))?;
    let session = global.open_to_run().await?;
    let backend = session.backend().clone();
    let registry = session.client().registry().clone();
    let definition = registry.install(&arguments.pipeline.display().to_string(), &text).await?;
    let settings = &global.settings().engine;
    let drain = settings.drain;
    let options = Options {
        lease: settings.lease,
        drain,
        stages: served(&definition, &arguments.stages)?,
        sources: if arguments.until_idle { Sources::Once } else { Sources::Continuous },
        ..Options::default()
    };
    let failed_before = failed(&backend.store.counts(Some(&definition.pipeline.name)).await?);
    let mut progress = Progress::new(&backend, &definition, global).await?;
    let engine = Engine::start(backend.clone(), registry, Arc::clone(&definition), options).await?;
    greet(&definition, arguments.until_idle, global);
    let stopper = engine.stopper();
    let mut serving = None;
    if arguments.serve.is_some() {
        let begun = serve::begin(session.client(), global).await?;
        if !global.quiet {
            out::say(format_args!("the dashboard: {}", begun.address));
        }
        serving = Some(begun);
    }
    let ended = tokio::select! {
        ended = drive(engine, arguments.until_idle) => Some(ended),
        () = until_stopped(&mut signals, &stopper, drain) => None,
        never = progress.follow() => match never {},
    };
    progress.finish().await;
    if let Some(serving) = serving {
        serving.end().await;
    }
    match ended {
        Some(ended) => ended?,
        None => return Ok(Outcome::StoppedAtOnce),
    }
    if arguments.until_idle {
        return summarise(&backend, &definition, global, failed_before).await;
    }
    if !global.quiet {
        out::say("stopped: nothing runs any more");
    }
    Ok(Outcome::Done)
}

/// Drains at the first signal; returns at the second.
pub(super) async fn until_stopped(
    signals: &mut Signals,
    stopper: &CancellationToken,
    drain: Duration,
) {
    signals.next().await;
    out::say(format_args!(
        "draining: what runs may go on for {} s (once more to stop at once)",
        drain.as_secs()
    ));
    stopper.cancel();
    signals.next().await;
    out::say("stopped at once: what ran is handed out again by the next run");
}

/// The options with `--input DIR` as what it stands for.
fn with_input(global: &Global, input: Option<&str>) -> Result<Global, Error> {
    let mut global = global.clone();
    let Some(input) = input else { return Ok(global) };
    if global.sets.iter().any(|(name, _)| name == "input") {
        return Err(Error::usage("--input and --set input=... say the same: leave one out"));
    }
    global.flags.sets.push(("input".to_owned(), input.to_owned()));
    Ok(global)
}

/// The stages that were named, all of which the pipeline has.
fn served(definition: &Definition, named: &[String]) -> Result<Option<Vec<StageId>>, Error> {
    let stages = &definition.pipeline.stages;
    for name in named {
        if !stages.iter().any(|stage| stage.id.as_str() == name) {
            let known: Vec<_> = stages.iter().map(|stage| stage.id.as_str()).collect();
            let (pipeline, known) = (&definition.pipeline.name, known.join(", "));
            return Err(Error::usage(format!(
                "--stages: pipeline `{pipeline}` has no stage `{name}` (its stages: {known})"
            )));
        }
    }
    let named: Vec<_> = named.iter().map(|name| StageId::from(name.as_str())).collect();
    Ok((!named.is_empty()).then_some(named))
}

fn greet(definition: &Definition, until_idle: bool, global: &Global) {
    if global.quiet {
        return;
    }
    let (name, version) = (&definition.pipeline.name, definition.version);
    let end = if until_idle { "until it is idle" } else { "until Ctrl-C" };
    out::say(format_args!("running {name} version {version} on {} {end}", global.places()));
}

/// Lets the engine work until it is idle, or until it is told to end.
pub(super) async fn drive(engine: Handle, until_idle: bool) -> Result<(), Error> {
    if until_idle {
        let idle = engine.until_idle().await;
        engine.stop();
        engine.join().await?;
        return Ok(idle?);
    }
    Ok(engine.join().await?)
}

fn failed(counts: &[Count]) -> u64 {
    let failed = counts.iter().filter(|count| count.state == JobState::Failed);
    failed.map(|count| count.jobs).sum()
}

/// Says what became of the jobs, and how to go on.
async fn summarise(
    backend: &Backend,
    definition: &Definition,
    global: &Global,
    failed_before: u64,
) -> Result<Outcome, Error> {
    let counts = backend.store.counts(Some(&definition.pipeline.name)).await?;
    let sum = |wanted: &dyn Fn(JobState) -> bool| -> u64 {
        counts.iter().filter(|count| wanted(count.state)).map(|count| count.jobs).sum()
    };
    // Failures of earlier runs have been told.
    let failed = failed(&counts).saturating_sub(failed_before);
    let waiting = sum(&|state| state == JobState::Waiting);
    let moving = sum(&|state| !state.is_terminal() && state != JobState::Waiting);
    if global.json {
        let name = &definition.pipeline.name;
        out::json(&json!({ "summary": {
            "pipeline": name, "failed": failed, "waiting": waiting, "unfinished": moving,
            "counts": counts,
        }}));
    } else {
        print_table(&definition.pipeline, &counts);
    }
    if waiting > 0 {
        let tasks = out::counted(waiting as usize, "job");
        let verb = if waiting == 1 { "waits" } else { "wait" };
        let command = global.command("inbox list");
        out::hint(format_args!("{tasks} {verb} for a person: `{command}`"));
    }
    if failed > 0 {
        let jobs = out::counted(failed as usize, "job");
        out::hint(format_args!("{jobs} failed: `{}`", global.command("dead list")));
    }
    if moving > 0 {
        out::hint(format_args!("{} left unfinished", out::counted(moving as usize, "job")));
    }
    Ok(if failed + moving > 0 { Outcome::NotAll } else { Outcome::Done })
}

/// A row a stage where jobs stand, a column a state that jobs are in.
fn print_table(pipeline: &Pipeline, counts: &[Count]) {
    let states: Vec<JobState> = JobState::ALL
        .into_iter()
        .filter(|state| counts.iter().any(|count| count.state == *state && count.jobs > 0))
        .collect();
    if states.is_empty() {
        out::line("no jobs");
        return;
    }
    let mut heads = vec![Cell::head("stage")];
    heads.extend(states.iter().map(|state| Cell::right_head(state.as_str())));
    let mut table = Table::with_heads(heads);
    let mut stages: Vec<_> = pipeline.stages.iter().map(|stage| stage.id.clone()).collect();
    for count in counts {
        if !stages.contains(&count.stage) {
            stages.push(count.stage.clone());
        }
    }
    let jobs = |stage: Option<&str>, state: JobState| -> u64 {
        let here = |count: &&Count| stage.is_none_or(|stage| count.stage.as_str() == stage);
        counts.iter().filter(here).filter(|count| count.state == state).map(|c| c.jobs).sum()
    };
    for stage in stages {
        let stage = stage.as_str();
        if states.iter().all(|state| jobs(Some(stage), *state) == 0) {
            continue;
        }
        let mut cells = vec![Cell::from(stage)];
        let fields = states.iter();
        cells.extend(fields.map(|s| Cell::count(jobs(Some(stage), *s), out::style_of(*s))));
        table.row(cells);
    }
    let mut cells = vec![Cell::faint("all")];
    cells.extend(states.iter().map(|state| Cell::count(jobs(None, *state), out::faint())));
    table.row(cells);
    table.print();
}
