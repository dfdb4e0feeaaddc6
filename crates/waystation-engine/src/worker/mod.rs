//! One stage's worker: a loop over what it received, what ended and what was settled.
//!
//! States: *working* (receives whenever there is free capacity), *draining* (receives nothing
//! more, lets what runs end), ended (nothing runs and everything is settled).

mod ask;
pub(crate) mod attempt;
mod descend;
mod execute;
mod gather;
pub(crate) mod offload;
pub(crate) mod reporter;
mod run;
mod steps;

use std::collections::{HashMap, VecDeque};
use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::{self, JoinError, JoinSet};
use tokio_util::sync::CancellationToken;
use waystation_core::id::{PipelineName, QueueName, StageId};
use waystation_core::port::{Error, Purpose, RECEIVE_MAX, Receive, SETTLE_MAX};
use waystation_core::settlement::{Delivery, Lease, Settled, Settlement};

use crate::backend::Backend;
use crate::control::{Gate, Roster};
use crate::decide::{refused_as_too_large, stays_before_its_key};
use crate::definition::Registry;
use crate::lease_keeper::LeaseKeeper;
use crate::progress_keeper::ProgressKeeper;
use crate::stop::Cause;
use attempt::{Attempter, Finished};
use run::{Held, Run};

/// How long one receive waits. Wake-ups end it early; this only bounds it.
const RECEIVE_WAIT: Duration = Duration::from_secs(30);
/// It is shown that the loop goes on at least so often.
const TICK: Duration = Duration::from_secs(15);
/// The wait after a port failed: the first, and the longest.
const PAUSE: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// What a worker is told.
pub struct Options {
    /// The pipeline.
    pub pipeline: PipelineName,
    /// The version that contracts without one are taken for.
    pub version: u32,
    /// The stage.
    pub stage: StageId,
    /// Its queue.
    pub queue: QueueName,
    /// How many attempts run at a time.
    pub concurrency: usize,
    /// How many jobs of one key are taken at once. Their attempts run one after the other.
    pub together: usize,
    /// How long leases last between renewals.
    pub lease: Duration,
    /// How long an attempt that was told to stop may take to do so.
    pub grace: Duration,
    /// Keeps how far its attempts are.
    pub progress: ProgressKeeper,
    /// What is paused.
    pub gate: Gate,
    /// Counts what is settled, for those who look on.
    pub roster: Roster,
}

/// One stage's worker.
pub struct Worker {
    options: Options,
    queue: QueueName,
    backend: Backend,
    keeper: LeaseKeeper,
    attempter: Arc<Attempter>,
    /// Cancelled when the worker is to receive nothing more.
    drain: CancellationToken,
    attempts: JoinSet<Finished>,
    /// What each attempt works on, and what comes after it.
    runs: HashMap<task::Id, Run>,
    unsettled: Vec<Settlement>,
    /// What goes back to the queue beside what goes on here.
    returns: JoinSet<()>,
    /// The wait before the next settling, while settling fails.
    pause: Duration,
}

type Receiving = Pin<Box<dyn Future<Output = Result<Vec<Delivery>, Error>> + Send>>;
type Waiting = Pin<Box<dyn Future<Output = ()> + Send>>;
type Settling = Pin<Box<dyn Future<Output = Settlements> + Send>>;

/// Settlements and what came of them.
struct Settlements {
    list: Arc<[Settlement]>,
    result: Result<Vec<Settled>, Error>,
}

/// What can happen to a worker.
enum Event {
    Received(Result<Vec<Delivery>, Error>),
    Ended(Result<(task::Id, Finished), JoinError>),
    Settled(Settlements),
    Returned(Result<(), JoinError>),
    /// Something else is paused than before.
    Gate,
    /// The queue was left, since it is paused.
    Left,
    /// Nothing happened for a while.
    Tick,
    Drain,
}

impl Worker {
    /// A worker that has not begun.
    pub fn new(
        options: Options,
        backend: Backend,
        registry: Registry,
        keeper: LeaseKeeper,
        drain: CancellationToken,
    ) -> Self {
        let queue = options.queue.clone();
        let attempter = Arc::new(Attempter::new(&options, &backend, registry, keeper.clone()));
        Self {
            options,
            queue,
            backend,
            keeper,
            attempter,
            drain,
            attempts: JoinSet::new(),
            runs: HashMap::new(),
            unsettled: Vec::new(),
            returns: JoinSet::new(),
            pause: Duration::ZERO,
        }
    }

    /// Works until it is drained, or until the backend is gone for good. What it has then is still
    /// with the lease keeper, and is returned by whoever has that.
    pub async fn run(mut self) -> Result<(), Error> {
        let mut receiving: Option<Receiving> = None;
        let mut settling: Option<Settling> = None;
        let mut draining = false;
        let mut leaving: Option<Waiting> = None;
        let mut gate = Some(self.gate());
        let mut tick = tokio::time::interval(TICK);
        loop {
            if receiving.is_none() && leaving.is_none() && !draining && !self.is_paused() {
                receiving = self.receive();
            }
            if settling.is_none() && !self.unsettled.is_empty() {
                settling = Some(self.settle());
            }
            let quiet = self.attempts.is_empty() && settling.is_none() && leaving.is_none();
            if draining && quiet && self.returns.is_empty() {
                return Ok(());
            }
            let event = tokio::select! {
                () = self.drain.cancelled(), if !draining => Event::Drain,
                result = resolve(&mut settling) => Event::Settled(result),
                Some(ended) = self.attempts.join_next_with_id() => Event::Ended(ended),
                result = resolve(&mut receiving) => Event::Received(result),
                Some(returned) = self.returns.join_next() => Event::Returned(returned),
                () = resolve(&mut gate) => Event::Gate,
                () = resolve(&mut leaving) => Event::Left,
                _ = tick.tick() => Event::Tick,
            };
            self.options.roster.turn();
            match event {
                Event::Received(result) => self.received(result?),
                Event::Ended(first) => self.ended(first),
                Event::Settled(settlements) => self.settled(settlements)?,
                Event::Returned(Ok(())) | Event::Left | Event::Tick => {}
                Event::Returned(Err(error)) => {
                    tracing::error!(stage = %self.options.stage, %error, "returning broke");
                }
                Event::Gate => {
                    gate = Some(self.gate());
                    if self.is_paused() && !draining && leaving.is_none() {
                        // As when it drains, but that it comes back.
                        receiving = None;
                        let (backend, queue) = (self.backend.clone(), self.queue.clone());
                        leaving = Some(Box::pin(async move { backend.leave(&queue).await }));
                    }
                }
                Event::Drain => {
                    draining = true;
                    // What was leased for a receive that is dropped returns uncounted.
                    receiving = None;
                    self.leave();
                    self.give_back_all();
                }
            }
        }
    }

    /// Ends when something else is paused than now.
    fn gate(&self) -> Waiting {
        let mut gate = self.options.gate.watched();
        Box::pin(async move { gate.changed().await })
    }

    /// Whether it is to receive nothing for now.
    fn is_paused(&self) -> bool {
        let Options { pipeline, stage, queue, gate, .. } = &self.options;
        gate.stops(pipeline, stage, queue).is_some()
    }

    /// Gives back what the queue fetched ahead.
    fn leave(&mut self) {
        let (backend, queue) = (self.backend.clone(), self.queue.clone());
        self.returns.spawn(async move { backend.leave(&queue).await });
    }

    /// Gives back what an attempt had that broke. Its lease is kept until then, so that it is not
    /// forgotten when the engine ends meanwhile.
    fn abandon(&mut self, lease: Lease) {
        let (backend, keeper) = (self.backend.clone(), self.keeper.clone());
        self.returns.spawn(async move {
            backend.abandon(std::slice::from_ref(&lease)).await;
            keeper.release(std::iter::once(&lease));
        });
    }

    /// Asks for as much as there is room for. While settlements pile up there is none.
    fn receive(&self) -> Option<Receiving> {
        let free = self.options.concurrency.saturating_sub(self.attempts.len());
        if free == 0 || self.unsettled.len() >= SETTLE_MAX {
            return None;
        }
        let request = Receive {
            queue: self.queue.clone(),
            max: free.min(RECEIVE_MAX),
            wait: RECEIVE_WAIT,
            lease: self.options.lease,
            purpose: Purpose::Work,
            together: self.options.together,
        };
        let (queue, roster) = (Arc::clone(&self.backend.queue), self.options.roster.clone());
        let mut pause = PAUSE;
        Some(Box::pin(async move {
            loop {
                match queue.receive(request.clone()).await {
                    Err(error) if error.retryable() => {
                        tracing::warn!(queue = %request.queue, %error, "receive failed, trying on");
                        roster.turn();
                        tokio::time::sleep(pause).await;
                        pause = (pause * 2).min(PAUSE_MAX);
                    }
                    result => return result,
                }
            }
        }))
    }

    fn received(&mut self, deliveries: Vec<Delivery>) {
        let deliveries: Vec<Held> = deliveries.into_iter().map(Held::new).collect();
        self.keeper.hold(deliveries.iter().map(|held| (&held.delivery.lease, held.stop.clone())));
        for run in run::by_key(deliveries) {
            self.attempt(run, Vec::new());
        }
    }

    /// Makes an attempt at the first of these, which were received together; what `ended` was so
    /// too.
    fn attempt(&mut self, mut deliveries: VecDeque<Held>, ended: Vec<Lease>) {
        let Some(Held { delivery, stop }) = deliveries.pop_front() else { return };
        let (lease, rest) = (delivery.lease.clone(), deliveries);
        let run = Run { lease, stop: Arc::clone(&stop), ended, rest };
        let attempter = Arc::clone(&self.attempter);
        let attempt = async move { attempter.attempt(delivery, stop).await };
        self.runs.insert(self.attempts.spawn(attempt).id(), run);
    }

    /// Takes this attempt's end, and those of all that ended by now.
    fn ended(&mut self, first: Result<(task::Id, Finished), JoinError>) {
        let mut next = Some(first);
        while let Some(ended) = next {
            match ended {
                Ok((id, finished)) => self.finished(id, finished),
                Err(error) => {
                    // A panic outside of the handler: a fault of ours, or of a destructor. The
                    // delivery returns, when its lease runs out at the latest, and is counted.
                    tracing::error!(stage = %self.options.stage, %error, "attempt broke");
                    if let Some(run) = self.runs.remove(&error.id()) {
                        self.abandon(run.lease);
                        self.give_back(&run.rest);
                    }
                }
            }
            next = self.attempts.try_join_next_with_id();
        }
    }

    /// Goes on with a run, unless what ended stays before the rest of it.
    fn finished(&mut self, id: task::Id, finished: Finished) {
        let run = self.runs.remove(&id);
        let is_over = match finished {
            Finished::Settle(settlement) => {
                let stays = stays_before_its_key(&settlement);
                self.unsettled.push(*settlement);
                stays
            }
            Finished::LeaseLost(lease) => {
                self.keeper.release(std::iter::once(&lease));
                true
            }
        };
        match run {
            Some(run) if is_over => self.give_back(&run.rest),
            Some(Run { lease, mut ended, rest, .. }) if !rest.is_empty() => {
                ended.push(lease);
                self.attempt(rest, ended);
            }
            _ => {}
        }
    }

    /// Gives back in order what nobody has begun with.
    fn give_back(&mut self, rest: &VecDeque<Held>) {
        let given_back = rest.iter().map(|held| self.attempter.give_back(&held.delivery));
        self.unsettled.extend(given_back);
    }

    /// Gives back of all runs what nobody has begun with.
    fn give_back_all(&mut self) {
        let rests: Vec<_> = self.runs.values_mut().map(|run| mem::take(&mut run.rest)).collect();
        for rest in rests {
            self.give_back(&rest);
        }
    }

    /// A lease was lost: somebody else may have begun with that key, so that what goes on behind it
    /// here is in vain.
    fn stop_run_behind(&mut self, lost: &Lease) {
        let Some(run) = self.runs.values_mut().find(|run| run.ended.contains(lost)) else { return };
        run.stop.stop(Cause::LeaseLost);
        let rest = mem::take(&mut run.rest);
        self.give_back(&rest);
    }

    /// Settles what has gathered, as one batch.
    fn settle(&mut self) -> Settling {
        let rest = self.unsettled.split_off(self.unsettled.len().min(SETTLE_MAX));
        let list: Arc<[Settlement]> = std::mem::replace(&mut self.unsettled, rest).into();
        let (queue, pause) = (Arc::clone(&self.backend.queue), self.pause);
        Box::pin(async move {
            if !pause.is_zero() {
                tokio::time::sleep(pause).await;
            }
            let result = queue.settle(Arc::clone(&list)).await;
            Settlements { list, result }
        })
    }

    fn settled(&mut self, settlements: Settlements) -> Result<(), Error> {
        let Settlements { list, result } = settlements;
        match result {
            Ok(answers) => {
                self.pause = Duration::ZERO;
                self.keeper.release(list.iter().filter_map(lease_of));
                self.options.roster.count_settled(list.len());
                for (settlement, answer) in list.iter().zip(answers) {
                    if answer == Settled::Lost {
                        tracing::warn!(
                            job = %settlement.job_id,
                            stage = %self.options.stage,
                            "settlement refused: the lease was lost"
                        );
                        if let Some(lease) = lease_of(settlement) {
                            self.stop_run_behind(lease);
                        }
                    }
                }
                Ok(())
            }
            Err(error) if error.retryable() => {
                tracing::warn!(%error, settlements = list.len(), "settling failed, trying on");
                // The leases are kept meanwhile; the work that was done is not done again.
                self.pause = (self.pause * 2).clamp(PAUSE, PAUSE_MAX);
                self.unsettled.splice(0..0, list.iter().cloned());
                Ok(())
            }
            Err(error @ Error::TooLarge { .. }) => self.refuse_too_large(&list, error),
            Err(error) => Err(error),
        }
    }

    /// Fails the job whose body the queue does not take, and settles the others as they are.
    fn refuse_too_large(&mut self, list: &[Settlement], error: Error) -> Result<(), Error> {
        let Error::TooLarge { job_id, .. } = &error else { return Err(error) };
        let now = self.backend.clock.now();
        let mut found = false;
        let mended = list.iter().map(|settlement| {
            if settlement.job_id.as_str() != job_id {
                return settlement.clone();
            }
            found = true;
            refused_as_too_large(settlement, &error.to_string(), now)
        });
        let mended: Vec<_> = mended.collect();
        if !found {
            return Err(error);
        }
        self.unsettled.splice(0..0, mended);
        Ok(())
    }
}

fn lease_of(settlement: &Settlement) -> Option<&Lease> {
    match &settlement.ended {
        waystation_core::settlement::Ended::Delivery(lease) => Some(lease),
        _ => None,
    }
}

/// The end of a future that may not be there; without one it never ends. The future is taken
/// away when it ends.
async fn resolve<T>(future: &mut Option<Pin<Box<dyn Future<Output = T> + Send>>>) -> T {
    let Some(running) = future.as_mut() else { return std::future::pending().await };
    let result = running.await;
    *future = None;
    result
}
