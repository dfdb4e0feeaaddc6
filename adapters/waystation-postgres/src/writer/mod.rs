//! The task that owns the writing connection.
//!
//! States: it sleeps until a command or a notice comes, a delay or lease runs out, or it is time
//! to look around; then it gathers every command that is there, carries them all out in one
//! transaction, serves waiting receivers in that same transaction, commits, and answers. A
//! transaction that conflicts with another process's is run again; one whose connection is lost
//! is answered as unavailable, and the connection is made anew.

mod abort;
mod arrivals;
mod batch;
mod claim;
mod command;
mod dedupe;
mod due;
mod family;
mod floors;
mod in_turn;
mod ledger;
mod link;
mod listener;
mod progress;
mod runs;
mod sets;
mod settle;
mod statistics;
mod steps;
mod submit;
mod tallies;
mod turns;
mod waiters;

use std::sync::Arc;

use tokio::sync::{broadcast, mpsc, oneshot};
use tokio_postgres::Client;
use waystation_core::clock::Clock;
use waystation_core::port::{Error, Receive, Signal};
use waystation_core::settlement::Delivery;

use crate::options::Options;

pub use batch::LOOK_AROUND_POOLED;
pub use command::{Command, Reply};

/// Sends commands to the writer. The task ends when the handle is dropped.
pub struct Handle {
    commands: mpsc::UnboundedSender<Command>,
    listener: Option<tokio::task::AbortHandle>,
    name: String,
}

impl Handle {
    /// Starts the task on this connection.
    pub fn start(
        client: Client,
        options: &Options,
        clock: Arc<dyn Clock>,
        signals: broadcast::Sender<Signal>,
    ) -> Self {
        let (commands, received) = mpsc::unbounded_channel();
        let listener = (!options.pooled)
            .then(|| tokio::spawn(listener::listen(options.clone(), commands.clone())));
        if options.pooled {
            tracing::warn!(
                store = options.name(),
                "behind a pooler no notices arrive: looking every {} ms what others did",
                batch::LOOK_AROUND_POOLED.as_millis()
            );
        }
        let link = link::Link::new(client, options.clone());
        let writer = batch::Writer::new(link, options, clock, signals, received);
        tokio::spawn(writer.run());
        Self { commands, listener: listener.map(|task| task.abort_handle()), name: options.name() }
    }

    /// Sends a command and waits for its answer, which comes after its commit.
    pub async fn ask<T>(&self, command: impl FnOnce(Reply<T>) -> Command) -> Result<T, Error> {
        let (reply, answer) = oneshot::channel();
        let closed = || Error::Closed { name: self.name.clone() };
        self.commands.send(command(reply)).map_err(|_| closed())?;
        answer.await.map_err(|_| closed())?
    }

    /// Waits for deliveries. Those that were already answered when the caller goes away return to
    /// their queue, uncounted.
    pub async fn receive(&self, request: Receive) -> Result<Vec<Delivery>, Error> {
        let (reply, answer) = oneshot::channel();
        let closed = || Error::Closed { name: self.name.clone() };
        let mut pending = Pending { answer, commands: self.commands.clone() };
        self.commands.send(Command::Receive { request, reply }).map_err(|_| closed())?;
        (&mut pending.answer).await.map_err(|_| closed())?
    }
}

/// An answer that is waited for.
struct Pending {
    answer: oneshot::Receiver<Result<Vec<Delivery>, Error>>,
    commands: mpsc::UnboundedSender<Command>,
}

impl Drop for Pending {
    fn drop(&mut self) {
        self.answer.close();
        // Nothing is there any more when the caller got it.
        if let Ok(Ok(deliveries)) = self.answer.try_recv()
            && !deliveries.is_empty()
        {
            let leases = deliveries.into_iter().map(|delivery| delivery.lease).collect();
            let _ = self.commands.send(Command::Return(leases));
        }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        if let Some(listener) = &self.listener {
            listener.abort();
        }
        let _ = self.commands.send(Command::Stop);
    }
}
