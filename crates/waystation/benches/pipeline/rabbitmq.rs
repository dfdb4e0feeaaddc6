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
        self.worked.push(drained.worked_per_second);
        self.tracked.push(drained.tracked_per_second);
    }
}

/// Measures and prints.
pub fn measure(jobs: usize, rounds: usize, broker: &str) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let file = |round| format!("sqlite://{}", folder.path().join(format!("{round}.db")).display());
    let queue = |name: String| format!("{broker}?prefix=bench.{}.{name}.", std::process::id());
    let runtime = engine::runtime()?;
    let server = std::env::var(SERVER).ok();
    let mut relay = Vec::new();
    let (mut sqlite, mut postgres) = (Beside::new("sqlite full"), Beside::new("postgres"));
    for round in 0..rounds {
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
    let relay = median(&mut relay);
    print("bare relay", relay, None);
    for mut beside in [sqlite, postgres] {
        if !beside.bare.is_empty() {
            report(relay, &mut beside);
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

fn report(relay: f64, beside: &mut Beside) {
    let Beside { name, bare, worked, tracked } = beside;
    let bare = median(bare);
    print(&format!("bare relay + rows, {name}"), bare, Some((relay, bare)));
    print(&format!("worked, {name}"), median(worked), Some((relay, bare)));
    print(&format!("tracked, {name}"), median(tracked), Some((relay, bare)));
}

fn print(what: &str, speed: f64, of: Option<(f64, f64)>) {
    let hops = speed * STAGES as f64;
    print!("  {what:<32} {speed:>9.0} jobs/s  {hops:>9.0} hops/s");
    match of {
        Some((relay, both)) => {
            println!("   of the relay {:.2}, of relay + rows {:.2}", speed / relay, speed / both);
        }
        None => println!(),
    }
}
