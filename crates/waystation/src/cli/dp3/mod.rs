//! `waystation dp3`: the task queues of DP3, without DP3.

mod broadcast;
mod check;
mod declare;
mod lines;
mod put;

use std::num::NonZeroU16;
use std::time::Duration;

use clap::Subcommand;
use waystation::backends::dp3::{App, Broker, Feed, Lane, TaskQueueWriter, writer};
use waystation::backends::{OpenError, dp3};

use super::exit::{Error, Outcome};
use super::session::Global;
use lines::Lines;

/// What can be done with DP3's queues.
#[derive(Subcommand)]
pub enum Verb {
    /// Declare an application's exchanges and queues; what is there already stays as it is.
    Declare(declare::Arguments),
    /// Look whether an application's exchanges and queues are there; exit code 1 names what is not.
    Check(check::Arguments),
    /// Put tasks into the queues of the workers whose they are.
    Put(Sending),
    /// Put tasks into the queues of all workers.
    Broadcast(Sending),
}

/// Whose queues, and where.
#[derive(clap::Args)]
struct Target {
    /// The name of the DP3 application
    #[arg(value_name = "APP", value_parser = |text: &str| App::new(text))]
    app: App,
    #[arg(long, value_name = "URL", help = BROKER_HELP)]
    broker: Option<String>,
}

/// What is sent, to whom, and how long it is tried.
#[derive(clap::Args)]
pub struct Sending {
    #[command(flatten)]
    target: Target,
    /// How many worker processes the application has
    #[arg(long, value_name = "N")]
    workers: NonZeroU16,
    /// By the priority lane, as workers send to each other
    #[arg(long)]
    priority: bool,
    /// How long a full queue, or one that is not there yet, is waited for
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    #[arg(value_parser = clap::value_parser!(u64).range(..=TIMEOUT_SECONDS_MAX))]
    timeout: u64,
    #[command(flatten)]
    lines: Lines,
}

const BROKER_HELP: &str = "The broker: amqp://USER:PASSWORD@HOST/VHOST [default: that of --queue]";
/// A day.
const TIMEOUT_SECONDS_MAX: u64 = 24 * 60 * 60;

/// Does it.
pub async fn run(verb: Verb, global: &Global) -> Result<Outcome, Error> {
    match verb {
        Verb::Declare(arguments) => declare::run(arguments, global).await,
        Verb::Check(arguments) => check::run(arguments, global).await,
        Verb::Put(sending) => put::run(sending, global).await,
        Verb::Broadcast(sending) => broadcast::run(sending, global).await,
    }
}

impl Target {
    /// Connects to the broker.
    async fn open(&self, global: &Global) -> Result<Broker, Error> {
        let url = self.broker.clone().or_else(|| global.urls().queue).ok_or_else(|| {
            Error::usage("no broker is named (hint: --broker amqp://USER:PASSWORD@HOST/VHOST)")
        })?;
        dp3::open(&url).await.map_err(|error| match error {
            OpenError::Port { .. } => Error::failed(error.to_string()),
            other => other.into(),
        })
    }
}

impl Sending {
    async fn writer(&self, global: &Global) -> Result<TaskQueueWriter, Error> {
        let broker = self.target.open(global).await?;
        let patience = Duration::from_secs(self.timeout);
        let options = writer::Options { patience, ..writer::Options::default() };
        Ok(TaskQueueWriter::new(&broker, self.target.app.clone(), self.workers, options))
    }

    fn lane(&self) -> Lane {
        if self.priority { Lane::Priority } else { Lane::Normal }
    }
}

fn parse_feed(text: &str) -> Result<Feed, String> {
    match text {
        "tasks" => Ok(Feed::Tasks),
        "snapshots" => Ok(Feed::Snapshots),
        "control" => Ok(Feed::Control),
        _ => Err("one of tasks, snapshots, control is due".to_owned()),
    }
}
