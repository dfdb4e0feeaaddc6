//! `waystation dp3 put`: tasks for the workers whose they are.

use std::collections::BTreeMap;

use serde_json::json;
use tokio::task::JoinSet;
use waystation::backends::dp3::writer::Error as Unsent;
use waystation::backends::dp3::{Lane, TaskQueueWriter};

use super::Sending;
use super::lines::Line;
use crate::cli::exit::{Error, Outcome};
use crate::cli::out;
use crate::cli::session::Global;

/// What became of the lines for one worker.
struct Sent {
    worker: u16,
    /// The numbers of the lines that are with its queue.
    put: Vec<usize>,
    /// The line that was not, why, and how many behind it were not tried.
    failed: Option<(usize, Unsent, usize)>,
}

/// Puts them all: those of one worker one after the other, so that what is said of an entity is
/// heard in its order; those of several workers side by side, so that none waits for another.
pub async fn run(sending: Sending, global: &Global) -> Result<Outcome, Error> {
    let lines = sending.lines.read()?;
    let all = lines.len();
    let writer = sending.writer(global).await?;
    let mut of_workers: BTreeMap<u16, Vec<Line>> = BTreeMap::new();
    for line in lines {
        let worker = line.message.worker(writer.workers());
        of_workers.entry(worker).or_default().push(line);
    }
    let mut sends = JoinSet::new();
    for (worker, lines) in of_workers {
        sends.spawn(send(writer.clone(), worker, lines, sending.lane()));
    }
    let mut sent = sends.join_all().await;
    sent.sort_by_key(|sent| sent.worker);
    let put: usize = sent.iter().map(|sent| sent.put.len()).sum();
    tell(&sent, sending.lines.origin(), global);
    if put < all {
        let message = format!("{put} of {all} are put");
        return if global.json { Ok(Outcome::NotAll) } else { Err(Error::failed(message)) };
    }
    if !global.json {
        let (messages, workers) =
            (out::counted(put, "message"), out::counted(sent.len(), "worker"));
        out::line(format_args!("{messages} for {workers} are put"));
    }
    Ok(Outcome::Done)
}

async fn send(writer: TaskQueueWriter, worker: u16, lines: Vec<Line>, lane: Lane) -> Sent {
    let mut sent = Sent { worker, put: Vec::new(), failed: None };
    let all = lines.len();
    for (index, line) in lines.iter().enumerate() {
        if let Err(error) = writer.put(&line.message, lane).await {
            sent.failed = Some((line.number, error, all - index - 1));
            break;
        }
        sent.put.push(line.number);
    }
    sent
}

fn tell(sent: &[Sent], origin: &str, global: &Global) {
    for Sent { worker, put, failed } in sent {
        for line in put.iter().filter(|_| global.json) {
            out::json(&json!({ "line": line, "worker": worker }));
        }
        let Some((line, error, untried)) = failed else { continue };
        if global.json {
            let error = error.to_string();
            out::json(&json!({
                "line": line, "worker": worker, "error": error, "untried": untried,
            }));
            continue;
        }
        out::say(format_args!("{origin}:{line}: {}", out::clean(&error.to_string())));
        if *untried > 0 {
            let behind = out::counted(*untried, "message");
            out::say(format_args!("{behind} behind it for worker {worker} are not tried"));
        }
    }
}
