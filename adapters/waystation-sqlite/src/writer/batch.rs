//! One commit after another: gather, carry out, serve, commit, answer.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use rusqlite::Connection;
use tokio::sync::broadcast;
use waystation_core::clock::{Clock, Timestamp};
use waystation_core::id::QueueName;
use waystation_core::port::{Error, RECEIVE_MAX, Receive, Share, Signal};
use waystation_core::settlement::Delivery;
use waystation_core::statistics::Sums;

use super::claim::Claimed;
use super::command::{Command, Reply};
use super::waiters::{Waiter, Waiters};
use super::{COMMANDS_MAX, POLL};
use crate::connection::wait_for_others;
use crate::error::explain;
use crate::names::Names;
use crate::presence::Presence;

/// Above this many pages of log (256 MiB) the writer has it shortened before it goes on.
const LOG_PAGES_MAX: u64 = 65_536;
/// How long the writer waits for the readers of an old state, and how long it goes on before it
/// tries again.
const LOG_WAIT: Duration = Duration::from_millis(100);
const LOG_PAUSE: Duration = Duration::from_secs(10);
/// No receiver waits longer than this at a time.
const WAIT_MAX: Duration = Duration::from_hours(1);

/// The state of the writing thread.
pub struct Writer {
    pub(super) connection: Connection,
    pub(super) names: Names,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) waiters: Waiters,
    /// What those get of each queue that are passed over.
    pub(super) shares: HashMap<QueueName, Share>,
    /// The moment of the batch at hand.
    pub(super) now: Timestamp,
    /// Numbers of the next message and job, read at the start of each transaction.
    pub(super) next_message: i64,
    pub(super) next_job: i64,
    /// When the next delay or lease runs out, as far as this process knows.
    pub(super) next_due: Option<Timestamp>,
    /// Signals to send once the commit holds.
    pub(super) outgoing: Vec<Signal>,
    /// Queues that got something in this batch.
    pub(super) filled: Vec<QueueName>,
    /// What this batch counts.
    pub(super) sums: Sums,
    name: String,
    signals: broadcast::Sender<Signal>,
    presence: Presence,
    present: bool,
    log_pages: Arc<AtomicU64>,
    /// Not before this moment is shortening the log tried again.
    log_pause: Instant,
    data_version: i64,
    returns: Sender<Command>,
}

/// An answer that waits for the commit.
type Answer = Box<dyn FnOnce(Result<(), Error>)>;

/// Deliveries that wait for the commit, and who gets them.
struct Served {
    reply: Reply<Vec<Delivery>>,
    deliveries: Vec<Delivery>,
}

impl Writer {
    pub(super) fn new(
        connection: Connection,
        name: String,
        clock: Arc<dyn Clock>,
        signals: broadcast::Sender<Signal>,
        presence: Presence,
        log_pages: Arc<AtomicU64>,
        returns: Sender<Command>,
    ) -> Self {
        // What others did before is no news.
        let version = connection.pragma_query_value(None, "data_version", |row| row.get(0));
        let data_version = version.unwrap_or(0);
        Self {
            connection,
            names: Names::default(),
            now: clock.now(),
            clock,
            waiters: Waiters::default(),
            shares: HashMap::new(),
            next_message: 0,
            next_job: 0,
            // Looked up in the first batch.
            next_due: Some(Timestamp(0)),
            outgoing: Vec::new(),
            filled: Vec::new(),
            sums: Sums::new(),
            name,
            signals,
            presence,
            present: false,
            log_pages,
            log_pause: Instant::now(),
            data_version,
            returns,
        }
    }

    /// Works until it is told to stop, and then until no command is left: deliveries that nobody
    /// received any more come back as one.
    pub(super) fn run(mut self, commands: &Receiver<Command>) {
        let mut stop = false;
        while !stop {
            let mut gathered = Vec::new();
            stop = self.gather(commands, &mut gathered);
            stop |= self.work_off(gathered);
        }
        while let Ok(command) = commands.try_recv() {
            self.work_off(vec![command]);
        }
    }

    /// Carries out what was gathered; true when it says to stop.
    fn work_off(&mut self, gathered: Vec<Command>) -> bool {
        self.look_around();
        let mut stop = false;
        let mut batch = Vec::with_capacity(gathered.len());
        for command in gathered {
            match command {
                Command::Receive { request, reply } => self.welcome(request, reply),
                Command::Wake => {}
                Command::Stop => stop = true,
                other => batch.push(other),
            }
        }
        self.carry_out(batch);
        self.waiters.dismiss(Instant::now());
        self.bound_the_log();
        stop
    }

    /// Waits for a command or for something to be due, then takes every command that is there.
    fn gather(&mut self, commands: &Receiver<Command>, into: &mut Vec<Command>) -> bool {
        let received = match self.patience() {
            None => commands.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some(patience) => commands.recv_timeout(patience),
        };
        match received {
            Ok(command) => into.push(command),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return true,
        }
        while into.len() < COMMANDS_MAX {
            match commands.try_recv() {
                Ok(command) => into.push(command),
                Err(_) => break,
            }
        }
        false
    }

    /// How long the writer may sleep; `None` until a command comes.
    fn patience(&self) -> Option<Duration> {
        let Some(first_end) = self.waiters.next_end() else {
            return (self.signals.receiver_count() > 0).then_some(POLL);
        };
        let mut patience = first_end.saturating_duration_since(Instant::now()).min(POLL);
        if let Some(due) = self.next_due {
            patience = patience.min(due.since(self.clock.now()));
        }
        Some(patience)
    }

    fn welcome(&mut self, request: Receive, reply: Reply<Vec<Delivery>>) {
        if request.max == 0 {
            let _ = reply.send(Ok(Vec::new()));
            return;
        }
        if !self.present
            && let Err(error) = self.announce()
        {
            let _ = reply.send(Err(error));
            return;
        }
        let waiter = Waiter {
            max: request.max.min(RECEIVE_MAX),
            together: request.together,
            lease: request.lease,
            purpose: request.purpose,
            until: Instant::now() + request.wait.min(WAIT_MAX),
            reply,
        };
        self.waiters.add(request.queue, waiter);
    }

    /// Comes into the open as a process that receives. What dead processes left under lease
    /// returns at once when this one is alone.
    fn announce(&mut self) -> Result<(), Error> {
        let Self { presence, connection, name, .. } = self;
        presence.announce(|| {
            super::due::expire_all(connection).map_err(|error| explain(name, &error))
        })?;
        self.present = true;
        self.next_due = Some(Timestamp(0));
        Ok(())
    }

    /// Notices what other processes committed since the last look.
    fn look_around(&mut self) {
        self.now = self.clock.now();
        let version = self.connection.pragma_query_value(None, "data_version", |row| row.get(0));
        // An unreadable file shows in the transaction that follows.
        let version = version.unwrap_or(self.data_version);
        if version == self.data_version {
            return;
        }
        self.data_version = version;
        self.waiters.promise_all();
        self.next_due = Some(Timestamp(0));
        if self.signals.receiver_count() > 0 {
            let _ = self.signals.send(Signal::Changed);
            for signal in super::abort::marked(&self.connection).unwrap_or_default() {
                let _ = self.signals.send(signal);
            }
        }
    }

    /// Carries out a batch in one transaction and answers after the commit.
    fn carry_out(&mut self, batch: Vec<Command>) {
        let due = self.next_due.is_some_and(|due| due <= self.now);
        if batch.is_empty() && !due && self.waiters.hopeful().is_empty() {
            return;
        }
        let mut answers = Vec::with_capacity(batch.len());
        let mut served = Vec::new();
        let result = self.transact(batch, &mut answers, &mut served);
        let outcome = result.map_err(|error| {
            // The transaction is gone whole, and with it every number that it made.
            let _ = self.connection.execute_batch("ROLLBACK");
            self.names.forget();
            self.outgoing.clear();
            self.filled.clear();
            self.sums.clear();
            self.waiters.promise_all();
            // What was due is due again, but not at once: a full disk must not be hammered.
            self.next_due = Some(self.now.plus(POLL));
            explain(&self.name, &error)
        });
        for answer in answers {
            answer(outcome.clone());
        }
        for Served { reply, deliveries } in served {
            match &outcome {
                Err(error) => drop(reply.send(Err(error.clone()))),
                Ok(()) => {
                    if let Err(Ok(unwanted)) = reply.send(Ok(deliveries)) {
                        let leases = unwanted.into_iter().map(|delivery| delivery.lease).collect();
                        let _ = self.returns.send(Command::Return(leases));
                    }
                }
            }
        }
        for signal in self.outgoing.drain(..) {
            let _ = self.signals.send(signal);
        }
    }

    fn transact(
        &mut self,
        batch: Vec<Command>,
        answers: &mut Vec<Answer>,
        served: &mut Vec<Served>,
    ) -> rusqlite::Result<()> {
        let wrote = batch.iter().any(Command::is_of_jobs);
        self.connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        let mut newest = self.connection.prepare_cached(
            "SELECT coalesce((SELECT max(message_id) FROM message), 0) + 1, \
             coalesce((SELECT max(job_number) FROM job), 0) + 1",
        )?;
        (self.next_message, self.next_job) =
            newest.query_row([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        drop(newest);
        let mut done = Ok(());
        for command in batch {
            // Every command gets an answer, also those behind one that failed.
            match done {
                Ok(()) => done = self.obey(command, answers),
                Err(_) => refuse(command, answers),
            }
        }
        done?;
        let released = self.release_due()?;
        for queue in std::mem::take(&mut self.filled) {
            self.waiters.promise(&queue);
        }
        self.serve(served)?;
        if (wrote || released) && self.signals.receiver_count() > 0 {
            self.outgoing.push(Signal::Changed);
        }
        self.write_sums()?;
        self.connection.prepare_cached("COMMIT")?.execute([])?;
        Ok(())
    }

    /// Carries out one command. Its answer is kept until the commit.
    fn obey(&mut self, command: Command, answers: &mut Vec<Answer>) -> rusqlite::Result<()> {
        match command {
            Command::Submit { jobs, checkpoint, reply } => {
                keep(answers, reply, self.submit(&jobs, checkpoint))
            }
            Command::Extend { leases, lease, reply } => {
                keep(answers, reply, self.extend(&leases, lease))
            }
            Command::Settle { settlements, reply } => {
                keep(answers, reply, self.settle_all(&settlements))
            }
            Command::Project { entries, reply } => keep(answers, reply, self.project(&entries)),
            Command::Abort { job_id, reason, reply } => {
                keep(answers, reply, self.abort(&job_id, &reason))
            }
            Command::PutPipeline { name, source, reply } => {
                keep(answers, reply, self.put_pipeline(&name, &source))
            }
            Command::KeepStep { step, result, reply } => {
                keep(answers, reply, self.keep_step(&step, &result))
            }
            Command::ForgetSteps { after, reply } => {
                keep(answers, reply, self.forget_steps(after.as_ref()))
            }
            Command::KeepProgress { said, reply } => {
                keep(answers, reply, self.keep_progress(&said))
            }
            Command::ChangeTask { task_id, change, reply } => {
                keep(answers, reply, self.change_task(task_id, change))
            }
            Command::PutRecord { record, expected, reply } => {
                keep(answers, reply, self.put_record(&record, expected))
            }
            Command::RemoveRecord { collection, key, expected, reply } => {
                keep(answers, reply, self.remove_record(&collection, &key, expected))
            }
            Command::ClearRecords { reply } => keep(answers, reply, self.clear_records()),
            Command::ForgetStatistics { before, reply } => {
                keep(answers, reply, self.forget_statistics(before))
            }
            Command::Return(leases) => self.return_unwanted(&leases),
            Command::Receive { .. } | Command::Wake | Command::Stop => Ok(()),
        }
    }

    /// Leases what is there to whoever waits for it.
    fn serve(&mut self, served: &mut Vec<Served>) -> rusqlite::Result<()> {
        for queue in self.waiters.hopeful() {
            while let Some(waiter) = self.waiters.take_first(&queue) {
                let claimed = self.claim(&queue, &waiter);
                match claimed {
                    Ok(Claimed { deliveries, heads }) if heads > 0 => {
                        let short = heads < waiter.max;
                        served.push(Served { reply: waiter.reply, deliveries });
                        if !short {
                            continue;
                        }
                    }
                    Ok(_) => self.waiters.put_back(&queue, waiter),
                    Err(error) => {
                        self.waiters.put_back(&queue, waiter);
                        return Err(error);
                    }
                }
                self.waiters.disappoint(&queue);
                break;
            }
        }
        Ok(())
    }

    /// Keeps the log from growing without end while commits never pause for the checkpointer.
    fn bound_the_log(&mut self) {
        let pages = self.log_pages.load(Ordering::Relaxed);
        if pages < LOG_PAGES_MAX || Instant::now() < self.log_pause {
            return;
        }
        self.log_pause = Instant::now() + LOG_PAUSE;
        match restart_log(&mut self.connection) {
            Ok(false) => {}
            Ok(true) => {
                tracing::warn!(store = %self.name, pages, "a reader keeps the log from shrinking");
            }
            Err(error) => {
                tracing::warn!(store = %self.name, pages, %error, "the log cannot be shortened");
            }
        }
    }
}

/// Tells whether a reader was in the way.
fn restart_log(connection: &mut Connection) -> rusqlite::Result<bool> {
    connection.busy_timeout(LOG_WAIT)?;
    let busy = connection.query_row("PRAGMA wal_checkpoint(RESTART)", [], |row| row.get(0));
    wait_for_others(connection)?;
    busy
}

/// Keeps an answer until the commit, and passes an error on.
fn keep<T: 'static>(
    answers: &mut Vec<Answer>,
    reply: Reply<T>,
    result: rusqlite::Result<T>,
) -> rusqlite::Result<()> {
    match result {
        Ok(value) => {
            answers.push(Box::new(|outcome| drop(reply.send(outcome.map(|()| value)))));
            Ok(())
        }
        Err(error) => {
            answers.push(told_the_error(reply));
            Err(error)
        }
    }
}

/// The answer of a command that was not carried out, since it or one before it failed.
fn told_the_error<T: 'static>(reply: Reply<T>) -> Answer {
    Box::new(|outcome| {
        if let Err(error) = outcome {
            let _ = reply.send(Err(error));
        }
    })
}

fn refuse(command: Command, answers: &mut Vec<Answer>) {
    answers.push(match command {
        Command::Submit { reply, .. } => told_the_error(reply),
        Command::Extend { reply, .. } => told_the_error(reply),
        Command::Settle { reply, .. } => told_the_error(reply),
        Command::Project { reply, .. } => told_the_error(reply),
        Command::Abort { reply, .. } => told_the_error(reply),
        Command::PutPipeline { reply, .. } => told_the_error(reply),
        Command::KeepStep { reply, .. } => told_the_error(reply),
        Command::ForgetSteps { reply, .. } => told_the_error(reply),
        Command::KeepProgress { reply, .. } => told_the_error(reply),
        Command::ChangeTask { reply, .. } => told_the_error(reply),
        Command::PutRecord { reply, .. } => told_the_error(reply),
        Command::ClearRecords { reply } => told_the_error(reply),
        Command::RemoveRecord { reply, .. } | Command::ForgetStatistics { reply, .. } => {
            told_the_error(reply)
        }
        // Their leases run out by themselves.
        Command::Return(_) | Command::Receive { .. } | Command::Wake | Command::Stop => return,
    });
}
