//! `documents index FOLDER` reads what is there, `documents watch FOLDER` goes on looking,
//! `documents search WORDS` finds it.

use std::collections::HashSet;
use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;
use clap::{Parser, Subcommand};
use documents::chain::{Looking, chain};
use documents::index::{Hit, Index, Marks};
use documents::place::{Home, Origin};
use documents::query::Query;
use tracing_subscriber::EnvFilter;
use waystation::core::failure;
use waystation::core::job::{JobFilter, JobRecord, PAGE_MAX};
use waystation::core::state::JobState;
use waystation::{OpenApp, Options};

/// How long a file must have been left alone where it is looked for again and again.
const SETTLE_SECONDS: f64 = 2.0;

/// Documents of a folder or a bucket, searched by their words.
#[derive(Parser)]
struct Arguments {
    /// The folder for the index, the jobs and what they carry along
    #[arg(long, global = true, value_name = "FOLDER", default_value = "documents-home")]
    home: PathBuf,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Read what is new there, and end; exit code 1 where something could not be read.
    Index {
        /// A folder, or a bucket as `s3://BUCKET/FOLDER`
        #[arg(value_name = "FOLDER|URL")]
        origin: String,
    },
    /// Read what is new there again and again, until Ctrl-C.
    Watch {
        /// A folder, or a bucket as `s3://BUCKET/FOLDER`
        #[arg(value_name = "FOLDER|URL")]
        origin: String,
        /// How often to look
        #[arg(long, value_name = "SECONDS", default_value_t = 5.0, value_parser = seconds)]
        every: f64,
    },
    /// Find documents: all WORDS are in them; "a phrase"; begin*.
    Search {
        /// What is looked for
        #[arg(required = true)]
        words: Vec<String>,
        /// At most so many hits
        #[arg(long, value_name = "N", default_value_t = 10)]
        limit: u32,
        /// One JSON object a line
        #[arg(long)]
        json: bool,
    },
    /// List what could not be read, and why.
    Failed,
}

fn main() -> anyhow::Result<ExitCode> {
    waystation::parse_if_asked();
    let filter = std::env::var("WAYSTATION_LOG");
    let filter = EnvFilter::new(filter.as_deref().unwrap_or("error"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    let arguments = Arguments::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(run(arguments))
}

async fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let home = Home::open(&arguments.home)?;
    let path = home.index();
    let index = Index::open(&path).with_context(|| format!("index {}", path.display()))?;
    match arguments.verb {
        Verb::Index { origin } => {
            // Nobody looks a second time: what is there is taken as it is.
            let looking = Looking { every_seconds: 1.0, settle_seconds: 0.0 };
            read_once(&Origin::parse(&origin)?, &home, looking, index).await
        }
        Verb::Watch { origin, every } => {
            let looking = Looking { every_seconds: every, settle_seconds: SETTLE_SECONDS };
            let app = chain(&Origin::parse(&origin)?, &home, looking, Arc::new(index));
            let app = app.open().await?;
            eprintln!("looking at {origin} each {every} s until Ctrl-C");
            app.serve(Options::default()).await?;
            Ok(ExitCode::SUCCESS)
        }
        Verb::Search { words, limit, json } => search(&index, &words.join(" "), limit, json),
        Verb::Failed => {
            let backend =
                waystation::backends::open(&waystation::backends::Urls::store(&home.store()))
                    .await?;
            Ok(tell_failed(&failed(&backend).await?))
        }
    }
}

/// Reads what is new, and tells what the index has then, and what could not be read.
async fn read_once(
    origin: &Origin,
    home: &Home,
    looking: Looking,
    index: Index,
) -> anyhow::Result<ExitCode> {
    let index = Arc::new(index);
    let app: OpenApp = chain(origin, home, looking, Arc::clone(&index)).open().await?;
    app.run_until_idle().await?;
    let (documents, chunks) = index.size()?;
    println!("{documents} documents in {chunks} chunks");
    Ok(tell_failed(&failed(app.client().backend()).await?))
}

/// The newest job of each document, where that failed: what failed before was mended since.
async fn failed(backend: &waystation::Backend) -> anyhow::Result<Vec<JobRecord>> {
    let (mut known, mut failed) = (HashSet::new(), Vec::new());
    let states = vec![JobState::Completed, JobState::Failed, JobState::Aborted, JobState::Skipped];
    let mut filter = JobFilter { states, limit: PAGE_MAX, ..JobFilter::default() };
    loop {
        let page = backend.store.jobs(filter.clone()).await?;
        let newest = page.jobs.into_iter().filter(|job| known.insert(location(job)));
        failed.extend(newest.filter(|job| job.state == JobState::Failed));
        filter.before = page.next;
        if filter.before.is_none() {
            failed.reverse();
            return Ok(failed);
        }
    }
}

fn location(job: &JobRecord) -> String {
    let of = |name: &str| job.params.get(name).and_then(serde_json::Value::as_str);
    of("path").or(of("url")).unwrap_or("a document without a name").to_owned()
}

fn tell_failed(failed: &[JobRecord]) -> ExitCode {
    for job in failed {
        let location = location(job);
        let why = job.failure.as_ref().map_or("?", |failure| failure.message.as_str());
        eprintln!("not read: {location}: {why}");
    }
    if failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn search(index: &Index, words: &str, limit: u32, json: bool) -> anyhow::Result<ExitCode> {
    let query = Query::parse(words).with_context(|| format!("no word in `{words}`"))?;
    let is_seen = std::io::stdout().is_terminal() && !json;
    let marks = if is_seen {
        Marks { before: "\x1b[1m", after: "\x1b[0m" }
    } else {
        Marks { before: "[", after: "]" }
    };
    let hits = index.search(&query, limit, marks)?;
    for hit in &hits {
        if json { println!("{}", serde_json::to_string(hit)?) } else { tell(hit) }
    }
    if hits.is_empty() {
        eprintln!("nothing is found for {words}");
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}

fn tell(hit: &Hit) {
    match &hit.title {
        Some(title) => println!("{} — {title}", hit.location),
        None => println!("{}", hit.location),
    }
    // What stands in lines there stands in one here.
    let mut snippet = hit.snippet.split_whitespace().collect::<Vec<_>>().join(" ");
    failure::truncate(&mut snippet, 400);
    println!("    {snippet}");
}

fn seconds(text: &str) -> Result<f64, String> {
    let seconds = text.parse().ok().filter(|seconds: &f64| seconds.is_finite() && *seconds > 0.0);
    seconds.ok_or_else(|| "a number of seconds above zero is due".to_owned())
}
