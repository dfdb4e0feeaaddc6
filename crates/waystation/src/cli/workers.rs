//! `waystation workers`: who works, and at what.

use std::collections::BTreeMap;

use waystation::server::wire::Worker;

use super::exit::{Error, Outcome};
use super::session::Global;
use super::site::Query;
use super::table::{Cell, Table};
use super::{out, timing};

/// Lists them.
pub async fn run(global: &Global) -> Result<Outcome, Error> {
    let site = global.site().await?;
    let workers: Vec<Worker> = site.get(&["workers"], &Query::default()).await?;
    if global.json {
        workers.iter().for_each(out::json);
        return Ok(Outcome::Done);
    }
    if workers.is_empty() {
        out::say("no worker told of itself in the last 15 s (hint: `waystation run PIPELINE`)");
        return Ok(Outcome::Done);
    }
    let mut table = Table::with_heads(vec![
        Cell::head("worker"),
        Cell::head("kind"),
        Cell::head("version"),
        Cell::head("up"),
        Cell::right_head("in hand"),
        Cell::right_head("done/s"),
        Cell::right_head("memory"),
        Cell::head("serves"),
    ]);
    for worker in &workers {
        table.row(vec![
            worker.worker_id.as_str().into(),
            if worker.draining { "draining".into() } else { worker.kind.as_str().into() },
            worker.version.as_str().into(),
            timing::age(timing::now(), worker.started_at.0).into(),
            Cell::count(worker.in_flight, clap::builder::styling::Style::new()),
            Cell::right(format!("{:.1}", worker.settled_per_second)),
            Cell::right(worker.memory_bytes.map_or_else(|| "-".to_owned(), memory)),
            Cell::from(serves(worker)),
        ]);
    }
    table.print();
    Ok(Outcome::Done)
}

/// `scans: read, keep; faces: find`.
pub fn serves(worker: &Worker) -> String {
    let mut pipelines: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for stage in &worker.serves {
        let owned: Vec<_> = stage.partitions.iter().map(u32::to_string).collect();
        let shown = match owned.len() {
            0 => stage.stage.clone(),
            _ => format!("{} (partitions {})", stage.stage, owned.join(" ")),
        };
        pipelines.entry(&stage.pipeline).or_default().push(shown);
    }
    let told = pipelines.into_iter().map(|(name, stages)| format!("{name}: {}", stages.join(", ")));
    told.collect::<Vec<_>>().join("; ")
}

/// `12 MiB`, `3.4 GiB`.
pub fn memory(bytes: u64) -> String {
    const MIB: f64 = 1024.0 * 1024.0;
    let mib = bytes as f64 / MIB;
    if mib < 1024.0 { format!("{mib:.0} MiB") } else { format!("{:.1} GiB", mib / 1024.0) }
}
