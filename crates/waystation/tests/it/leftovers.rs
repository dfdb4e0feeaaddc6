//! Takes away what tests leave on a shared broker.

use lapin::options::QueueDeleteOptions;
use lapin::{Connection, ConnectionProperties};

/// What the adapter makes beside a queue in these tests.
const ENDINGS: [&str; 7] =
    ["", ".priority", ".dead", ".delay.100ms", ".delay.200ms", ".delay.500ms", ".delay.1s"];

/// Deletes the queues of these names, and what belongs to them, below the prefix of this URL. A
/// broker that is gone by then took them along.
pub fn forget(url: &str, queues: &'static [&'static str]) {
    let Some((server, prefix)) = url.split_once("?prefix=") else { return };
    if !server.starts_with("amqp") {
        return;
    }
    let (server, prefix) = (server.to_owned(), prefix.to_owned());
    // A runtime of its own: that of the test may be ending.
    let removal = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime").block_on(async {
            let connecting = Connection::connect(&server, ConnectionProperties::default());
            let Ok(connection) = connecting.await else { return };
            let Ok(channel) = connection.create_channel().await else { return };
            for queue in queues.iter().chain(&["job_events"]) {
                for ending in ENDINGS {
                    let name = format!("{prefix}{queue}{ending}");
                    let _ = channel.queue_delete(name.into(), QueueDeleteOptions::default()).await;
                }
            }
        });
    });
    let _ = removal.join();
}
