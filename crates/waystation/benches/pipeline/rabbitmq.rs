//! The pipeline on RabbitMQ with a store beside it, and what limits it.

use crate::brokered::{self, Drain};
use crate::figures::median;
use crate::{SERVER, STAGES, bare_postgres, bare_rabbitmq, bare_sqlite, engine};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// One store beside the broker, in jobs per second.
struct Beside {
    name: &'static str,
    /// The bare relay while the same rows are written to the store, until both are done.
    bare: Vec<f64>,
    worked: Vec<f64>,
    tracked: Vec<f64>,
}

impl Beside {
    fn new(name: &'static str) -> Self {
        Self { name, bare: Vec::new(), worked: Vec::new(), tracked: Vec::new() }
    }

    fn note(&mut self, bare: f64, drained: &Drain) {
        self.bare.push(bare);
        self.worked.push(drained.worked);
        self.tracked.push(drained.tracked);
    }
}

/// Measures and prints.
pub fn measure(jobs: usize, rounds: usize, broker: &str) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let file = |round| format!("sqlite://{}", folder.path().join(format!("{round}.db")).display());
    let queue = |name: String| format!("{broker}?prefix=bench.{}.{name}.", std::process::id());
    let runtime = engine::runtime()?;
    let server = std::env::var(SERVER).ok();
    let (mut hop, mut relay) = (Vec::new(), Vec::new());
    let (mut sqlite, mut postgres) = (Beside::new("sqlite full"), Beside::new("postgres"));
    for round in 0..rounds {
        let hopped = runtime.block_on(bare_rabbitmq::hop(jobs, broker));
        hop.push(hopped.map_err(|error| error.to_string())?);
        relay.push(relay_beside(&runtime, jobs, broker, || Ok(f64::INFINITY))?);
        let rows = || bare_sqlite::drain(jobs, STAGES, "full").map_err(|error| error.to_string());
        let bare = relay_beside(&runtime, jobs, broker, rows)?;
        let drained = brokered::drain(jobs, STAGES, &file(round), &queue(format!("s{round}")))?;
        sqlite.note(bare, &drained);
        let Some(server) = &server else { continue };
        let schema = |name: &str| format!("bench_{}_{name}_{round}", std::process::id());
        let (least, whole) = (schema("bare"), schema("mq"));
        let rows = || {
            let runtime = engine::runtime().map_err(|error| error.to_string())?;
            let drain = bare_postgres::drain(jobs, STAGES, server, &least);
            runtime.block_on(drain).map_err(|error| error.to_string())
        };
        let bare = relay_beside(&runtime, jobs, broker, rows)?;
        runtime.block_on(bare_postgres::forget(server, &least))?;
        let store = format!("{server}?schema={whole}");
        let drained = brokered::drain(jobs, STAGES, &store, &queue(format!("p{round}")))?;
        postgres.note(bare, &drained);
        runtime.block_on(bare_postgres::forget(server, &whole))?;
    }
    println!(
        "rabbitmq (quorum, window 1,000): {jobs} jobs, {STAGES} no-op stages, 200-byte params"
    );
    let limits = Limits { hop: median(&mut hop), relay: median(&mut relay) };
    println!("  {:<32} {:>27.0} hops/s", "bare relay, from queue to queue", limits.hop);
    limits.print("bare relay through all queues", limits.relay, None);
    for beside in [sqlite, postgres] {
        if !beside.bare.is_empty() {
            limits.report(beside);
        }
    }
    Ok(())
}

/// The bare relay while something else is done, until both are done; jobs per second.
fn relay_beside(
    runtime: &tokio::runtime::Runtime,
    jobs: usize,
    broker: &str,
    rows: impl FnOnce() -> std::result::Result<f64, String> + Send,
) -> Result<f64> {
    std::thread::scope(|scope| {
        let rows = scope.spawn(rows);
        let relayed = runtime.block_on(bare_rabbitmq::drain(jobs, STAGES, broker));
        let rows = rows.join().map_err(|_| "the thread that writes rows broke")??;
        Ok(relayed.map_err(|error| error.to_string())?.min(rows))
    })
}

/// What the broker alone can do.
struct Limits {
    /// Hops per second from one queue to another.
    hop: f64,
    /// Jobs per second through all queues at once.
    relay: f64,
}

impl Limits {
    fn report(&self, mut beside: Beside) {
        let name = beside.name;
        let bare = median(&mut beside.bare);
        self.print(&format!("bare relay + rows, {name}"), bare, None);
        self.print(&format!("worked, {name}"), median(&mut beside.worked), Some(bare));
        self.print(&format!("tracked, {name}"), median(&mut beside.tracked), Some(bare));
    }

    fn print(&self, what: &str, speed: f64, of: Option<f64>) {
        let hops = speed * STAGES as f64;
        print!("  {what:<32} {speed:>9.0} jobs/s  {hops:>9.0} hops/s");
        let (hop, relay) = (hops / self.hop, speed / self.relay);
        print!("   of a hop alone {hop:.2}, of all queues {relay:.2}");
        match of {
            Some(bare) => println!(", with rows {:.2}", speed / bare),
            None => println!(),
        }
    }
}
