//! `scene-detection demo` makes scenes, takes them through the chain and tells how good it was.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use scene_detection::folder::Folder;
use scene_detection::run::{Classifier, Places, run};
use scene_detection::synthetic::NOISE;
use tracing_subscriber::EnvFilter;

/// Bright objects in images: detected, classified, predicted.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Make scenes and take them through the chain.
    Demo {
        /// Where
        #[arg(long, default_value = "scene-detection-demo")]
        folder: PathBuf,
        #[command(flatten)]
        series: Series,
        #[command(flatten)]
        how: How,
    },
    /// Make scenes: FOLDER/images/*.png, and the truth about them.
    Generate {
        /// Where
        folder: PathBuf,
        #[command(flatten)]
        series: Series,
    },
    /// Take the images of FOLDER/images/ through the chain.
    Run {
        /// Where
        folder: PathBuf,
        #[command(flatten)]
        how: How,
    },
}

/// Which scenes.
#[derive(Args)]
struct Series {
    /// How many
    #[arg(long, default_value_t = 6, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    scenes: u32,
    /// What they are made from: the same seed gives the same scenes
    #[arg(long, default_value_t = 7)]
    seed: u64,
    /// The standard deviation of the camera's noise, of 255 steps of brightness
    #[arg(long, default_value_t = NOISE, value_parser = noise)]
    noise: f64,
}

/// How the chain works.
#[derive(Args)]
struct How {
    /// Classify by the Python program instead of the Rust stage
    #[arg(long)]
    python: bool,
    /// The store of the jobs [default: FOLDER/jobs.db]
    #[arg(long)]
    store: Option<String>,
    /// A broker that moves the jobs, beside the store
    #[arg(long)]
    queue: Option<String>,
}

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let filter = std::env::var("WAYSTATION_LOG");
    let filter = EnvFilter::new(filter.as_deref().unwrap_or("error"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    match Arguments::parse().verb {
        Verb::Demo { folder, series, how } => {
            let folder = Folder::open(&folder)?;
            folder.generate(series.seed, series.scenes, series.noise)?;
            work(&folder, how).await
        }
        Verb::Generate { folder, series } => {
            Folder::open(&folder)?.generate(series.seed, series.scenes, series.noise)?;
            Ok(ExitCode::SUCCESS)
        }
        Verb::Run { folder, how } => work(&Folder::open(&folder)?, how).await,
    }
}

fn noise(text: &str) -> Result<f64, String> {
    let noise = text.parse().ok().filter(|noise| (0.0..=255.0).contains(noise));
    noise.ok_or_else(|| "a number from 0 to 255 is due".to_owned())
}

/// Fails when an image did not come through.
async fn work(folder: &Folder, how: How) -> anyhow::Result<ExitCode> {
    let classifier = if how.python { Classifier::Python } else { Classifier::Rust };
    let places = Places { store: how.store, queue: how.queue };
    let outcome = run(folder, classifier, &places).await?;
    print!("{outcome}");
    Ok(if outcome.failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
