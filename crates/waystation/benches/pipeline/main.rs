//! The three-stage no-op pipeline on SQLite, and on PostgreSQL where `WAYSTATION_TEST_POSTGRES`
//! names a server, each beside the least that the database must do for it.
//!
//! On RabbitMQ with a store beside it where `WAYSTATION_TEST_RABBITMQ` names one, beside a bare
//! relay, and beside that relay while the store's rows are written, too.
//!
//! One job that becomes ten thousand on SQLite, beside as many jobs that nobody made.
//!
//! One stage that takes jobs by key, beside the same without keys, on SQLite, RabbitMQ and
//! PostgreSQL: only where `keyed` is named.
//!
//! The dashboard's pages over a long history on SQLite, while jobs run, and a browser's tab that is
//! left open on some of them, MINUTES each: only where `dashboard` or `tab` is named. The latter
//! takes Chromium and its driver.
//!
//! `cargo xtask bench [JOBS] [ROUNDS] [CASE [MINUTES]]`, where CASE is `sqlite`, `postgres`,
//! `rabbitmq`, `families`, `keyed`, `dashboard` or `tab`.
//! Each round runs the bare statements and the engine one after the other on the same disk; medians
//! and their ratio are printed.

mod bare_postgres;
mod bare_rabbitmq;
mod bare_sqlite;
mod brokered;
mod dashboard;
mod engine;
mod families;
mod figures;
mod keyed;
mod rabbitmq;

use figures::{Figures, median};

const STAGES: usize = 3;
const JOBS: usize = 30_000;
const ROUNDS: usize = 5;
const MINUTES: usize = 10;
const LATENCY_SAMPLES: usize = 500;
/// What an argument may limit the measuring to.
const STORES: [&str; 7] =
    ["sqlite", "postgres", "rabbitmq", "families", "keyed", "dashboard", "tab"];
/// The children of one job.
const CHILDREN: usize = 10_000;
/// Names the PostgreSQL server to measure on.
const SERVER: &str = "WAYSTATION_TEST_POSTGRES";
/// Names the RabbitMQ broker to measure on.
const BROKER: &str = "WAYSTATION_TEST_RABBITMQ";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // `cargo bench` adds `--bench`.
    let mut numbers = std::env::args().skip(1).filter_map(|argument| argument.parse().ok());
    let jobs = numbers.next().unwrap_or(JOBS);
    let rounds = numbers.next().unwrap_or(ROUNDS);
    let minutes = numbers.next().unwrap_or(MINUTES);
    let only = |store: &str| !std::env::args().any(|one| STORES.contains(&&*one) && one != store);
    let is_named = |case: &str| std::env::args().any(|argument| argument == case);
    if only("sqlite") {
        sqlite(jobs, rounds, "full")?;
        sqlite(jobs, rounds, "normal")?;
    }
    if only("families") {
        families(rounds)?;
    }
    if is_named("keyed") {
        keyed(jobs, rounds)?;
    }
    if is_named("dashboard") {
        dashboard::look_at_pages(jobs)?;
    }
    if is_named("tab") {
        dashboard::leave_a_tab_open(jobs, minutes)?;
    }
    match std::env::var(SERVER) {
        Ok(server) if only("postgres") => postgres(jobs, rounds, &server)?,
        Ok(_) => {}
        Err(_) => println!("postgres: left out, {SERVER} names no server"),
    }
    match std::env::var(BROKER) {
        Ok(broker) if only("rabbitmq") => rabbitmq::measure(jobs, rounds, &broker)?,
        Ok(_) => {}
        Err(_) => println!("rabbitmq: left out, {BROKER} names no broker"),
    }
    Ok(())
}

fn sqlite(jobs: usize, rounds: usize, synchronous: &str) -> Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    let store = |name: &str| {
        let path = folder.path().join(name);
        format!("sqlite://{}?synchronous={synchronous}", path.display())
    };
    let mut bare = Vec::new();
    let mut drained = Vec::new();
    for round in 0..rounds {
        bare.push(bare_sqlite::drain(jobs, STAGES, synchronous)?);
        drained.push(engine::drain(jobs, STAGES, &store(&format!("{round}.db")))?);
    }
    let latency = engine::latency(LATENCY_SAMPLES, &store("latency.db"))?;
    report(&format!("sqlite synchronous={synchronous}"), jobs, &mut bare, &mut drained, &latency);
    Ok(())
}

fn families(rounds: usize) -> Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    let store = |name: String| format!("sqlite://{}", folder.path().join(name).display());
    println!("families on sqlite: one job, {CHILDREN} children of one stage, one join");
    for round in 0..rounds {
        // Each after the other in one process: what the second needs more would show as growth.
        let run = families::run(CHILDREN, &store(format!("family-{round}.db")))?;
        let plain = families::plain(CHILDREN, &store(format!("plain-{round}.db")))?;
        let (before, after) = run.resident;
        println!(
            "  {:.2} s (as many jobs that nobody made: {plain:.2} s)  list of 50: p50 {:.1} ms  \
             p99 {:.1} ms ({} looks)  peak RSS {before:.0} -> {after:.0} MiB",
            run.seconds,
            run.looks.percentile(0.50),
            run.looks.percentile(0.99),
            run.looks.count()
        );
    }
    Ok(())
}

fn keyed(jobs: usize, rounds: usize) -> Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    let file = |name: &str| format!("sqlite://{}.db", folder.path().join(name).display());
    keyed::measure("sqlite synchronous=full", jobs, rounds, |name, stage| {
        stage.drain(&file(name))
    })?;
    match std::env::var(BROKER) {
        Ok(broker) => keyed::measure("rabbitmq with sqlite", jobs, rounds, |name, stage| {
            let queue = format!("{broker}?prefix=bench.{}.{name}.", std::process::id());
            stage.drain_brokered(&file(&format!("mq_{name}")), &queue)
        })?,
        Err(_) => println!("rabbitmq by key: left out, {BROKER} names no broker"),
    }
    let Ok(server) = std::env::var(SERVER) else {
        println!("postgres by key: left out, {SERVER} names no server");
        return Ok(());
    };
    let runtime = engine::runtime()?;
    keyed::measure("postgres", jobs, rounds, |name, stage| {
        let schema = format!("bench_{}_{name}", std::process::id());
        let speed = stage.drain(&format!("{server}?schema={schema}"))?;
        runtime.block_on(bare_postgres::forget(&server, &schema))?;
        Ok(speed)
    })
}

fn postgres(jobs: usize, rounds: usize, server: &str) -> Result<(), Box<dyn std::error::Error>> {
    let runtime = engine::runtime()?;
    let schema = |name: &str| format!("bench_{}_{name}", std::process::id());
    let store = |schema: &str| format!("{server}?schema={schema}");
    let mut bare = Vec::new();
    let mut drained = Vec::new();
    for round in 0..rounds {
        let (least, whole) = (schema(&format!("bare_{round}")), schema(&format!("{round}")));
        bare.push(runtime.block_on(bare_postgres::drain(jobs, STAGES, server, &least))?);
        runtime.block_on(bare_postgres::forget(server, &least))?;
        drained.push(engine::drain(jobs, STAGES, &store(&whole))?);
        runtime.block_on(bare_postgres::forget(server, &whole))?;
    }
    let latency = engine::latency(LATENCY_SAMPLES, &store(&schema("latency")))?;
    runtime.block_on(bare_postgres::forget(server, &schema("latency")))?;
    report("postgres", jobs, &mut bare, &mut drained, &latency);
    Ok(())
}

fn report(
    name: &str,
    jobs: usize,
    bare: &mut [f64],
    drained: &mut [engine::Drain],
    latency: &Figures,
) {
    let mut speeds: Vec<f64> = drained.iter().map(|drain| drain.jobs_per_second).collect();
    let mut submits: Vec<f64> = drained.iter().map(|drain| drain.submits_per_second).collect();
    let mut processor: Vec<f64> = drained.iter().map(|drain| drain.processor_us).collect();
    let engine = median(&mut speeds);
    let hops = engine * STAGES as f64;
    println!("{name}: {jobs} jobs, {STAGES} no-op stages, 200-byte params");
    let bare = median(bare);
    let ratio = engine / bare;
    println!("  bare batched SQL   {bare:>9.0} jobs/s  {:>9.0} hops/s", bare * STAGES as f64);
    println!("  engine             {engine:>9.0} jobs/s  {hops:>9.0} hops/s   ratio {ratio:.2}");
    println!("  submit, by 1000    {:>9.0} jobs/s", median(&mut submits));
    println!("  processor time     {:>9.1} us/job", median(&mut processor));
    println!(
        "  submit to start    p50 {:.2} ms  p99 {:.2} ms (idle engine, {} jobs, one by one)",
        latency.percentile(0.50),
        latency.percentile(0.99),
        latency.count()
    );
}
