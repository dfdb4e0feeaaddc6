//! `entity-updates serve` takes data points over HTTP and applies them, `work` only applies,
//! `put` submits points of a file, `show` tells of an entity.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::{Parser, Subcommand};
use entity_updates::api::{self, Api};
use entity_updates::chain::Updates;
use entity_updates::entities::Entities;
use entity_updates::hooks::Link;
use tracing_subscriber::EnvFilter;
use waystation::Options;

/// A flood of small updates about entities, applied one at a time per entity, in order.
#[derive(Parser)]
struct Arguments {
    /// The folder for the entities, and for the jobs unless --store is said
    #[arg(long, global = true, value_name = "FOLDER", default_value = "entities-home")]
    home: PathBuf,
    /// Where the jobs are: `sqlite://FILE` or `postgres://…`
    #[arg(long, global = true, value_name = "URL")]
    store: Option<String>,
    /// The broker that moves the jobs in the store's place: `redis://…`
    #[arg(long, global = true, value_name = "URL")]
    queue: Option<String>,
    /// What follows from a value that names another entity, as `ip.asn=asn.member`
    #[arg(long = "link", global = true, value_name = "LINK")]
    links: Vec<Link>,
    /// After how long without a word of a worker its updates are another's
    #[arg(long, global = true, value_name = "SECONDS", default_value_t = 30,
        value_parser = clap::value_parser!(u64).range(1..=3600))]
    lease: u64,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Take points over HTTP, and apply them, until Ctrl-C.
    Serve {
        /// Where to listen
        #[arg(long, default_value = "127.0.0.1:8081")]
        listen: SocketAddr,
    },
    /// Apply what was taken, until Ctrl-C. As many of these as are wanted.
    Work,
    /// Submit the points of a file, one JSON object a line.
    Put {
        /// The file
        file: PathBuf,
    },
    /// Tell of an entity: what it is, and all that was seen of it.
    Show {
        /// As `ip:10.0.0.1`
        entity: String,
    },
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let filter = std::env::var("WAYSTATION_LOG");
    let filter = EnvFilter::new(filter.as_deref().unwrap_or("error"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    let arguments = Arguments::parse();
    let home = &arguments.home;
    std::fs::create_dir_all(home).with_context(|| format!("folder {}", home.display()))?;
    let path = home.join("entities.db");
    let entities = Entities::open(&path).with_context(|| format!("{}", path.display()))?;
    let entities = Arc::new(entities);
    if let Verb::Show { entity } = &arguments.verb {
        return show(&entities, entity);
    }
    let own = || format!("sqlite://{}", home.join("jobs.db").display());
    let store = arguments.store.unwrap_or_else(own);
    let queue = arguments.queue.as_deref();
    let updates = Updates::open(&store, queue, Arc::clone(&entities), arguments.links).await?;
    let updates = Arc::new(updates);
    let options = Options { lease: Duration::from_secs(arguments.lease), ..Options::default() };
    match arguments.verb {
        Verb::Work => Ok(updates.app().serve(options).await?),
        Verb::Serve { listen } => serve(listen, updates, entities, options).await,
        Verb::Put { file } => put(&updates, &file).await,
        Verb::Show { .. } => Ok(()),
    }
}

async fn serve(
    listen: SocketAddr,
    updates: Arc<Updates>,
    entities: Arc<Entities>,
    options: Options,
) -> anyhow::Result<()> {
    let listener = tokio::net::TcpListener::bind(listen).await;
    let listener = listener.with_context(|| format!("cannot listen on {listen}"))?;
    eprintln!("takes points on http://{}/datapoints until Ctrl-C", listener.local_addr()?);
    let router = api::router(Api { updates: Arc::clone(&updates), entities });
    let serving = tokio::spawn(async move { axum::serve(listener, router).await });
    updates.app().serve(options).await?;
    serving.abort();
    Ok(())
}

/// All of the file's points, or none where one of them is none.
async fn put(updates: &Updates, file: &std::path::Path) -> anyhow::Result<()> {
    let shown = file.display();
    let lines = std::fs::File::open(file).with_context(|| format!("file {shown}"))?;
    let (mut points, mut problems) = (Vec::new(), Vec::new());
    for (number, line) in BufReader::new(lines).lines().enumerate() {
        let line = line.with_context(|| format!("file {shown}"))?;
        if line.trim().is_empty() {
            continue;
        }
        let value = serde_json::from_str(&line).map_err(|error| error.to_string());
        match value.and_then(api::read) {
            Ok(point) => points.push(point),
            Err(problem) => problems.push(format!("{shown}:{}: {problem}", number + 1)),
        }
    }
    if !problems.is_empty() {
        bail!("nothing is submitted:\n{}", problems.join("\n"));
    }
    let taken = updates.put(points).await?;
    println!("{} updates", taken.len());
    Ok(())
}

fn show(entities: &Entities, entity: &str) -> anyhow::Result<()> {
    let attributes = entities.attributes(entity)?;
    if attributes.is_empty() {
        bail!("nothing is known of {entity}");
    }
    for (attr, v) in attributes {
        println!("{attr} = {v}");
    }
    for seen in entities.history(entity)? {
        println!("  {}", serde_json::to_string(&seen)?);
    }
    Ok(())
}
