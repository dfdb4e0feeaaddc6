//! `waystation engine`: the workers of this host, as processes that are looked after.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use waystation::config::{self, Given};
use waystation::engine::supervisor::{
    self, Launch, Supervising, Supervisor, SupervisorError, Work,
};
use waystation::{Options, PipelineName, Signals, supervised};

use super::exit::{Error, Outcome};
use super::session::{Global, Session};
use super::{out, serve};

/// What `engine` is told.
#[derive(clap::Args)]
pub struct Arguments {
    /// Pipeline files that are installed first
    files: Vec<PathBuf>,
    /// Run only these pipelines; unless some are named, all that the store has, also later ones
    #[arg(long, value_name = "NAME,...", value_delimiter = ',')]
    pipelines: Vec<String>,
    /// How many workers work at stages [default: 1]
    #[arg(long, value_name = "N")]
    processing_workers: Option<u64>,
    /// How many workers look after sources [default: 1]
    #[arg(long, value_name = "N")]
    source_workers: Option<u64>,
    /// Let the workers be tasks of this process, for small machines
    #[arg(long)]
    in_process: bool,
    /// Serve the API and the dashboard beside them [default address: 127.0.0.1:7280]
    #[arg(long, value_name = "ADDRESS", num_args = 0..=1, require_equals = true)]
    #[expect(clippy::option_option, reason = "absent, without a value, with one")]
    serve: Option<Option<SocketAddr>>,
    /// How long what runs may go on once a worker is to end [default: 30]
    #[arg(long, value_name = "N")]
    drain_seconds: Option<u64>,
    /// How long a dead worker's jobs stay its own [default: 30]
    #[arg(long, value_name = "N")]
    lease_seconds: Option<u64>,
    /// How long a source stays with a worker of another host that is gone [default: 60]
    #[arg(long, value_name = "N")]
    lock_seconds: Option<u64>,
    /// A worker that does nothing for so long is killed, and another one starts [default: 60]
    #[arg(long, value_name = "N")]
    hang_seconds: Option<u64>,
    /// A worker with more memory ends when its jobs have, and another one starts
    #[arg(long, value_name = "N")]
    memory_mib: Option<u64>,
}

impl Arguments {
    /// What they say of settings.
    pub fn given(&self) -> Vec<Given> {
        let pipelines = (!self.pipelines.is_empty()).then(|| self.pipelines.clone());
        let given = [
            Given::new("engine.pipelines", "--pipelines", pipelines),
            Given::new(
                "engine.processing_workers",
                "--processing-workers",
                self.processing_workers,
            ),
            Given::new("engine.source_workers", "--source-workers", self.source_workers),
            Given::new("engine.in_process", "--in-process", self.in_process.then_some(true)),
            Given::new("engine.serve", "--serve", self.serve.map(|_| true)),
            Given::new("engine.drain_seconds", "--drain-seconds", self.drain_seconds),
            Given::new("engine.lease_seconds", "--lease-seconds", self.lease_seconds),
            Given::new("engine.lock_seconds", "--lock-seconds", self.lock_seconds),
            Given::new("engine.hang_seconds", "--hang-seconds", self.hang_seconds),
            Given::new("engine.memory_mib", "--memory-mib", self.memory_mib),
        ];
        let address = serve::given("--serve", self.serve.flatten());
        given.into_iter().flatten().chain(address).collect()
    }
}

/// Looks after workers until it is told to end; or is one of them.
pub async fn run(arguments: Arguments, global: &Global) -> Result<Outcome, Error> {
    let settings = &global.settings().engine;
    if settings.processing_workers == 0 && settings.source_workers == 0 {
        return Err(Error::usage(SupervisorError::NoWorkers.to_string()));
    }
    if !settings.in_process {
        global.refuse_fleeting_store()?;
    }
    if let Some(assignment) = supervised::assignment() {
        let session = global.open_to_run().await?;
        supervised::run(work(settings, &session), assignment).await?;
        return Ok(Outcome::Done);
    }
    let mut signals = Signals::listen()
        .map_err(|error| Error::failed(format!("cannot listen to signals: {error}")))?;
    let texts = arguments.files.iter().map(|path| {
        let origin = path.display().to_string();
        global.read_good_pipeline(path).map(|text| (origin, text))
    });
    let texts = texts.collect::<Result<Vec<_>, _>>()?;
    let session = global.open_to_run().await?;
    let client = session.client();
    for (origin, text) in texts {
        client.registry().install(&origin, &text).await?;
    }
    let launch = if settings.in_process {
        Launch::Tasks(Box::new(work(settings, &session)))
    } else {
        supervised::processes()
            .map_err(|error| Error::failed(format!("cannot call this program again: {error}")))?
    };
    let options = options(settings);
    let engine = Supervisor::start(options, launch, session.backend().clone());
    let mut engine = engine.map_err(|error| Error::failed(error.to_string()))?;
    greet(settings, global);
    let mut serving = None;
    if settings.serve {
        let begun = serve::begin(client, global).await?;
        if !global.quiet {
            out::say(format_args!("the dashboard: {}", begun.address));
        }
        serving = Some(begun);
    }
    let ended = until_ended(&mut engine, &mut signals, settings.drain).await;
    if let Some(serving) = serving {
        serving.end().await;
    }
    let outcome = ended?;
    if outcome == Outcome::Done && !global.quiet {
        out::say("stopped: nothing runs any more");
    }
    Ok(outcome)
}

/// Drains at the first signal, and stops at once at the second.
async fn until_ended(
    engine: &mut Supervising,
    signals: &mut Signals,
    drain: Duration,
) -> Result<Outcome, Error> {
    let failed = |error: SupervisorError| Error::failed(error.to_string());
    tokio::select! {
        ended = engine.join() => return ended.map(|()| Outcome::Done).map_err(failed),
        () = signals.next() => {}
    }
    out::say(format_args!(
        "draining: what runs may go on for {} s (once more to stop at once)",
        drain.as_secs()
    ));
    engine.stop();
    tokio::select! {
        ended = engine.join() => return ended.map(|()| Outcome::Done).map_err(failed),
        () = signals.next() => {}
    }
    engine.stop_at_once();
    engine.join().await.map_err(failed)?;
    out::say("stopped at once: what ran is handed out again");
    Ok(Outcome::StoppedAtOnce)
}

fn options(settings: &config::Engine) -> supervisor::Options {
    supervisor::Options {
        processing_workers: settings.processing_workers.into(),
        source_workers: settings.source_workers.into(),
        drain: settings.drain,
        hang: settings.hang,
        memory_bytes_max: settings.memory_mib.map(|mib| mib * 1024 * 1024),
        ..supervisor::Options::default()
    }
}

fn work(settings: &config::Engine, session: &Session) -> Work {
    let names = settings.pipelines.iter();
    Work {
        backend: session.backend().clone(),
        registry: session.client().registry().clone(),
        only: names.map(|name| PipelineName::from(name.as_str())).collect(),
        options: Options {
            lease: settings.lease,
            drain: settings.drain,
            source_lock: settings.lock,
            ..Options::default()
        },
    }
}

fn greet(settings: &config::Engine, global: &Global) {
    if global.quiet {
        return;
    }
    let workers = |count: u16, role: &str| match count {
        1 => format!("1 {role} worker"),
        count => format!("{count} {role} workers"),
    };
    let (processing, source) = (
        workers(settings.processing_workers, "processing"),
        workers(settings.source_workers, "source"),
    );
    let place = if settings.in_process { " in this process" } else { "" };
    let names = match settings.pipelines.as_slice() {
        [] => "every pipeline".to_owned(),
        names => names.join(", "),
    };
    out::say(format_args!(
        "running {names} of {} with {processing} and {source}{place} until Ctrl-C",
        global.places()
    ));
}
