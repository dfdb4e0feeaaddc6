//! `foreign-stage serve STAGE...` is one of our services; `foreign-stage demo` is all of it.

use clap::{Parser, Subcommand};
use foreign_stage::places::Places;
use foreign_stage::{app, demo};
use tracing_subscriber::EnvFilter;
use waystation::{Options, StageId};

/// Three services over RabbitMQ, of which the middle one is somebody else's.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Start the three services, submit jobs, watch them, and look what the store has of them.
    Demo {
        /// How many jobs
        #[arg(long, default_value_t = 12)]
        #[arg(value_parser = clap::value_parser!(u32).range(1..=100_000))]
        jobs: u32,
    },
    /// Serve stages of the pipeline until told to end.
    Serve {
        /// Which
        #[arg(required = true, value_parser = ["detect", "predict"])]
        stages: Vec<String>,
    },
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let filter = std::env::var("WAYSTATION_LOG");
    let filter = EnvFilter::new(filter.as_deref().unwrap_or("warn,lapin=off"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    let places = Places::from_environment();
    match Arguments::parse().verb {
        Verb::Demo { jobs } => demo::run(jobs as usize, &places).await,
        Verb::Serve { stages } => {
            let stages = stages.iter().map(|stage| StageId::from(stage.as_str())).collect();
            let options = Options { stages: Some(stages), ..Options::default() };
            Ok(app(&places)?.open().await?.serve(options).await?)
        }
    }
}
