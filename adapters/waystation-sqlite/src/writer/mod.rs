//! The thread that owns the writing connection.
//!
//! States: it sleeps until a command comes, a delay or lease runs out, or it is time to look for
//! other processes' changes; then it gathers every command that is there, carries them all out in
//! one transaction, serves waiting receivers in that same transaction, commits, and answers.

mod abort;
mod batch;
mod claim;
mod command;
mod dedupe;
mod due;
mod family;
mod ledger;
mod pipelines;
mod progress;
mod records;
mod rows;
mod runs;
mod settle;
mod statistics;
mod steps;
mod submit;
mod tasks;
mod turns;
mod waiters;

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::mpsc;
use std::time::Duration;

use rusqlite::Connection;
use tokio::sync::{broadcast, oneshot};
use waystation_core::clock::Clock;
use waystation_core::port::{Error, Receive, Signal};
use waystation_core::settlement::Delivery;

use crate::options::Options;
use crate::presence::Presence;

pub use command::{Command, NewRecord, Reply};

/// How often the file is looked at for what other processes did, while somebody waits for it.
pub const POLL: Duration = Duration::from_millis(50);
/// The most commands of one commit. They hold up to a thousand entries each.
const COMMANDS_MAX: usize = 1_000;

/// Sends commands to the writer. The thread ends when the handle is dropped.
pub struct Handle {
    commands: mpsc::Sender<Command>,
    thread: Option<std::thread::JoinHandle<()>>,
    name: String,
}

impl Handle {
    /// Starts the thread.
    pub fn start(
        connection: Connection,
        options: &Options,
        clock: Arc<dyn Clock>,
        signals: broadcast::Sender<Signal>,
        log_pages: Arc<AtomicU64>,
    ) -> Result<Self, Error> {
        let name = options.path.display().to_string();
        let presence = Presence::open(&options.path)?;
        let (commands, received) = mpsc::channel();
        let writer = batch::Writer::new(
            connection,
            name.clone(),
            clock,
            signals,
            presence,
            log_pages,
            commands.clone(),
        );
        let thread = std::thread::Builder::new()
            .name("waystation-sqlite".into())
            .spawn(move || writer.run(&received))
            .map_err(|error| Error::Broken {
                name: name.clone(),
                message: format!("no thread for the writer: {error}"),
            })?;
        Ok(Self { commands, thread: Some(thread), name })
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

    /// Makes the writer look around.
    pub fn wake(&self) {
        let _ = self.commands.send(Command::Wake);
    }
}

/// An answer that is waited for.
struct Pending {
    answer: oneshot::Receiver<Result<Vec<Delivery>, Error>>,
    commands: mpsc::Sender<Command>,
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
        let _ = self.commands.send(Command::Stop);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
