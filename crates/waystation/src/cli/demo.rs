//! `waystation demo`: photographs pages, and runs the page-photos pipeline on them to the end.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;
use waystation::config::Given;
use waystation::core::event::EventKind;
use waystation::core::job::{JobFilter, JobRecord, PAGE_MAX};
use waystation::core::state::JobState;
use waystation::{Backend, Engine, Handle, Options, PipelineName, Sources};

use super::exit::{Error, Outcome};
use super::out;
use super::progress::Progress;
use super::run::{drive, until_stopped};
use super::serve;
use super::session::Global;
use super::table::{Cell, Table};
use crate::demo::{NAME, PIPELINE, Reviewer, Roll};
use waystation::Signals;

/// What `demo` is told.
#[derive(clap::Args)]
pub struct Arguments {
    /// How many pages to photograph
    #[arg(long, value_name = "N", default_value_t = 24)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=10_000))]
    images: u32,
    /// Who looks at the pages: you, at the inbox, or a stand-in that knows the true corners
    #[arg(long, value_enum, default_value_t = Review::Ask)]
    review: Review,
    /// Where photos, pages and the store go
    #[arg(long, value_name = "DIR", default_value = "waystation-demo")]
    data_dir: PathBuf,
    /// Other seeds give other photos
    #[arg(long, value_name = "S", default_value_t = 1)]
    seed: u64,
    /// Where the dashboard listens [default: 127.0.0.1:7280, or another port where that is taken]
    #[arg(long, value_name = "ADDRESS")]
    serve: Option<SocketAddr>,
    /// Without the dashboard: ends where a person is asked, who answers by `inbox`
    #[arg(long, conflicts_with = "serve")]
    no_serve: bool,
}

impl Arguments {
    /// What they say of settings.
    pub fn given(&self) -> Vec<Given> {
        serve::given("--serve", self.serve)
    }
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Review {
    Ask,
    Auto,
}

/// Takes the photos that are not there yet, and goes on where an earlier demo stopped.
pub async fn run(arguments: Arguments, global: &Global) -> Result<Outcome, Error> {
    let started = Instant::now();
    let mut signals = Signals::listen()
        .map_err(|error| Error::failed(format!("cannot listen to signals: {error}")))?;
    let roll = Roll::new(&arguments.data_dir, arguments.seed);
    let global = &with_places(global, &arguments, &roll);
    take_photos(&arguments, &roll, global)?;
    let session = global.open().await?;
    let backend = session.backend().clone();
    let client = session.client();
    let definition = client.registry().install("the demo's pipeline", PIPELINE).await?;
    let options = Options { sources: Sources::Once, ..Options::default() };
    let drain = options.drain;
    let mut progress = Progress::new(&backend, &definition, global).await?;
    let registry = client.registry().clone();
    let engine = Engine::start(backend.clone(), registry, Arc::clone(&definition), options).await?;
    let stopper = engine.stopper();
    let mut dashboard = None;
    if !arguments.no_serve {
        let folder = arguments.data_dir.clone();
        let serving = serve::begin_anywhere(client.clone(), global, folder).await?;
        invite(&arguments, &serving.address, global);
        dashboard = Some(serving);
    }
    // Where the inbox is open, what waits there is not the end.
    let asks = dashboard.is_some() && arguments.review == Review::Ask;
    let reviewer = Reviewer::new(client, Roll::new(&arguments.data_dir, arguments.seed));
    let review = async {
        if arguments.review == Review::Auto {
            reviewer.review().await?;
        }
        // A person answers, at the dashboard or from another terminal, now or later.
        std::future::pending::<anyhow::Result<()>>().await
    };
    let ended = tokio::select! {
        ended = work(engine, &backend, asks) => Some(ended),
        reviewed = review => {
            Some(reviewed.map_err(|error| Error::failed(format!("{error:#}"))))
        }
        () = until_stopped(&mut signals, &stopper, drain) => None,
        never = progress.follow() => match never {},
    };
    progress.finish().await;
    if let Some(dashboard) = dashboard {
        dashboard.end().await;
    }
    match ended {
        Some(ended) => ended?,
        None => return Ok(Outcome::StoppedAtOnce),
    }
    summarise(&backend, &arguments, global, started).await
}

/// Lets the engine work until no job can go on by itself or, where somebody is asked at the
/// dashboard, until every job has ended.
async fn work(engine: Handle, backend: &Backend, asks: bool) -> Result<(), Error> {
    if !asks {
        return drive(engine, true).await;
    }
    let ended = until_all_ended(&engine, backend).await;
    engine.stop();
    engine.join().await?;
    ended
}

async fn until_all_ended(engine: &Handle, backend: &Backend) -> Result<(), Error> {
    /// Signals may get lost.
    const LOOK_AGAIN: Duration = Duration::from_secs(1);
    engine.until_discovered().await;
    let name = &engine.definition().pipeline.name;
    let mut signals = backend.bus.subscribe();
    loop {
        let counts = backend.store.counts(Some(name)).await?;
        if engine.has_ended() || counts.iter().all(|count| count.state.is_terminal()) {
            return Ok(());
        }
        let _ = tokio::time::timeout(LOOK_AGAIN, signals.next()).await;
    }
}

/// Says where the dashboard is, and what to do there.
fn invite(arguments: &Arguments, address: &str, global: &Global) {
    if global.quiet {
        return;
    }
    match arguments.review {
        Review::Ask => {
            out::say(format_args!("the dashboard: {address}"));
            out::say(format_args!("you are asked at {address}/inbox (Ctrl-C: later)"));
        }
        Review::Auto => out::say(format_args!("the dashboard, while it works: {address}")),
    }
}

/// The demo's store and the values of the names in its pipeline.
fn with_places(global: &Global, arguments: &Arguments, roll: &Roll) -> Global {
    let mut global = global.clone();
    let folder = &arguments.data_dir;
    let flags = &mut global.flags;
    flags.store.get_or_insert_with(|| format!("sqlite://{}", folder.join("demo.db").display()));
    let set = |name: &str, path: PathBuf| (name.to_owned(), path.display().to_string());
    flags.sets.push(set("input", roll.photos()));
    flags.sets.push(set("output", folder.clone()));
    global
}

fn take_photos(arguments: &Arguments, roll: &Roll, global: &Global) -> Result<(), Error> {
    let bar = out::bar(u64::from(arguments.images), "photographing", global.quiet || global.json);
    let taken = roll.take(arguments.images, &|| bar.inc(1));
    bar.finish_and_clear();
    let taken = taken.map_err(|error| Error::failed(format!("{error:#}")))?;
    if !global.quiet {
        let folder = roll.photos();
        let there = arguments.images - taken;
        let before = if there > 0 { format!(" ({there} were there)") } else { String::new() };
        out::say(format_args!("{taken} photos taken{before}, in {}", folder.display()));
    }
    Ok(())
}

/// What became of the photos.
#[derive(Default, serde::Serialize)]
struct Ends {
    straightened: usize,
    corrected_by_hand: usize,
    waiting: usize,
    failed: usize,
    aborted: usize,
}

async fn ends(backend: &Backend) -> Result<Ends, Error> {
    let mut ends = Ends::default();
    let mut filter = JobFilter {
        pipeline: Some(PipelineName::from(NAME)),
        limit: PAGE_MAX,
        ..JobFilter::default()
    };
    loop {
        let page = backend.store.jobs(filter.clone()).await?;
        for job in page.jobs {
            match job.state {
                JobState::Completed if by_hand(backend, &job).await? => ends.corrected_by_hand += 1,
                JobState::Completed => ends.straightened += 1,
                JobState::Failed => ends.failed += 1,
                JobState::Aborted => ends.aborted += 1,
                _ => ends.waiting += 1,
            }
        }
        let Some(next) = page.next else { return Ok(ends) };
        filter.before = Some(next);
    }
}

async fn by_hand(backend: &Backend, job: &JobRecord) -> Result<bool, Error> {
    let events = backend.store.events(&job.job_id).await?;
    let mut completed = events.iter().filter(|event| event.kind == EventKind::Completed);
    Ok(completed.any(|event| event.stage.as_str() == "correct"))
}

async fn summarise(
    backend: &Backend,
    arguments: &Arguments,
    global: &Global,
    started: Instant,
) -> Result<Outcome, Error> {
    let ends = ends(backend).await?;
    let pages = arguments.data_dir.join("pages");
    let seconds = started.elapsed().as_secs_f64();
    if global.json {
        out::json(&json!({ "ends": ends, "pages": pages, "seconds": seconds }));
    } else {
        let mut table = Table::with_heads(vec![Cell::right_head("pages"), Cell::head("")]);
        let mut row = |name: &str, count: usize| {
            table.row(vec![Cell::count(count as u64, out::strong()), Cell::from(name)]);
        };
        row("straightened by code, approved", ends.straightened);
        row("corrected by hand", ends.corrected_by_hand);
        row("waiting for you", ends.waiting);
        row("failed", ends.failed);
        table.print();
        out::say(format_args!("results in {}, after {seconds:.1} s", pages.display()));
    }
    if ends.waiting > 0 {
        out::hint(format_args!("see what waits: `{}`", global.command("inbox list")));
        out::hint("answer, then run the demo again: it goes on where it stopped");
    }
    if ends.failed > 0 {
        out::hint(format_args!("see why: `{}`", global.command("dead list")));
    }
    Ok(if ends.failed > 0 { Outcome::NotAll } else { Outcome::Done })
}
