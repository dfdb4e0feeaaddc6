//! The command line: the tree of commands, and who carries them out.

mod dead;
#[cfg(feature = "images")]
mod demo;
mod doctor;
mod exit;
mod inbox;
mod input;
mod jobs;
mod logs;
mod out;
mod pipelines;
mod progress;
mod run;
mod serve;
mod session;
mod submit;
mod table;
mod timing;
mod tokens;
mod traces;
mod watch;

use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};

use exit::{Error, Outcome};
use session::Global;

/// Durable pipelines over the queues that you already run.
#[derive(Parser)]
#[command(name = "waystation", version, max_term_width = 100)]
struct Arguments {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// See it work: photographed pages are straightened, checked and corrected.
    #[cfg(feature = "images")]
    Demo(demo::Arguments),
    /// Run a pipeline in this process.
    Run(run::Arguments),
    /// Serve the API and the dashboard.
    Serve(serve::Arguments),
    /// Submit jobs to a pipeline.
    Submit(submit::Arguments),
    /// List, show, watch, abort and retry jobs.
    #[command(subcommand)]
    Jobs(jobs::Verb),
    /// See and answer the tasks that wait for a person.
    #[command(subcommand)]
    Inbox(inbox::Verb),
    /// See, retry and drop the jobs that failed for good.
    #[command(subcommand)]
    Dead(dead::Verb),
    /// Say who may use a server.
    #[command(subcommand)]
    Tokens(tokens::Verb),
    /// Look whether stores can be relied on: settings, rights, room, clocks.
    Doctor(doctor::Arguments),
    /// Check and draw pipeline files.
    #[command(subcommand)]
    Pipelines(pipelines::Verb),
}

/// How long what still runs may take to notice that the program ends.
const LAST_WAIT: Duration = Duration::from_secs(1);

/// Reads the command line and does what it says.
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    logs::start(&arguments.global);
    if let Err(error) = traces::start() {
        return error.report();
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return Error::failed(format!("no threads to run on: {error}")).report(),
    };
    let ended = runtime.block_on(dispatch(arguments.verb, &arguments.global));
    // Drops what still runs, and with it the guards that end its child processes.
    runtime.shutdown_timeout(LAST_WAIT);
    traces::end();
    match ended {
        Ok(outcome) => outcome.code(),
        Err(error) => error.report(),
    }
}

async fn dispatch(verb: Verb, global: &Global) -> Result<Outcome, Error> {
    match verb {
        #[cfg(feature = "images")]
        Verb::Demo(arguments) => demo::run(arguments, global).await,
        Verb::Run(arguments) => run::run(arguments, global).await,
        Verb::Serve(arguments) => serve::run(arguments, global).await,
        Verb::Submit(arguments) => submit::run(arguments, global).await,
        Verb::Jobs(verb) => jobs::run(verb, global).await,
        Verb::Inbox(verb) => inbox::run(verb, global).await,
        Verb::Dead(verb) => dead::run(verb, global).await,
        Verb::Tokens(verb) => tokens::run(verb, global).await,
        Verb::Doctor(arguments) => doctor::run(arguments, global).await,
        Verb::Pipelines(verb) => pipelines::run(verb, global),
    }
}
