//! `waystation engines`: what looks after the workers of each host.

use waystation::server::wire::{Engine, EngineWorker};

use super::exit::{Error, Outcome};
use super::session::Global;
use super::site::Query;
use super::table::{Cell, Table};
use super::{out, timing, workers};

/// Lists them.
pub async fn run(global: &Global) -> Result<Outcome, Error> {
    let site = global.site().await?;
    let engines: Vec<Engine> = site.get(&["engines"], &Query::default()).await?;
    if global.json {
        engines.iter().for_each(out::json);
        return Ok(Outcome::Done);
    }
    if engines.is_empty() {
        out::say("no engine told of itself in the last 15 s (hint: `waystation engine`)");
        return Ok(Outcome::Done);
    }
    let mut heads: Vec<_> = ["host", "worker", "state", "process", "for"].map(Cell::head).to_vec();
    heads.extend(["in hand", "settled", "memory", "restarts"].map(Cell::right_head));
    heads.push(Cell::head("last end"));
    let mut table = Table::with_heads(heads);
    let mut is_whole = true;
    for engine in &engines {
        for worker in &engine.workers {
            is_whole &= worker.state != "given_up";
            table.row(row(engine, worker));
        }
    }
    table.print();
    Ok(if is_whole { Outcome::Done } else { Outcome::NotAll })
}

fn row(engine: &Engine, worker: &EngineWorker) -> Vec<Cell> {
    let dash = || "-".to_owned();
    let plain = clap::builder::styling::Style::new;
    let last = match (&worker.last_end_reason, worker.last_end_at) {
        (Some(reason), Some(at)) => {
            format!("{} ({})", out::short(reason, 70), timing::moment(at.0))
        }
        _ => String::new(),
    };
    vec![
        engine.host.as_str().into(),
        worker.name.as_str().into(),
        worker.state.replace('_', " ").into(),
        worker.pid.map_or_else(dash, |pid| pid.to_string()).into(),
        timing::age(timing::now(), worker.since.0).into(),
        Cell::count(worker.in_flight, plain()),
        Cell::count(worker.settled, plain()),
        Cell::right(worker.memory_bytes.map_or_else(dash, workers::memory)),
        Cell::count(worker.restarts, plain()),
        last.into(),
    ]
}
