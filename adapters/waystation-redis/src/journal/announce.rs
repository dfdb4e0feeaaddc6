//! Announces events, one by one, to whoever listens to the journal's channel.

use std::time::Duration;

use redis::Cmd;
use serde_json::value::RawValue;
use tokio::time::Instant;
use waystation_core::port::Error;

use crate::link::Link;
use crate::topology::journal;

/// How long nothing is announced after nobody was there to hear it.
const NOBODY_PAUSE: Duration = Duration::from_secs(1);
/// The most events of one announcement.
const EVENTS_MAX: usize = 500;

/// Knows whether anybody listens.
#[derive(Default)]
pub struct Announcer {
    silent_until: Option<Instant>,
}

impl Announcer {
    /// Sends the events of these posts. While nobody listens, one of them is tried now and then.
    pub async fn announce(&mut self, link: &Link, posts: &[&[u8]]) -> Result<(), Error> {
        if self.silent_until.is_some_and(|until| Instant::now() < until) {
            return Ok(());
        }
        let channel = journal(link.options());
        let session = link.session().await?;
        let mut speaking = session.speaking.clone();
        let events: Vec<_> = posts.iter().flat_map(|post| single_events(post)).collect();
        let Some((first, rest)) = events.split_first() else { return Ok(()) };
        // The first one tells whether anybody hears.
        let heard = publish(&channel, first).query_async::<u64>(&mut speaking).await;
        if heard.map_err(|error| link.failed(&session, &error))? == 0 {
            self.silent_until = Some(Instant::now() + NOBODY_PAUSE);
            return Ok(());
        }
        self.silent_until = None;
        for events in rest.chunks(EVENTS_MAX) {
            let mut pipeline = redis::pipe();
            for event in events {
                pipeline.add_command(publish(&channel, event)).ignore();
            }
            let sent = pipeline.query_async::<()>(&mut speaking).await;
            sent.map_err(|error| link.failed(&session, &error))?;
        }
        Ok(())
    }
}

fn publish(channel: &str, event: &RawValue) -> Cmd {
    let mut publish = redis::cmd("PUBLISH");
    publish.arg(channel).arg(event.get());
    publish
}

/// The events of a post, each with its own text.
fn single_events(post: &[u8]) -> Vec<Box<RawValue>> {
    let list = serde_json::from_slice::<Vec<Box<RawValue>>>(post);
    list.or_else(|_| serde_json::from_slice(post).map(|one| vec![one])).unwrap_or_default()
}
