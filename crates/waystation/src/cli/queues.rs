//! `waystation queues`: how much waits in each.

use waystation::server::wire::Queue;

use super::exit::{Error, Outcome};
use super::session::Global;
use super::site::Query;
use super::table::{Cell, Table};
use super::{out, timing, words};

/// Lists them.
pub async fn run(global: &Global) -> Result<Outcome, Error> {
    let site = global.site().await?;
    let queues: Vec<Queue> = site.get(&["queues"], &Query::default()).await?;
    if global.json {
        queues.iter().for_each(out::json);
        return Ok(Outcome::Done);
    }
    if queues.is_empty() {
        out::say("no queues");
        return Ok(Outcome::Done);
    }
    let mut table = Table::with_heads(vec![
        Cell::head("queue"),
        Cell::right_head("ready"),
        Cell::right_head("delayed"),
        Cell::right_head("behind"),
        Cell::right_head("running"),
        Cell::right_head("oldest"),
        Cell::right_head("workers"),
        Cell::head("paused"),
    ]);
    let plain = clap::builder::styling::Style::new;
    for queue in &queues {
        let oldest =
            queue.oldest_at.map_or_else(|| "-".to_owned(), |at| timing::age(timing::now(), at.0));
        table.row(vec![
            queue.queue.as_str().into(),
            Cell::count(queue.ready, plain()),
            Cell::count(queue.delayed, plain()),
            Cell::count(queue.behind, plain()),
            Cell::count(queue.in_flight, plain()),
            Cell::right(oldest),
            Cell::count(queue.workers, plain()),
            words::pauses(&queue.pauses).into(),
        ]);
    }
    table.print();
    Ok(Outcome::Done)
}
