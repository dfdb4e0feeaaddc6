//! `waystation dp3 declare`: makes what a DP3 application needs on its broker, or takes it away.

use std::num::{NonZeroU16, NonZeroU32};

use serde_json::json;
use waystation::backends::dp3::Topology;
use waystation::backends::dp3::topology::{Error as Wrong, LANE_LIMIT, Options};

use super::Target;
use crate::cli::exit::{Error, Outcome};
use crate::cli::out;
use crate::cli::session::Global;

/// What `declare` is told.
#[derive(clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    target: Target,
    /// How many worker processes the application has
    #[arg(long, value_name = "N", required_unless_present = "delete")]
    workers: Option<NonZeroU16>,
    /// The most tasks of a worker's normal lane; more are refused, and their writers wait
    #[arg(long, value_name = "N", default_value_t = LANE_LIMIT)]
    lane_limit: NonZeroU32,
    /// Take everything of the application away instead
    #[arg(long, conflicts_with = "lane_limit")]
    delete: bool,
    /// Delete queues that hold messages or are read, too
    #[arg(long, requires = "delete")]
    force: bool,
}

/// Declares or deletes.
pub async fn run(arguments: Arguments, global: &Global) -> Result<Outcome, Error> {
    let Arguments { target, workers, lane_limit, delete, force } = arguments;
    let broker = target.open(global).await?;
    let topology = Topology::new(&broker, target.app.clone());
    let app = target.app.as_str();
    match workers {
        Some(workers) if !delete => {
            let options = Options { lane_limit };
            let made = topology.declare(workers, &options).await.map_err(explain)?;
            if global.json {
                out::json(&json!({
                    "app": app, "workers": workers, "lane_limit": lane_limit,
                    "exchanges": made.exchanges, "queues": made.queues,
                }));
            } else {
                let exchanges = out::counted(made.exchanges, "exchange");
                let queues = out::counted(made.queues, "queue");
                out::line(format_args!("{app}: {exchanges} and {queues} are declared"));
            }
        }
        workers => {
            let workers = workers.map_or(0, NonZeroU16::get);
            let removed = topology.delete(workers, force).await.map_err(explain)?;
            if global.json {
                let (queues, messages) = (&removed.queues, removed.messages);
                out::json(&json!({ "app": app, "deleted": queues, "messages": messages }));
            } else {
                let queues = out::counted(removed.queues.len(), "queue");
                let messages = out::counted(removed.messages as usize, "message");
                out::line(format_args!(
                    "{app}: {queues} with {messages} and all exchanges are gone"
                ));
            }
        }
    }
    Ok(Outcome::Done)
}

/// What is wanted otherwise than it is makes no sense here; the rest was not done.
fn explain(error: Wrong) -> Error {
    match error {
        Wrong::Otherwise { .. } => Error::usage(error.to_string()),
        Wrong::Broker(error) => error.into(),
        other => Error::failed(other.to_string()),
    }
}
