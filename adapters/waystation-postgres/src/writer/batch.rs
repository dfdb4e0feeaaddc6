//! One commit after another: gather, carry out, serve, commit, answer.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{broadcast, mpsc};
use waystation_core::clock::{Clock, Timestamp};
use waystation_core::id::{JobId, QueueName};
use waystation_core::port::{
    Abort, Error, Extended, Projected, RECEIVE_MAX, Receive, Share, Signal,
};
use waystation_core::settlement::{Delivery, Settled, Settlement, Submitted};
use waystation_core::statistics::Sums;

use super::claim::Claimed;
use super::command::{Command, Reply};
use super::floors::Floors;
use super::link::Link;
use super::listener::channel;
use super::statistics::any_slot;
use super::tallies::Tallies;
use super::turns::Touched;
use super::waiters::{Waiter, Waiters};
use crate::error::{explain, is_conflict};
use crate::options::Options;

/// How often the database is looked at while somebody waits, in case that a notice was lost.
const LOOK_AROUND: Duration = Duration::from_secs(1);
/// The same behind a pooler, where there are no notices.
pub const LOOK_AROUND_POOLED: Duration = Duration::from_millis(250);
/// The most commands of one commit. They hold up to a thousand entries each.
const COMMANDS_MAX: usize = 256;
/// The most settlements that share their statements, unless one command holds more.
const SETTLED_TOGETHER_MAX: usize = 4_000;
/// No receiver waits longer than this at a time.
const WAIT_MAX: Duration = Duration::from_hours(1);
/// How often a transaction that conflicts with another process's is run again.
const TRIES_MAX: u32 = 8;

pub use crate::error::Result;

/// The state of the writing task.
pub struct Writer {
    pub(super) link: Link,
    pub(super) waiters: Waiters,
    pub(super) floors: Floors,
    /// What those get of each queue that are passed over.
    pub(super) shares: HashMap<QueueName, Share>,
    /// The moment of the batch at hand.
    pub(super) now: Timestamp,
    /// When the next delay or lease runs out, as far as this process knows.
    pub(super) next_due: Option<Timestamp>,
    /// Queues that got something in this batch.
    pub(super) filled: Vec<QueueName>,
    /// Those of them where something moved up in its line.
    pub(super) moved: HashSet<QueueName>,
    /// Running jobs that somebody wants aborted, with why, noted in this batch.
    pub(super) aborts: Vec<(JobId, String)>,
    /// What this batch changes of how many children have ended.
    pub(super) tallies: Tallies,
    /// The lines of messages with one key that this batch changes.
    pub(super) touched: Touched,
    /// What this batch counts.
    pub(super) sums: Sums,
    /// Which rows of the statistics this process adds to, if nobody else does at that moment.
    pub(super) slot: i32,
    name: String,
    channel: String,
    clock: Arc<dyn Clock>,
    signals: broadcast::Sender<Signal>,
    commands: mpsc::UnboundedReceiver<Command>,
    looked_at: Instant,
    /// How often it is looked around.
    look_around: Duration,
    /// Deliveries that wait for the commit, with who gets them.
    served: Vec<(Waiter, Vec<Delivery>)>,
    returns: Vec<Command>,
}

/// What a command is answered with after the commit.
pub enum Answer {
    Submitted(std::result::Result<Vec<Submitted>, Error>),
    Extended(Vec<Extended>),
    Settled(Vec<Settled>),
    Projected(std::result::Result<Vec<Projected>, Error>),
    Aborted(Abort),
    Version(u32),
    Kept(Vec<u8>),
    Forgot(Option<JobId>),
    Nothing,
}

impl Writer {
    pub(super) fn new(
        link: Link,
        options: &Options,
        clock: Arc<dyn Clock>,
        signals: broadcast::Sender<Signal>,
        commands: mpsc::UnboundedReceiver<Command>,
    ) -> Self {
        Self {
            link,
            waiters: Waiters::default(),
            floors: Floors::default(),
            shares: HashMap::new(),
            now: clock.now(),
            // Looked up in the first batch.
            next_due: Some(Timestamp(0)),
            filled: Vec::new(),
            moved: HashSet::new(),
            aborts: Vec::new(),
            tallies: Tallies::default(),
            touched: Touched::default(),
            sums: Sums::new(),
            slot: any_slot(),
            name: options.name(),
            channel: channel(options),
            clock,
            signals,
            commands,
            looked_at: Instant::now(),
            look_around: if options.pooled { LOOK_AROUND_POOLED } else { LOOK_AROUND },
            served: Vec::new(),
            returns: Vec::new(),
        }
    }

    /// Works until it is told to stop, and then until nothing is left to be done.
    pub(super) async fn run(mut self) {
        let mut stop = false;
        while !stop {
            let mut gathered = std::mem::take(&mut self.returns);
            if gathered.is_empty() {
                self.gather(&mut gathered).await;
            }
            while let Ok(command) = self.commands.try_recv() {
                gathered.push(command);
            }
            stop = self.work_off(gathered).await;
        }
        let last = std::mem::take(&mut self.returns);
        self.work_off(last).await;
    }

    /// Waits for a command or for something to be due.
    async fn gather(&mut self, into: &mut Vec<Command>) {
        let Some(patience) = self.patience() else {
            if self.commands.recv_many(into, COMMANDS_MAX).await == 0 {
                into.push(Command::Stop);
            }
            return;
        };
        tokio::select! {
            received = self.commands.recv_many(into, COMMANDS_MAX) => {
                if received == 0 {
                    into.push(Command::Stop);
                }
            }
            () = tokio::time::sleep(patience) => {}
        }
    }

    /// How long the writer may sleep; `None` until a command comes.
    fn patience(&self) -> Option<Duration> {
        let first_end = self.waiters.next_end()?;
        let mut patience =
            first_end.saturating_duration_since(Instant::now()).min(self.look_around);
        if let Some(due) = self.next_due {
            patience = patience.min(due.since(self.clock.now()));
        }
        Some(patience)
    }

    async fn work_off(&mut self, gathered: Vec<Command>) -> bool {
        self.now = self.clock.now();
        if self.looked_at.elapsed() >= self.look_around {
            self.look_around();
        }
        let mut stop = false;
        let mut batch = Vec::with_capacity(gathered.len());
        for command in gathered {
            match command {
                Command::Receive { request, reply } => self.welcome(request, reply),
                Command::Notice(notice) => self.hear(&notice),
                Command::Stop => stop = true,
                other => batch.push(other),
            }
        }
        self.carry_out(batch).await;
        self.waiters.dismiss(Instant::now());
        stop
    }

    fn look_around(&mut self) {
        self.looked_at = Instant::now();
        self.waiters.promise_all();
        self.next_due = Some(Timestamp(0));
    }

    /// A notice is `q:QUEUE`, `m:QUEUE`, or `a:JOB` and the reason on a line of its own.
    fn hear(&mut self, notice: &str) {
        let _ = self.signals.send(Signal::Changed);
        match notice.split_once(':') {
            Some(("q", queue)) => self.waiters.promise(&QueueName::from(queue)),
            // What moved up in its line is older than what was seen of the queue.
            Some(("m", queue)) => {
                let queue = QueueName::from(queue);
                self.floors.lower(&queue);
                self.waiters.promise(&queue);
            }
            Some(("a", rest)) => {
                let (job_id, reason) = rest.split_once('\n').unwrap_or((rest, ""));
                let (job_id, reason) = (JobId::from(job_id), reason.to_owned());
                let _ = self.signals.send(Signal::Abort { job_id, reason });
            }
            _ => self.look_around(),
        }
    }

    fn welcome(&mut self, request: Receive, reply: Reply<Vec<Delivery>>) {
        if request.max == 0 {
            let _ = reply.send(Ok(Vec::new()));
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

    /// Carries out a batch in one transaction and answers after the commit.
    async fn carry_out(&mut self, batch: Vec<Command>) {
        let due = self.next_due.is_some_and(|due| due <= self.now);
        if batch.is_empty() && !due && self.waiters.hopeful().is_empty() {
            return;
        }
        let outcome = self.try_on(&batch).await;
        match &outcome {
            Ok(_) => self.hand_over(),
            Err(error) => self.take_back(error),
        }
        let failed = outcome.as_ref().err().cloned();
        let mut answers = outcome.unwrap_or_default().into_iter();
        for command in batch {
            let answer = answers.next().ok_or_else(|| {
                failed.clone().unwrap_or_else(|| Error::Closed { name: self.name.clone() })
            });
            tell(command, answer);
        }
    }

    /// Runs the transaction, again when it conflicts with somebody else's.
    async fn try_on(&mut self, batch: &[Command]) -> std::result::Result<Vec<Answer>, Error> {
        self.link.repair().await?;
        let mut tries = 1;
        loop {
            let result = self.transact(batch).await;
            let error = match result {
                Ok(answers) => return Ok(answers),
                Err(error) => error,
            };
            // On a lost connection the server rolls back by itself.
            let _ = self.link.run("ROLLBACK", &[]).await;
            self.put_back();
            if !is_conflict(&error) || tries == TRIES_MAX {
                return Err(explain(&self.name, &error));
            }
            tries += 1;
        }
    }

    async fn transact(&mut self, batch: &[Command]) -> Result<Vec<Answer>> {
        self.filled.clear();
        self.moved.clear();
        self.aborts.clear();
        self.tallies = Tallies::default();
        self.touched.clear();
        self.sums.clear();
        self.link.begin().await?;
        let mut answers = Vec::with_capacity(batch.len());
        while let Some(command) = batch.get(answers.len()) {
            if matches!(command, Command::Settle { .. }) {
                answers.extend(self.settle_first(&batch[answers.len()..]).await?);
            } else {
                answers.push(self.obey(command).await?);
            }
        }
        self.release_due().await?;
        self.count_children().await?;
        self.move_lines_up().await?;
        for queue in &self.filled {
            self.waiters.promise(queue);
        }
        self.serve().await?;
        self.notify().await?;
        self.write_sums().await?;
        self.link.run("COMMIT", &[]).await?;
        Ok(answers)
    }

    async fn obey(&mut self, command: &Command) -> Result<Answer> {
        Ok(match command {
            Command::Submit { jobs, checkpoint, .. } => {
                Answer::Submitted(self.submit(jobs, checkpoint.as_ref()).await?)
            }
            Command::Extend { leases, lease, .. } => {
                Answer::Extended(self.extend(leases, *lease).await?)
            }
            Command::Project { entries, .. } => Answer::Projected(self.project(entries).await?),
            Command::Abort { job_id, reason, .. } => {
                Answer::Aborted(self.abort(job_id, reason).await?)
            }
            Command::PutPipeline { name, source, .. } => {
                Answer::Version(self.put_pipeline(name, source).await?)
            }
            Command::KeepStep { step, result, .. } => {
                Answer::Kept(self.keep_step(step, result).await?)
            }
            Command::ForgetSteps { after, .. } => {
                Answer::Forgot(self.forget_steps(after.as_ref()).await?)
            }
            Command::KeepProgress { said, .. } => {
                self.keep_progress(said).await?;
                Answer::Nothing
            }
            Command::Return(leases) => {
                self.return_unwanted(leases).await?;
                Answer::Nothing
            }
            Command::Settle { .. }
            | Command::Receive { .. }
            | Command::Notice(_)
            | Command::Stop => Answer::Nothing,
        })
    }

    /// Carries out the settlements that these commands begin with as if they were one: workers
    /// of all stages settle in the same statements.
    async fn settle_first(&mut self, commands: &[Command]) -> Result<Vec<Answer>> {
        let mut lists: Vec<&[Settlement]> = Vec::new();
        let mut all: Vec<&Settlement> = Vec::new();
        for command in commands {
            let Command::Settle { settlements, .. } = command else { break };
            if !lists.is_empty() && all.len() + settlements.len() > SETTLED_TOGETHER_MAX {
                break;
            }
            lists.push(settlements);
            all.extend(settlements.iter());
        }
        let mut settled = self.settle_all(&all).await?.into_iter();
        let part =
            |list: &&[Settlement]| Answer::Settled(settled.by_ref().take(list.len()).collect());
        Ok(lists.iter().map(part).collect())
    }

    /// Leases what is there to whoever waits for it: every queue's first receiver at once, and
    /// the next ones where there was as much as the first took.
    async fn serve(&mut self) -> Result<()> {
        loop {
            let hopeful = self.waiters.hopeful().into_iter();
            let asking: Vec<(QueueName, Waiter)> = hopeful
                .filter_map(|queue| Some((queue.clone(), self.waiters.take_first(&queue)?)))
                .collect();
            if asking.is_empty() {
                return Ok(());
            }
            let found = match self.claim(&asking).await {
                Ok(found) => found,
                Err(error) => {
                    for (queue, waiter) in asking {
                        self.waiters.put_back(&queue, waiter);
                    }
                    return Err(error);
                }
            };
            for ((queue, waiter), Claimed { deliveries, heads }) in asking.into_iter().zip(found) {
                if heads < waiter.max {
                    self.waiters.disappoint(&queue);
                }
                if deliveries.is_empty() {
                    self.waiters.put_back(&queue, waiter);
                } else {
                    self.served.push((waiter, deliveries));
                }
            }
        }
    }

    /// Tells the other processes what is theirs to know, at the commit.
    async fn notify(&mut self) -> Result<()> {
        let kind = |queue| if self.moved.contains(queue) { "m" } else { "q" };
        let queues = self.filled.iter().map(|queue| format!("{}:{queue}", kind(queue)));
        let aborts = self.aborts.iter().map(|(job_id, reason)| format!("a:{job_id}\n{reason}"));
        let notices: Vec<String> = queues.chain(aborts).collect();
        if notices.is_empty() {
            return Ok(());
        }
        let sql = "SELECT pg_notify($1, left(notice, 7000)) FROM unnest($2::text[]) AS notice";
        self.link.send(sql, &[&self.channel, &notices]).await
    }

    /// The commit holds: everybody gets their deliveries.
    fn hand_over(&mut self) {
        for (waiter, deliveries) in std::mem::take(&mut self.served) {
            if let Err(Ok(unwanted)) = waiter.reply.send(Ok(deliveries)) {
                let leases = unwanted.into_iter().map(|delivery| delivery.lease).collect();
                self.returns.push(Command::Return(leases));
            }
        }
        // This process need not wait for its own notice, which may not come: behind a pooler, or
        // while the connection that hears of it is not there.
        for (job_id, reason) in std::mem::take(&mut self.aborts) {
            let _ = self.signals.send(Signal::Abort { job_id, reason });
        }
        if self.signals.receiver_count() > 0 {
            let _ = self.signals.send(Signal::Changed);
        }
    }

    /// The transaction is gone: nobody got anything.
    fn put_back(&mut self) {
        for (waiter, deliveries) in std::mem::take(&mut self.served) {
            if let Some(first) = deliveries.first() {
                self.waiters.put_back(&first.lease.queue, waiter);
            }
        }
        self.waiters.promise_all();
        self.floors.lower_all();
        // What it found due is due again.
        self.next_due = Some(Timestamp(0));
    }

    /// Receivers hear of the trouble as well: they know how long to wait before they ask again.
    fn take_back(&mut self, error: &Error) {
        self.put_back();
        self.waiters.fail(error);
    }

    /// Notes that a queue got something back that can be delivered now.
    pub(super) fn note_filled(&mut self, queue: &QueueName) {
        self.floors.lower(queue);
        self.note_fresh(queue);
    }

    /// Notes that a queue got a new message of this rank.
    pub(super) fn note_added(&mut self, queue: &QueueName, rank: i16) {
        self.floors.added(queue, rank);
        self.note_fresh(queue);
    }

    fn note_fresh(&mut self, queue: &QueueName) {
        if !self.filled.contains(queue) {
            self.filled.push(queue.clone());
        }
    }

    /// Notes that something will be due at this moment.
    pub(super) fn expect_due(&mut self, moment: Timestamp) {
        self.next_due = Some(self.next_due.map_or(moment, |known| known.min(moment)));
    }
}

/// Answers a command. Whoever went away needs no answer.
fn tell(command: Command, answer: std::result::Result<Answer, Error>) {
    match command {
        Command::Submit { reply, .. } => send(reply, answer, |answer| match answer {
            Answer::Submitted(answer) => Some(answer),
            _ => None,
        }),
        Command::Extend { reply, .. } => send(reply, answer, |answer| match answer {
            Answer::Extended(answer) => Some(answer),
            _ => None,
        }),
        Command::Settle { reply, .. } => send(reply, answer, |answer| match answer {
            Answer::Settled(answer) => Some(answer),
            _ => None,
        }),
        Command::Project { reply, .. } => send(reply, answer, |answer| match answer {
            Answer::Projected(answer) => Some(answer),
            _ => None,
        }),
        Command::Abort { reply, .. } => send(reply, answer, |answer| match answer {
            Answer::Aborted(answer) => Some(answer),
            _ => None,
        }),
        Command::PutPipeline { reply, .. } => send(reply, answer, |answer| match answer {
            Answer::Version(answer) => Some(answer),
            _ => None,
        }),
        Command::KeepStep { reply, .. } => send(reply, answer, |answer| match answer {
            Answer::Kept(answer) => Some(answer),
            _ => None,
        }),
        Command::ForgetSteps { reply, .. } => send(reply, answer, |answer| match answer {
            Answer::Forgot(answer) => Some(answer),
            _ => None,
        }),
        Command::KeepProgress { reply, .. } => send(reply, answer, |_| Some(())),
        // Nobody waits for these.
        Command::Receive { .. } | Command::Return(_) | Command::Notice(_) | Command::Stop => {}
    }
}

/// Each command has one kind of answer, which `pick` takes out.
fn send<T>(
    reply: Reply<T>,
    answer: std::result::Result<Answer, Error>,
    pick: fn(Answer) -> Option<T>,
) {
    match answer.map(pick) {
        Ok(Some(answer)) => drop(reply.send(Ok(answer))),
        // The receiver learns that it is closed.
        Ok(None) => {}
        Err(error) => drop(reply.send(Err(error))),
    }
}
