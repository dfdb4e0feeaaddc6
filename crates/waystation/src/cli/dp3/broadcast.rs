//! `waystation dp3 broadcast`: messages for all workers.

use serde_json::json;

use super::Sending;
use crate::cli::exit::{Error, Outcome};
use crate::cli::out;
use crate::cli::session::Global;

/// Sends each to all workers, one after the other.
pub async fn run(sending: Sending, global: &Global) -> Result<Outcome, Error> {
    let lines = sending.lines.read()?;
    let writer = sending.writer(global).await?;
    let workers = writer.workers().get();
    let mut outcome = Outcome::Done;
    for line in &lines {
        let number = line.number;
        let missed = writer.broadcast(&line.message, sending.lane()).await.err();
        if missed.is_some() {
            outcome = Outcome::NotAll;
        }
        if global.json {
            let reached = match &missed {
                Some(missed) => missed.reached.clone(),
                None => (0..workers).collect(),
            };
            let missed = missed.iter().flat_map(|missed| &missed.missed);
            let missed: Vec<_> = missed
                .map(|(worker, error)| json!({ "worker": worker, "error": error.to_string() }))
                .collect();
            out::json(&json!({ "line": number, "reached": reached, "missed": missed }));
        } else if let Some(missed) = missed {
            let origin = sending.lines.origin();
            out::say(format_args!("{}: {origin}:{number}: {missed}", out::error_word()));
        }
    }
    if outcome == Outcome::Done && !global.json {
        let messages = out::counted(lines.len(), "message");
        out::line(format_args!("{messages} for each of {workers} workers are put"));
    }
    Ok(outcome)
}
