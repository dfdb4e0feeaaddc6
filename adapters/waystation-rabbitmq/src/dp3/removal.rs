//! Taking away what a DP3 application has on its broker.

use std::fmt;

use lapin::options::{ExchangeDeleteOptions, QueueDeleteOptions};
use lapin::types::ShortString;

use super::names::Role;
use super::topology::{Error, Topology};
use crate::error::is_otherwise;

/// A queue that is still wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Busy {
    /// Its name.
    pub queue: String,
    /// So many messages wait in it.
    pub messages: u32,
    /// So many programs read it.
    pub consumers: u32,
}

impl fmt::Display for Busy {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { queue, messages, consumers } = self;
        write!(
            formatter,
            "queue `{queue}` is in use (messages: {messages}, consumers: {consumers})"
        )
    }
}

/// What was taken away.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Removed {
    /// These queues.
    pub queues: Vec<String>,
    /// So many messages with them.
    pub messages: u64,
}

impl Topology {
    /// Takes everything of the application away: the queues of all workers from the first on, as
    /// many as there are in a row, and of `workers` in any case; the queue of dead letters; and all
    /// four exchanges, of which DP3's own script leaves two.
    ///
    /// Unless it is forced, nothing is taken while a queue has messages or readers. Idempotent: the
    /// last worker's queues go first and the exchanges last, so that what was given up half-way can
    /// be done again. Where somebody took a worker's queues from between, `workers` says how far to
    /// look.
    pub async fn delete(&self, workers: u16, force: bool) -> Result<Removed, Error> {
        let queues = self.present(workers).await?;
        let busy: Vec<Busy> =
            queues.iter().filter(|one| one.messages > 0 || one.consumers > 0).cloned().collect();
        if !force && !busy.is_empty() {
            return Err(Error::Busy { busy });
        }
        let session = self.link().session().await?;
        let channel = self.channel(&session).await?;
        let mut removed = Removed::default();
        // What comes in or is consumed since it was looked at, too.
        let options = QueueDeleteOptions {
            if_empty: !force,
            if_unused: !force,
            ..QueueDeleteOptions::default()
        };
        // From the last worker down: what is given up half-way is found again from the first on.
        let dead = self.app.dead_letters();
        let (dead, workers): (Vec<_>, Vec<_>) =
            queues.into_iter().partition(|one| one.queue == dead.as_str());
        for busy in workers.into_iter().rev().chain(dead) {
            let name = ShortString::from(busy.queue.as_str());
            match channel.queue_delete(name.clone(), options).await {
                Ok(messages) => removed.messages += u64::from(messages),
                Err(error) if !force && is_otherwise(&error) => {
                    let mut channel = self.channel(&session).await?;
                    let found = self.found(&session, &mut channel, &name).await?;
                    return Err(Error::Busy {
                        busy: found.map(|now| of(&name, now)).into_iter().collect(),
                    });
                }
                Err(error) => return Err(self.explain(&format!("queue `{}`", busy.queue), &error)),
            }
            removed.queues.push(busy.queue);
        }
        for role in Role::ALL {
            let exchange = self.app.exchange(role);
            let deleted =
                channel.exchange_delete(exchange.clone(), ExchangeDeleteOptions::default());
            deleted
                .await
                .map_err(|error| self.explain(&format!("exchange `{exchange}`"), &error))?;
        }
        let _ = channel.close(200, "done".into()).await;
        Ok(removed)
    }

    /// The queues that there are. A broker lists none to its clients: they are asked for one by
    /// one, until a worker has none.
    async fn present(&self, workers: u16) -> Result<Vec<Busy>, Error> {
        let session = self.link().session().await?;
        let mut channel = self.channel(&session).await?;
        let mut present = Vec::new();
        for worker in 0..=u16::MAX {
            let before = present.len();
            for role in Role::ALL {
                let queue = self.app.queue(worker, role);
                let found = self.found(&session, &mut channel, &queue).await?;
                present.extend(found.map(|found| of(&queue, found)));
            }
            if present.len() == before && worker >= workers {
                break;
            }
        }
        let queue = self.app.dead_letters();
        let found = self.found(&session, &mut channel, &queue).await?;
        present.extend(found.map(|found| of(&queue, found)));
        let _ = channel.close(200, "done".into()).await;
        Ok(present)
    }
}

fn of(queue: &ShortString, (messages, consumers): (u32, u32)) -> Busy {
    Busy { queue: queue.to_string(), messages, consumers }
}
