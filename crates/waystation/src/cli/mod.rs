//! The command line: the tree of commands, and who carries them out.

mod audit;
mod config;
mod dead;
#[cfg(feature = "images")]
mod demo;
mod doctor;
#[cfg(feature = "rabbitmq")]
mod dp3;
mod engine;
mod engines;
mod executors;
mod exit;
mod health;
mod inbox;
mod input;
mod jobs;
mod logs;
mod operations;
mod out;
mod overview;
mod pauses;
mod pipelines;
mod progress;
mod queues;
mod run;
mod serve;
mod session;
mod site;
mod sources;
mod submit;
mod table;
mod timing;
mod tokens;
#[cfg(feature = "top")]
mod top;
mod traces;
mod watch;
mod words;
mod workers;

use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};

use waystation::config::Given;

use exit::{Error, Outcome};
use session::{Flags, Global};

/// Durable pipelines over the queues that you already run.
#[derive(Parser)]
#[command(name = "waystation", version, max_term_width = 100)]
struct Arguments {
    #[command(flatten)]
    flags: Flags,
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
    /// Run the workers of this host, as processes that are looked after.
    Engine(engine::Arguments),
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
    /// See how everything gets on, at a glance.
    Overview(overview::Arguments),
    /// See how everything gets on, live.
    #[cfg(feature = "top")]
    Top(top::Arguments),
    /// See how much waits in each queue.
    Queues,
    /// See who works, and at what.
    Workers,
    /// See who looks after the workers of each host, and how these are.
    Engines,
    /// See what finds new jobs and what it found, and have it look.
    Sources {
        #[command(subcommand)]
        verb: Option<sources::Verb>,
    },
    /// Let a pipeline, a stage or a queue begin nothing new.
    Pause(pauses::Pausing),
    /// Let a pipeline take nothing new, and end what is there.
    Drain(pauses::Draining),
    /// Let what is paused or drained go on.
    Resume(pauses::Resuming),
    /// List what is paused or drained.
    Pauses,
    /// See and end what was begun on many jobs at once.
    #[command(subcommand)]
    Operations(operations::Verb),
    /// Say who may use a server.
    #[command(subcommand)]
    Tokens(tokens::Verb),
    /// See who did what.
    Audit(audit::Arguments),
    /// Look whether stores can be relied on: settings, rights, room, clocks.
    Doctor(doctor::Arguments),
    /// Declare, check and feed the task queues of DP3.
    #[cfg(feature = "rabbitmq")]
    #[command(subcommand)]
    Dp3(dp3::Verb),
    /// See what a stage's `type:` may be, and its settings.
    #[command(subcommand)]
    Executors(executors::Verb),
    /// Ask a server whether things go on; exit code 0 says that they do.
    Health(health::Arguments),
    /// See and check the settings, and where each comes from.
    #[command(subcommand)]
    Config(config::Verb),
    /// Check, draw and convert pipeline files; see and put pipelines.
    #[command(subcommand)]
    Pipelines(pipelines::Verb),
}

impl Verb {
    /// The name of a command that does its work in this process, and what to do instead of asking a
    /// server for it.
    fn works_here(&self) -> Option<(&'static str, &'static str)> {
        match self {
            #[cfg(feature = "images")]
            Self::Demo(_) => Some(("demo", "it works in a folder of its own")),
            Self::Run(_) => Some(("run", "it works on a store itself (hint: --store URL)")),
            Self::Engine(_) => Some(("engine", "it works on a store itself (hint: --store URL)")),
            Self::Serve(_) => Some(("serve", "it is the server (hint: --store URL)")),
            Self::Doctor(_) => {
                Some(("doctor", "it looks at stores and brokers (hint: --store URL)"))
            }
            #[cfg(feature = "rabbitmq")]
            Self::Dp3(_) => Some(("dp3", "it speaks with a broker (hint: --broker URL)")),
            _ => None,
        }
    }

    /// What its flags say of settings.
    fn given(&self) -> Vec<Given> {
        match self {
            #[cfg(feature = "images")]
            Self::Demo(arguments) => arguments.given(),
            Self::Run(arguments) => arguments.given(),
            Self::Engine(arguments) => arguments.given(),
            Self::Serve(arguments) => arguments.given(),
            _ => Vec::new(),
        }
    }
}

/// How long what still runs may take to notice that the program ends.
const LAST_WAIT: Duration = Duration::from_secs(1);

/// Reads the command line and does what it says.
pub fn main() -> ExitCode {
    let Arguments { flags, verb } = Arguments::parse();
    let global = match config::load(flags, verb.given()) {
        Ok(global) => global,
        Err(error) => return error.report(),
    };
    logs::start(&global);
    if let Err(error) = traces::start() {
        return error.report();
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return Error::failed(format!("no threads to run on: {error}")).report(),
    };
    let ended = runtime.block_on(dispatch(verb, &global));
    // Drops what still runs, and with it the guards that end its child processes.
    runtime.shutdown_timeout(LAST_WAIT);
    traces::end();
    match ended {
        Ok(outcome) => outcome.code(),
        Err(error) => error.report(),
    }
}

async fn dispatch(verb: Verb, global: &Global) -> Result<Outcome, Error> {
    if let Some((command, instead)) = verb.works_here() {
        global.refuse_server(command, instead)?;
    }
    match verb {
        #[cfg(feature = "images")]
        Verb::Demo(arguments) => demo::run(arguments, global).await,
        Verb::Run(arguments) => run::run(arguments, global).await,
        Verb::Engine(arguments) => engine::run(arguments, global).await,
        Verb::Serve(_) => serve::run(global).await,
        Verb::Submit(arguments) => submit::run(arguments, global).await,
        Verb::Jobs(verb) => jobs::run(verb, global).await,
        Verb::Inbox(verb) => inbox::run(verb, global).await,
        Verb::Dead(verb) => dead::run(verb, global).await,
        Verb::Overview(arguments) => overview::run(&arguments, global).await,
        #[cfg(feature = "top")]
        Verb::Top(arguments) => top::run(&arguments, global).await,
        Verb::Queues => queues::run(global).await,
        Verb::Workers => workers::run(global).await,
        Verb::Engines => engines::run(global).await,
        Verb::Sources { verb } => sources::run(verb, global).await,
        Verb::Pause(arguments) => pauses::pause(arguments, global).await,
        Verb::Drain(arguments) => pauses::drain(arguments, global).await,
        Verb::Resume(arguments) => pauses::resume(arguments, global).await,
        Verb::Pauses => pauses::list(global).await,
        Verb::Audit(arguments) => audit::run(arguments, global).await,
        Verb::Operations(verb) => operations::run(verb, global).await,
        Verb::Tokens(verb) => tokens::run(verb, global).await,
        Verb::Doctor(arguments) => doctor::run(arguments, global).await,
        #[cfg(feature = "rabbitmq")]
        Verb::Dp3(verb) => dp3::run(verb, global).await,
        Verb::Executors(verb) => executors::run(&verb, global),
        Verb::Health(arguments) => health::run(&arguments, global).await,
        Verb::Config(verb) => Ok(config::run(&verb, global)),
        Verb::Pipelines(verb) => pipelines::run(verb, global).await,
    }
}
