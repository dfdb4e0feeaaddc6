//! Hears what other processes tell by `NOTIFY`, on a connection of its own.
//!
//! Notices only make things quick: the writer looks around every second anyway, so that nothing
//! is lost while this connection is, or behind a pooler that passes no notices on.

use std::time::Duration;

use tokio::sync::mpsc;

use super::command::Command;
use crate::connection::connect;
use crate::options::Options;

/// The waits between attempts to connect; the last one is repeated.
const WAITS_SECONDS: [u64; 5] = [1, 2, 5, 10, 30];

/// The channel of a schema.
pub fn channel(options: &Options) -> String {
    format!("waystation_{}", options.schema)
}

/// Hands every notice on, for as long as somebody takes them.
pub async fn listen(options: Options, commands: mpsc::UnboundedSender<Command>) {
    let mut failures = 0;
    while !commands.is_closed() {
        match follow(&options, &commands).await {
            Ok(()) => failures = 0,
            Err(error) => tracing::warn!(%error, "not listening, looking every second instead"),
        }
        let wait = WAITS_SECONDS[failures.min(WAITS_SECONDS.len() - 1)];
        failures += 1;
        tokio::time::sleep(Duration::from_secs(wait)).await;
    }
}

/// Returns when the connection is lost.
async fn follow(
    options: &Options,
    commands: &mpsc::UnboundedSender<Command>,
) -> Result<(), waystation_core::port::Error> {
    let (sender, mut notices) = mpsc::unbounded_channel();
    let client = connect(options, Some(sender)).await?;
    client
        .batch_execute(&format!("LISTEN {}", channel(options)))
        .await
        .map_err(|error| crate::error::explain(&options.name(), &error))?;
    // What was told before we listened is found by a look.
    let _ = commands.send(Command::Notice(String::new()));
    while let Some(notice) = notices.recv().await {
        if commands.send(Command::Notice(notice)).is_err() {
            break;
        }
    }
    drop(client);
    Ok(())
}
