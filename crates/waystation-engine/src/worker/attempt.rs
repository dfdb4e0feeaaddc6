//! One attempt: read the contract, find the stage, check, execute, decide.

use std::future::Future;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use tokio_util::sync::CancellationToken;
use waystation_core::clock::Timestamp;
use waystation_core::contract::Contract;
use waystation_core::event::{Event, EventKind};
use waystation_core::failure::{ErrorKind, Failure};
use waystation_core::handler::{Blobs, Context, Reporter, Steps};
use waystation_core::id::{JobId, PipelineName, QueueName, StageId};
use waystation_core::pipeline::{Executor, Stage};
use waystation_core::settlement::{Delivery, Lease, Settlement};
use waystation_core::trace::{Beginning, Span};

use super::Options;
use super::ask::{Unanswered, ask, stopped};
use super::descend::descend;
use super::execute::execute;
use super::gather::{Apart, gather};
use super::offload::{self, Input};
use super::reporter::{AttemptReporter, Said};
use super::steps::RunSteps;
use crate::backend::Backend;
use crate::control::{Death, Gate, InHand, Roster, Witnessed, deaths};
use crate::decide::{self, InLine, Limit, Outcome, Unready};
use crate::definition::{Definition, DefinitionError, Registry};
use crate::lease_keeper::LeaseKeeper;
use crate::progress_keeper::ProgressKeeper;
use crate::stop::{Cause, Stop};
use crate::why::Doer;

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
    gate: Gate,
    roster: Roster,
    /// Whose stages it makes attempts at.
    doer: Doer,
}

/// A job that was handed out before without an end waits so long for another such one.
const SUSPECT_LATER: Duration = Duration::from_millis(500);

/// An attempt that is over.
pub enum Finished {
    /// With this to settle.
    Settle(Box<Settlement>),
    /// With nothing to settle, since the delivery is somebody else's by now.
    LeaseLost(Lease),
}

/// An attempt that has begun: all that is known of it before somebody does the work.
pub struct Begun {
    /// The pipeline, in the job's version.
    pub definition: Arc<Definition>,
    /// The stage.
    pub stage: StageId,
    /// What was delivered.
    pub delivery: Delivery,
    /// Its contract, with what its children gave where they came together here.
    pub contract: Contract,
    /// When it began.
    pub started_at: Timestamp,
    /// How long it may take.
    pub limit: Option<Limit>,
    /// What whoever does the work is given.
    pub input: Input,
    /// Takes what is said of it.
    pub reporter: Arc<AttemptReporter>,
    /// Who does the work, where that is to be told with its beginning.
    pub worker: Option<Value>,
    /// The attempt in its trace.
    pub span: Option<Box<dyn Span>>,
    /// Somebody is told of it, where it was begun before.
    _witnessed: Option<Witnessed>,
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
            gate: options.gate.clone(),
            roster: options.roster.clone(),
            doer: Doer::Engine,
        }
    }

    /// The same for stages that remote workers do.
    pub fn for_remote_workers(self) -> Self {
        Self { doer: Doer::Remote, ..self }
    }

    /// Makes an attempt at what was delivered.
    pub async fn attempt(&self, delivery: Delivery, stop: Arc<Stop>) -> Finished {
        let mut begun = match self.begin(delivery, &stop).await {
            Ok(begun) => begun,
            Err(finished) => return finished,
        };
        let Some(outcome) = self.work(&mut begun, &stop).await else {
            return Finished::LeaseLost(begun.delivery.lease);
        };
        Finished::settle(self.end(begun, outcome).await)
    }

    /// Gives back what nobody has begun with.
    pub fn give_back(&self, delivery: &Delivery) -> Settlement {
        let contract = Contract::parse(&delivery.body).ok();
        self.unready(delivery, contract.as_ref()).hand_back()
    }

    /// Everything that comes before the work, whoever does that. Where nobody is to do it, what
    /// comes of the delivery.
    pub async fn begin(&self, delivery: Delivery, stop: &Stop) -> Result<Begun, Finished> {
        let started_at = self.backend.clock.now();
        let mut contract = match Contract::parse(&delivery.body) {
            Ok(contract) => contract,
            Err(why) => {
                let unready = self.unready(&delivery, None);
                return Err(Finished::settle(unready.fail(why.to_string())));
            }
        };
        let _ = stop.job_id.set(contract.job_id.clone());
        let definition = self.definition_of(&delivery, &contract, stop).await?;
        let stage = self.stage_of(&definition, &delivery, &contract)?;
        let attempt = contract.retry_count + 1;
        let job_id = contract.job_id.clone();
        let in_hand = InHand {
            job_id: job_id.clone(),
            stage: stage.id.clone(),
            attempt,
            since: started_at,
            until: stage.timeout.map(|timeout| started_at.plus(timeout)),
        };
        let was_begun = delivery.deliveries > 1;
        let witnessed = if was_begun { self.roster.begins_again(&in_hand) } else { Ok(None) };
        let Ok(witnessed) = witnessed else {
            // Another such job goes first.
            tokio::time::sleep(SUSPECT_LATER).await;
            return Err(Finished::settle(self.unready(&delivery, Some(&contract)).hand_back()));
        };
        let _ = stop.in_hand.set(in_hand);
        let reporter = Arc::new(AttemptReporter {
            job_id,
            stage: stage.id.clone(),
            attempt,
            bus: Arc::clone(&self.backend.bus),
            progress: self.progress.clone(),
            clock: Arc::clone(&self.backend.clock),
            said: Mutex::new(Said::default()),
        });
        let admitted = self.admit(&definition, stage, &delivery, &mut contract, stop).await;
        let limit = Limit::of(stage, &contract, self.backend.clock.now());
        let stage = stage.id.clone();
        let begun = |input| Begun {
            span: self.span(&contract, &stage, started_at),
            definition: Arc::clone(&definition),
            stage,
            delivery,
            contract,
            started_at,
            limit,
            input,
            reporter,
            worker: None,
            _witnessed: witnessed,
        };
        match admitted {
            Ok(input) => Ok(begun(input)),
            Err(Refused::Settled(finished)) => Err(finished),
            Err(Refused::Outcome(outcome)) => {
                Err(Finished::settle(self.decide(begun(Input::default()), outcome)))
            }
        }
    }

    /// The work, where code of ours does it. `None` when the lease was lost.
    async fn work(&self, begun: &mut Begun, stop: &Stop) -> Option<Outcome> {
        let params = std::mem::take(&mut begun.input.params);
        let (stage, work) = begun.definition.stage(&begun.stage)?;
        match work {
            Executor::Worker(handler) => {
                let context = self.context(begun);
                let work = execute(handler, context, params, begun.limit, stop, self.grace);
                self.tell_if_long(work, begun).await
            }
            Executor::Pipeline(name) => {
                descend(&self.registry, name, stage, &begun.contract, stop).await
            }
            Executor::Manual
            | Executor::Source(_)
            | Executor::Hook(_)
            | Executor::Foreign
            | Executor::Remote => unreachable!("no attempt begins at these"),
        }
    }

    /// What comes of an attempt that ended so, whoever made it.
    pub async fn end(&self, begun: Begun, outcome: Outcome) -> Settlement {
        let outcome = self.put_apart(outcome, &begun).await;
        self.decide(begun, outcome)
    }

    fn decide(&self, begun: Begun, outcome: Outcome) -> Settlement {
        let Begun { definition, stage, delivery, contract, started_at, reporter, .. } = begun;
        let (worker, span) = (begun.worker, begun.span);
        let ended_at = self.backend.clock.now();
        if let Some(span) = span {
            span.end(outcome.as_str(), outcome.failure(), ended_at);
        }
        let Some((stage, _)) = definition.stage(&stage) else {
            let why = format!("version {} has no stage `{stage}`", definition.version);
            return self.unready(&delivery, Some(&contract)).fail(why);
        };
        tell(&contract, stage, &outcome);
        let attempt = decide::Attempt {
            definition: &definition,
            stage,
            delivery: &delivery,
            contract,
            started_at,
            ended_at,
            log: reporter.take_log(),
            worker,
        };
        decide::settle_outcome(attempt, outcome, fastrand::f64(), self.bytes_max)
    }

    /// The stage that a delivery is for in the job's own version, if attempts at it are made here.
    fn stage_of<'a>(
        &'a self,
        definition: &'a Definition,
        delivery: &Delivery,
        contract: &Contract,
    ) -> Result<&'a Stage, Finished> {
        let version = definition.version;
        let unready = self.unready(delivery, Some(contract));
        let id = definition.reader_of(&self.queue, &self.stage);
        let doer = |executor: &Executor| match executor {
            Executor::Worker(_) | Executor::Pipeline(_) => Some(Doer::Engine),
            Executor::Remote => Some(Doer::Remote),
            Executor::Manual | Executor::Source(_) | Executor::Hook(_) | Executor::Foreign => None,
        };
        let found = definition.stage(id).map(|(stage, executor)| (stage, doer(executor)));
        let Some((stage, Some(doer))) = found else {
            let why = format!("version {version} has no worker stage `{id}`");
            return Err(Finished::settle(unready.fail(why)));
        };
        let later = unready.now.plus(POSTPONED);
        if doer != self.doer {
            let why = format!("somebody else does stage `{id}` in version {version}");
            return Err(Finished::settle(unready.postpone(&why, later)));
        }
        let pipeline = contract.pipeline.as_ref().unwrap_or(&self.pipeline);
        let Some(pause) = self.gate.stops(pipeline, id, &self.queue) else { return Ok(stage) };
        // Where this queue is left alone, it lies well there.
        let is_own = self.gate.stops(&self.pipeline, &self.stage, &self.queue).is_some();
        Err(Finished::settle(if is_own {
            unready.hand_back()
        } else {
            let why = format!("{} is paused: {}", pause.target.words(), pause.reason);
            unready.postpone(&why, later)
        }))
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
        // One of a run may have been told to stop before its turn came.
        if let Some(cause) = stop.cause() {
            let lost = || Refused::Settled(Finished::LeaseLost(delivery.lease.clone()));
            return Err(stopped(cause.clone()).map_or_else(lost, Refused::Outcome));
        }
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
        if delivery.deliveries > stage.max_deliveries {
            let death = deaths::of(&self.backend, &contract.job_id).await;
            let supervised = self.roster.is_supervised();
            if decide::is_poison(stage, delivery.deliveries, death.as_ref(), supervised) {
                return Err(Outcome::Failed(poison(stage, delivery, death.as_ref())).into());
            }
        }
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
        // At a join the key may be of what the children gave.
        match decide::in_line(stage, delivery, &contract.params).map_err(Outcome::Failed)? {
            InLine::Yes => {}
            InLine::Past(key) => {
                let behind = self.unready(delivery, Some(contract)).line_up(key);
                return Err(Refused::Settled(Finished::settle(behind)));
            }
        }
        let input = offload::read_back(&self.backend, contract, &delivery.body).await;
        let input = input.map_err(Outcome::Failed)?;
        if !decide::is_wanted(stage, &input.params).map_err(Outcome::Failed)? {
            return Err(Outcome::PassedBy.into());
        }
        decide::check_required(stage, &input.params).map_err(Outcome::Failed)?;
        Ok(input)
    }

    /// Takes out of what was completed what is too large to travel.
    async fn put_apart(&self, ended: Outcome, begun: &Begun) -> Outcome {
        let Outcome::Completed(completion) = ended else { return ended };
        let Begun { definition, contract, input, .. } = begun;
        let Some((stage, Executor::Worker(_) | Executor::Remote)) = definition.stage(&begun.stage)
        else {
            return Outcome::Completed(completion);
        };
        let (pipeline, known) = (&definition.pipeline, &input.apart);
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
    async fn tell_if_long<T>(&self, work: impl Future<Output = T>, begun: &Begun) -> T {
        if self.backend.queue.capabilities().atomic_settlement {
            return work.await;
        }
        tokio::pin!(work);
        if let Ok(ended) = tokio::time::timeout(TOLD_AFTER, &mut work).await {
            return ended;
        }
        let telling = async {
            self.tell_begun(begun).await;
            std::future::pending().await
        };
        tokio::select! {
            ended = work => ended,
            never = telling => never,
        }
    }

    /// Tells the journal that an attempt has begun and goes on. A queue that is the store knows.
    pub async fn tell_begun(&self, begun: &Begun) {
        let Begun { definition, contract, .. } = begun;
        let origin = (definition.pipeline.name.clone(), definition.version);
        let entry = decide::running(contract, &begun.stage, origin, begun.started_at);
        if let Err(error) = self.backend.queue.began(entry).await {
            tracing::debug!(job = %contract.job_id, %error, "that it runs is not told");
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

    /// The attempt in its trace, where somebody traces.
    fn span(&self, contract: &Contract, stage: &StageId, at: Timestamp) -> Option<Box<dyn Span>> {
        let tracer = self.backend.tracer.as_ref()?;
        tracer.attempt(Beginning {
            parent: contract.traceparent().as_ref(),
            job_id: &contract.job_id,
            pipeline: &self.pipeline,
            stage,
            visit: contract.visit,
            attempt: contract.retry_count + 1,
            at,
        })
    }

    fn context(&self, begun: &Begun) -> Context {
        let Begun { contract, stage, .. } = begun;
        let (job_id, visit) = (contract.job_id.clone(), contract.visit);
        let steps = RunSteps::new(Arc::clone(&self.backend.store), contract, stage);
        Context {
            job_id: job_id.clone(),
            pipeline: self.pipeline.clone(),
            stage: stage.clone(),
            visit,
            attempt: contract.retry_count + 1,
            deadline: begun.limit.map(|limit| limit.until),
            cancellation: CancellationToken::new(),
            contract: Arc::clone(&begun.input.wire),
            reporter: Arc::clone(&begun.reporter) as Arc<dyn Reporter>,
            steps: Arc::new(Steps::new(steps)),
            blobs: Blobs::new(self.backend.blobs.clone(), job_id, stage.clone(), visit),
            traceparent: begun.span.as_ref().and_then(|span| span.traceparent()),
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
        Outcome::PassedBy => tracing::debug!(%job, %stage, "passed by: its `when` does not hold"),
        Outcome::Arrived => tracing::debug!(%job, %stage, "came to its join"),
        Outcome::Descends(descent) => {
            tracing::debug!(%job, %stage, pipeline = %descent.graph.pipeline.name, "descends");
        }
    }
}

/// Why no handler is to see a job any more.
fn poison(stage: &Stage, delivery: &Delivery, death: Option<&Death>) -> Failure {
    let last = death.map_or_else(String::new, |Death { worker_id, reason, .. }| {
        format!(", the last one, {worker_id}, by {reason}")
    });
    let message = format!(
        "delivered {} times without an end, more than the {} that stage `{}` allows: its \
         worker died or lost its lease each time{last}",
        delivery.deliveries, stage.max_deliveries, stage.id
    );
    Failure::new(ErrorKind::Poison, message)
}
