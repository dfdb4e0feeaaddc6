//! One attempt: read the contract, find the stage, check, execute, decide.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::FutureExt;
use tokio_util::sync::CancellationToken;
use waystation_core::Params;
use waystation_core::clock::Timestamp;
use waystation_core::contract::Contract;
use waystation_core::event::{Event, EventKind};
use waystation_core::failure::{ErrorKind, Failure};
use waystation_core::handler::{Blobs, Completion, Context, Handler, Reporter, Steps};
use waystation_core::id::{JobId, PipelineName, QueueName, StageId};
use waystation_core::pipeline::{Executor, Stage};
use waystation_core::settlement::{Delivery, Lease, Settlement};

use super::Options;
use super::ask::{Unanswered, ask, stopped};
use super::descend::descend;
use super::gather::{Apart, gather};
use super::offload::{self, Input};
use super::reporter::{AttemptReporter, Said};
use super::steps::RunSteps;
use crate::backend::Backend;
use crate::decide::{self, Limit, Outcome, Unready};
use crate::definition::{Definition, DefinitionError, Registry};
use crate::lease_keeper::LeaseKeeper;
use crate::progress_keeper::ProgressKeeper;
use crate::stop::{Cause, Stop};

/// The wait for what the store need not answer.
const STORE_PAUSE: Duration = Duration::from_secs(1);
/// An attempt that takes longer than this is told of while it runs.
const TOLD_AFTER: Duration = Duration::from_millis(250);
/// How long a job waits that was tried again while its children still go on.
const GATHERED_AGAIN: Duration = Duration::from_secs(30);
/// How long a delivery is left to other processes.
const POSTPONED: Duration = Duration::from_secs(30);

/// Makes attempts at one stage.
pub struct Attempter {
    pipeline: PipelineName,
    version: u32,
    stage: StageId,
    queue: QueueName,
    grace: Duration,
    bytes_max: usize,
    backend: Backend,
    registry: Registry,
    keeper: LeaseKeeper,
    progress: ProgressKeeper,
}

/// An attempt that is over.
pub enum Finished {
    /// With this to settle.
    Settle(Box<Settlement>),
    /// With nothing to settle, since the delivery is somebody else's by now.
    LeaseLost(Lease),
}

/// Why a handler does not see a job.
enum Refused {
    /// The attempt has ended.
    Outcome(Outcome),
    /// It is over, and needs no more deciding.
    Settled(Finished),
}

impl From<Outcome> for Refused {
    fn from(outcome: Outcome) -> Self {
        Self::Outcome(outcome)
    }
}

impl Finished {
    fn settle(settlement: Settlement) -> Self {
        Self::Settle(Box::new(settlement))
    }
}

impl Attempter {
    /// Makes attempts at the stage of these options.
    pub fn new(
        options: &Options,
        backend: &Backend,
        registry: Registry,
        keeper: LeaseKeeper,
    ) -> Self {
        Self {
            keeper,
            progress: options.progress.clone(),
            pipeline: options.pipeline.clone(),
            version: options.version,
            stage: options.stage.clone(),
            queue: options.queue.clone(),
            grace: options.grace,
            bytes_max: backend.queue.capabilities().payload_bytes_max,
            backend: backend.clone(),
            registry,
        }
    }

    /// Makes an attempt at what was delivered.
    pub async fn attempt(&self, delivery: Delivery, stop: Arc<Stop>) -> Finished {
        let started_at = self.backend.clock.now();
        let mut contract = match Contract::parse(&delivery.body) {
            Ok(contract) => contract,
            Err(why) => {
                let unready = self.unready(&delivery, None);
                return Finished::settle(unready.fail(why.to_string()));
            }
        };
        let _ = stop.job_id.set(contract.job_id.clone());
        let definition = match self.definition_of(&delivery, &contract, &stop).await {
            Ok(definition) => definition,
            Err(finished) => return finished,
        };
        let stage = definition.reader_of(&self.queue, &self.stage);
        let Some((stage, work @ (Executor::Worker(_) | Executor::Pipeline(_)))) =
            definition.stage(stage)
        else {
            let version = definition.version;
            let why = format!("version {version} has no worker stage `{stage}`");
            return Finished::settle(self.unready(&delivery, Some(&contract)).fail(why));
        };
        let reporter = Arc::new(AttemptReporter {
            job_id: contract.job_id.clone(),
            stage: stage.id.clone(),
            attempt: contract.retry_count + 1,
            bus: Arc::clone(&self.backend.bus),
            progress: self.progress.clone(),
            clock: Arc::clone(&self.backend.clock),
            said: Mutex::new(Said::default()),
        });
        let admitted = self.admit(&definition, stage, &delivery, &mut contract, &stop).await;
        let outcome = match admitted {
            Ok(Input { params, wire, apart }) => match work {
                Executor::Worker(handler) => {
                    let limit = Limit::of(stage, &contract, self.backend.clock.now());
                    let context = self.context(&contract, stage, wire, limit, reporter.clone());
                    let work = async {
                        let ended =
                            execute(handler, context, params, limit, &stop, self.grace).await?;
                        Some(self.put_apart(ended, &definition, stage, &contract, &apart).await)
                    };
                    self.tell_if_long(work, &definition, stage, &contract, started_at).await
                }
                Executor::Pipeline(name) => {
                    descend(&self.registry, name, stage, &contract, &stop).await
                }
                Executor::Manual | Executor::Source(_) | Executor::Foreign | Executor::Remote => {
                    unreachable!("these were told apart above")
                }
            },
            Err(Refused::Settled(finished)) => return finished,
            Err(Refused::Outcome(outcome)) => Some(outcome),
        };
        let Some(outcome) = outcome else { return Finished::LeaseLost(delivery.lease) };
        tell(&contract, stage, &outcome);
        let attempt = decide::Attempt {
            definition: &definition,
            stage,
            delivery: &delivery,
            contract,
            started_at,
            ended_at: self.backend.clock.now(),
            log: reporter.take_log(),
        };
        Finished::settle(decide::settle_outcome(attempt, outcome, fastrand::f64(), self.bytes_max))
    }

    /// Lets the handler see the job, with every value in its place. What its children gave is among
    /// its params then.
    async fn admit(
        &self,
        definition: &Definition,
        stage: &Stage,
        delivery: &Delivery,
        contract: &mut Contract,
        stop: &Stop,
    ) -> Result<Input, Refused> {
        if let Some(reason) = self.wanted_abort(&contract.job_id).await {
            return Err(Outcome::Aborted(reason).into());
        }
        if contract.gathered.is_none() && decide::ends_at(contract, &stage.id) {
            return Err(Outcome::Arrived.into());
        }
        if decide::passes_by(&definition.pipeline, stage, contract) {
            return Err(Outcome::Skipped.into());
        }
        decide::check_deadline(contract, &stage.id, self.backend.clock.now())
            .map_err(Outcome::Failed)?;
        check_deliveries(stage, delivery).map_err(Outcome::Failed)?;
        if let Some(gathered) = contract.gathered {
            let together = gather(&self.backend, stage, gathered, contract, stop).await;
            contract.params = together.map_err(|apart| match apart {
                Apart::Failed(failure) => Refused::Outcome(Outcome::Failed(failure)),
                Apart::Open(why) => {
                    let unready = self.unready(delivery, Some(contract));
                    let until = unready.now.plus(GATHERED_AGAIN);
                    Refused::Settled(Finished::settle(unready.postpone(&why, until)))
                }
                Apart::Stopped(cause) => match stopped(cause) {
                    Some(outcome) => Refused::Outcome(outcome),
                    None => Refused::Settled(Finished::LeaseLost(delivery.lease.clone())),
                },
            })?;
        }
        let input = offload::read_back(&self.backend, contract, &delivery.body).await;
        let input = input.map_err(Outcome::Failed)?;
        decide::check_required(stage, &input.params).map_err(Outcome::Failed)?;
        Ok(input)
    }

    /// Takes out of what was completed what is too large to travel.
    async fn put_apart(
        &self,
        ended: Outcome,
        definition: &Definition,
        stage: &Stage,
        contract: &Contract,
        known: &[decide::offload::Known],
    ) -> Outcome {
        let Outcome::Completed(completion) = ended else { return ended };
        let pipeline = &definition.pipeline;
        let light =
            offload::put_apart(&self.backend, pipeline, stage, contract, known, completion).await;
        light.map_or_else(Outcome::Failed, Outcome::Completed)
    }

    /// Why somebody wants the job aborted. What was announced before the job was tried again was
    /// about the run that failed; where the store cannot tell, it holds.
    async fn wanted_abort(&self, job_id: &JobId) -> Option<String> {
        let (reason, heard_ago) = self.keeper.wanted_abort(job_id)?;
        // Events are told to the millisecond. One that is still wanted is announced again.
        let heard_at = self.backend.clock.now().minus(heard_ago + Duration::from_millis(1));
        let events = self.backend.store.events(job_id);
        let Ok(Ok(events)) = tokio::time::timeout(STORE_PAUSE, events).await else {
            return Some(reason);
        };
        let tried_again = |event: &Event| event.kind == EventKind::Requeued && event.at >= heard_at;
        (!events.iter().any(tried_again)).then_some(reason)
    }

    /// Tells the journal that an attempt has begun, unless it ends at once.
    async fn tell_if_long<T>(
        &self,
        work: impl Future<Output = T>,
        definition: &Definition,
        stage: &Stage,
        contract: &Contract,
        at: Timestamp,
    ) -> T {
        if self.backend.queue.capabilities().atomic_settlement {
            return work.await;
        }
        tokio::pin!(work);
        if let Ok(ended) = tokio::time::timeout(TOLD_AFTER, &mut work).await {
            return ended;
        }
        let origin = (definition.pipeline.name.clone(), definition.version);
        let entry = decide::running(contract, stage, origin, at);
        let telling = async {
            if let Err(error) = self.backend.queue.began(entry).await {
                tracing::debug!(job = %contract.job_id, %error, "that it runs is not told");
            }
            std::future::pending().await
        };
        tokio::select! {
            ended = work => ended,
            never = telling => never,
        }
    }

    /// The pipeline in the job's own version. While the store cannot be asked, the attempt waits
    /// for it. A version that cannot be made ready here is left to a process where it can: a
    /// newer program, or one that was given the values of its names.
    async fn definition_of(
        &self,
        delivery: &Delivery,
        contract: &Contract,
        stop: &Stop,
    ) -> Result<Arc<Definition>, Finished> {
        let version = contract.pipeline_version.unwrap_or(self.version);
        if let Some(known) = self.registry.known(&self.pipeline, version) {
            return Ok(known);
        }
        let error = match ask(stop, || self.registry.version(&self.pipeline, version)).await {
            Ok(definition) => return Ok(definition),
            Err(Unanswered::Refused(error)) => error,
            Err(Unanswered::Stopped(Cause::LeaseLost)) => {
                return Err(Finished::LeaseLost(delivery.lease.clone()));
            }
            Err(Unanswered::Stopped(Cause::Abort(_) | Cause::Shutdown)) => {
                let unready = self.unready(delivery, Some(contract));
                return Err(Finished::settle(unready.hand_back()));
            }
        };
        let unready = self.unready(delivery, Some(contract));
        let why = format!("job is on version {version} of its pipeline: {error}");
        Err(Finished::settle(match error {
            DefinitionError::UnknownVersion { .. } | DefinitionError::Unknown(_) => {
                unready.fail(why)
            }
            DefinitionError::Problems(_) | DefinitionError::Store(_) => {
                tracing::error!(job = %contract.job_id, why, "left to another process");
                unready.postpone(&why, unready.now.plus(POSTPONED))
            }
        }))
    }

    fn unready<'a>(
        &'a self,
        delivery: &'a Delivery,
        contract: Option<&'a Contract>,
    ) -> Unready<'a> {
        Unready {
            delivery,
            pipeline: &self.pipeline,
            version: self.version,
            stage: &self.stage,
            contract,
            now: self.backend.clock.now(),
        }
    }

    fn context(
        &self,
        contract: &Contract,
        stage: &Stage,
        wire: Arc<[u8]>,
        limit: Option<Limit>,
        reporter: Arc<dyn Reporter>,
    ) -> Context {
        Context {
            job_id: contract.job_id.clone(),
            pipeline: self.pipeline.clone(),
            stage: stage.id.clone(),
            visit: contract.visit,
            attempt: contract.retry_count + 1,
            deadline: limit.map(|limit| limit.until),
            cancellation: CancellationToken::new(),
            contract: wire,
            reporter,
            steps: Arc::new(Steps::new(RunSteps::new(
                Arc::clone(&self.backend.store),
                contract,
                &stage.id,
            ))),
            blobs: Blobs::new(
                self.backend.blobs.clone(),
                contract.job_id.clone(),
                stage.id.clone(),
                contract.visit,
            ),
        }
    }
}

/// Says how an attempt ended.
fn tell(contract: &Contract, stage: &Stage, outcome: &Outcome) {
    let (job, stage, attempt) = (&contract.job_id, &stage.id, contract.retry_count + 1);
    match outcome {
        Outcome::Completed(completion) => {
            tracing::debug!(%job, %stage, attempt, label = %completion.label, "completed");
        }
        Outcome::Failed(failure) => tracing::info!(%job, %stage, attempt, %failure, "failed"),
        Outcome::Aborted(reason) => tracing::info!(%job, %stage, attempt, reason, "aborted"),
        Outcome::HandedBack => tracing::info!(%job, %stage, attempt, "handed back"),
        Outcome::Skipped => tracing::debug!(%job, %stage, "skipped"),
        Outcome::Arrived => tracing::debug!(%job, %stage, "came to its join"),
        Outcome::Descends(descent) => {
            tracing::debug!(%job, %stage, pipeline = %descent.graph.pipeline.name, "descends");
        }
    }
}

/// Whether any handler may see the job.
fn check_deliveries(stage: &Stage, delivery: &Delivery) -> Result<(), Failure> {
    if delivery.deliveries <= stage.max_deliveries {
        return Ok(());
    }
    let message = format!(
        "delivered {} times without an end, more than the {} that stage `{}` allows: its \
         worker died or lost its lease each time",
        delivery.deliveries, stage.max_deliveries, stage.id
    );
    Err(Failure::new(ErrorKind::Poison, message))
}

/// Runs the handler until it ends, its time is over or it is told to stop. `None` when the lease
/// was lost.
async fn execute(
    handler: &Arc<dyn Handler>,
    context: Context,
    params: Params,
    limit: Option<Limit>,
    stop: &Stop,
    grace: Duration,
) -> Option<Outcome> {
    let stage = context.stage.clone();
    let cancellation = context.cancellation.clone();
    let work = async { handler.run(context, params).await };
    let work = AssertUnwindSafe(work).catch_unwind();
    tokio::pin!(work);
    let cause = tokio::select! {
        biased;
        ended = &mut work => return Some(outcome_of(ended)),
        cause = stop.stopped() => Over::Stopped(cause),
        limit = time_over(limit) => Over::Limit(limit),
    };
    cancellation.cancel();
    let ended = tokio::time::timeout(grace, &mut work).await;
    match (cause, ended) {
        (Over::Stopped(Cause::LeaseLost), _) => None,
        (Over::Stopped(Cause::Abort(reason)), _) => Some(Outcome::Aborted(reason)),
        // Work that was finished after all is kept.
        (_, Ok(Ok(Ok(completion)))) => Some(Outcome::Completed(completion)),
        (Over::Stopped(Cause::Shutdown), _) => Some(Outcome::HandedBack),
        (Over::Limit(limit), _) => Some(Outcome::Failed(limit.exceeded(&stage))),
    }
}

/// Why a handler is not let go on.
enum Over {
    /// It is to stop.
    Stopped(Cause),
    /// Its time is over.
    Limit(Limit),
}

async fn time_over(limit: Option<Limit>) -> Limit {
    match limit {
        Some(limit) => {
            tokio::time::sleep(limit.length).await;
            limit
        }
        None => std::future::pending().await,
    }
}

fn outcome_of(
    ended: Result<Result<Completion, Failure>, Box<dyn std::any::Any + Send>>,
) -> Outcome {
    match ended {
        Ok(Ok(completion)) => Outcome::Completed(completion),
        Ok(Err(failure)) => Outcome::Failed(failure),
        Err(panic) => {
            let message = panic
                .downcast_ref::<String>()
                .map(String::as_str)
                .or_else(|| panic.downcast_ref::<&str>().copied())
                .unwrap_or("without a message");
            Outcome::Failed(Failure::new(ErrorKind::Panic, format!("handler panicked: {message}")))
        }
    }
}
