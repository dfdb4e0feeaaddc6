//! The three-stage no-op pipeline, on SQLite beside the least that SQLite must do for it, and on
//! PostgreSQL where `WAYSTATION_TEST_POSTGRES` names a server.
//!
//! `cargo xtask bench [JOBS] [ROUNDS]`. Each round runs the bare statements and the engine one
//! after the other on the same disk; medians and their ratio are printed.

mod bare;
mod engine;
mod figures;

use figures::{Figures, median};

const STAGES: usize = 3;
const JOBS: usize = 30_000;
const ROUNDS: usize = 5;
const LATENCY_SAMPLES: usize = 500;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // `cargo bench` adds `--bench`.
    let mut numbers = std::env::args().skip(1).filter_map(|argument| argument.parse().ok());
    let jobs = numbers.next().unwrap_or(JOBS);
    let rounds = numbers.next().unwrap_or(ROUNDS);
    for synchronous in ["full", "normal"] {
        let folder = tempfile::tempdir()?;
        let store = |name: &str| {
            let path = folder.path().join(name);
            format!("sqlite://{}?synchronous={synchronous}", path.display())
        };
        let mut bare = Vec::new();
        let mut drained = Vec::new();
        for round in 0..rounds {
            bare.push(bare::drain(jobs, STAGES, synchronous)?);
            drained.push(engine::drain(jobs, STAGES, &store(&format!("{round}.db")))?);
        }
        let latency = engine::latency(LATENCY_SAMPLES, &store("latency.db"))?;
        let name = format!("sqlite synchronous={synchronous}");
        report(&name, jobs, Some(&mut bare), &mut drained, &latency);
    }
    if let Ok(server) = std::env::var("WAYSTATION_TEST_POSTGRES") {
        let store = |name: &str| format!("{server}?schema=bench_{}_{name}", std::process::id());
        let drains =
            (0..rounds).map(|round| engine::drain(jobs, STAGES, &store(&round.to_string())));
        let mut drained = drains.collect::<Result<Vec<_>, _>>()?;
        let latency = engine::latency(LATENCY_SAMPLES, &store("latency"))?;
        report("postgres", jobs, None, &mut drained, &latency);
    }
    Ok(())
}

fn report(
    name: &str,
    jobs: usize,
    bare: Option<&mut [f64]>,
    drained: &mut [engine::Drain],
    latency: &Figures,
) {
    let mut speeds: Vec<f64> = drained.iter().map(|drain| drain.jobs_per_second).collect();
    let mut submits: Vec<f64> = drained.iter().map(|drain| drain.submits_per_second).collect();
    let mut processor: Vec<f64> = drained.iter().map(|drain| drain.processor_us).collect();
    let engine = median(&mut speeds);
    let hops = engine * STAGES as f64;
    println!("{name}: {jobs} jobs, {STAGES} no-op stages, 200-byte params");
    if let Some(bare) = bare {
        let bare = median(bare);
        println!("  bare batched SQL   {bare:>9.0} jobs/s  {:>9.0} hops/s", bare * STAGES as f64);
        let ratio = engine / bare;
        println!(
            "  engine             {engine:>9.0} jobs/s  {hops:>9.0} hops/s   ratio {ratio:.2}"
        );
    } else {
        println!("  engine             {engine:>9.0} jobs/s  {hops:>9.0} hops/s");
    }
    println!("  submit, by 1000    {:>9.0} jobs/s", median(&mut submits));
    println!("  processor time     {:>9.1} us/job", median(&mut processor));
    println!(
        "  submit to start    p50 {:.2} ms  p99 {:.2} ms (idle engine, {} jobs, one by one)",
        latency.percentile(0.50),
        latency.percentile(0.99),
        latency.count()
    );
}
