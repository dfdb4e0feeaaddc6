//! A backend's ports, and what cases do with them all the time. Every call has a limit.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use waystation_core::event::EventKind;
use waystation_core::id::JobId;
use waystation_core::job::{DeadLetterFilter, DeadLetterRecord, JobRecord, TaskFilter, TaskRecord};
use waystation_core::journal::Entry;
use waystation_core::port::{
    Abort, Bus, Depth, Error, Ledger, Projected, Purpose, Queue, Receive, Records, Store,
};
use waystation_core::settlement::{Delivery, NewJob, Settled, Settlement, Submitted};
use waystation_core::state::JobState;

use crate::sample;

/// How long leases last in the cases, on the fake clock.
pub const LEASE: Duration = Duration::from_secs(30);
/// No call of a case takes longer than this, in real time.
pub const WAIT_MAX: Duration = Duration::from_secs(20);

/// The ports of one backend, and the one that joins it with a broker where it has that.
#[derive(Clone)]
pub struct Backend {
    /// Where messages go.
    pub queue: Arc<dyn Queue>,
    /// Where people look.
    pub store: Arc<dyn Store>,
    /// What is live.
    pub bus: Arc<dyn Bus>,
    /// Small documents.
    pub records: Arc<dyn Records>,
    /// Where the journal goes.
    pub ledger: Option<Arc<dyn Ledger>>,
}

/// What the future gives; fails the test when that takes too long.
pub async fn bounded<Answer>(future: impl Future<Output = Answer>) -> Answer {
    tokio::time::timeout(WAIT_MAX, future).await.expect("the call returns in time")
}

impl Backend {
    /// A backend that is all ports in one value.
    pub fn of<Ports: Queue + Store + Bus + Records + Clone + 'static>(ports: &Ports) -> Self {
        Self {
            queue: Arc::new(ports.clone()),
            store: Arc::new(ports.clone()),
            bus: Arc::new(ports.clone()),
            records: Arc::new(ports.clone()),
            ledger: None,
        }
    }

    /// A backend that is a ledger as well.
    pub fn of_ledger<Ports: Ledger + Bus + Clone + 'static>(ports: &Ports) -> Self {
        Self { ledger: Some(Arc::new(ports.clone())), ..Self::of(ports) }
    }

    /// Applies entries of the journal in one batch.
    pub async fn project(&self, entries: Vec<Entry>) -> Vec<Projected> {
        let count = entries.len();
        let ledger = self.ledger.as_ref().expect("the backend is a ledger");
        let answers = bounded(ledger.project(entries.into())).await.expect("the batch is taken");
        assert_eq!(answers.len(), count, "one answer for each entry");
        answers
    }

    /// Why entries are not taken.
    pub async fn project_error(&self, entries: Vec<Entry>) -> Error {
        let ledger = self.ledger.as_ref().expect("the backend is a ledger");
        bounded(ledger.project(entries.into())).await.expect_err("the batch is refused")
    }

    /// The jobs that a broker has and somebody wants aborted.
    pub async fn abort_marks(&self) -> Vec<String> {
        let ledger = self.ledger.as_ref().expect("the backend is a ledger");
        let marks = bounded(ledger.abort_marks(None, 100)).await.expect("the marks are listed");
        marks.into_iter().map(|(job_id, reason)| format!("{job_id}: {reason}")).collect()
    }

    /// Submits one job.
    pub async fn submit(&self, job: impl Into<NewJob>) -> Submitted {
        let mut answers = self.submit_all(vec![job.into()]).await;
        answers.pop().expect("an answer for the job")
    }

    /// Submits jobs in one batch, without a checkpoint.
    pub async fn submit_all(&self, jobs: Vec<NewJob>) -> Vec<Submitted> {
        let entries = jobs.len();
        let answers = bounded(self.queue.submit(jobs, None)).await.expect("the jobs are submitted");
        assert_eq!(answers.len(), entries, "one answer for each job");
        answers
    }

    /// What can be received at once from a stage of the sample pipeline.
    pub async fn take(&self, stage: &str, max: usize) -> Vec<Delivery> {
        bounded(self.queue.receive(request(stage, max, Duration::ZERO)))
            .await
            .expect("deliveries are received")
    }

    /// The first delivery that can be received at once from a stage of the sample pipeline.
    pub async fn take_one(&self, stage: &str) -> Delivery {
        let mut deliveries = self.take(stage, 1).await;
        let delivery = deliveries.pop().expect("a delivery is ready");
        assert!(deliveries.is_empty(), "no more than was asked for");
        delivery
    }

    /// Whose deliveries can be received at once from a stage of the sample pipeline.
    pub async fn take_ids(&self, stage: &str, max: usize) -> Vec<String> {
        let deliveries = self.take(stage, max).await;
        deliveries.iter().map(job_id_of).collect()
    }

    /// Settles one thing.
    pub async fn settle(&self, settlement: Settlement) -> Settled {
        let answers =
            bounded(self.queue.settle([settlement].into())).await.expect("the settlement is taken");
        let [answer] = answers[..] else {
            panic!("one answer for one settlement, not {answers:?}");
        };
        answer
    }

    /// Why a settlement is not taken.
    pub async fn settle_error(&self, settlements: Vec<Settlement>) -> Error {
        bounded(self.queue.settle(settlements.into())).await.expect_err("the batch is refused")
    }

    /// Asks for a job's abort, because it is "not wanted".
    pub async fn abort(&self, job_id: &str) -> Abort {
        bounded(self.store.abort(&JobId::from(job_id), "not wanted"))
            .await
            .expect("the request is taken")
    }

    /// A job that exists.
    pub async fn job(&self, job_id: &str) -> JobRecord {
        self.find_job(job_id).await.expect("the job exists")
    }

    /// A job, if it exists.
    pub async fn find_job(&self, job_id: &str) -> Option<JobRecord> {
        bounded(self.store.job(&JobId::from(job_id))).await.expect("the job is looked up")
    }

    /// The state of a job that exists.
    pub async fn state(&self, job_id: &str) -> JobState {
        self.job(job_id).await.state
    }

    /// What happened to a job.
    pub async fn kinds(&self, job_id: &str) -> Vec<EventKind> {
        let events =
            bounded(self.store.events(&JobId::from(job_id))).await.expect("the events are listed");
        events.iter().map(|event| event.kind).collect()
    }

    /// The open tasks, oldest first.
    pub async fn tasks(&self) -> Vec<TaskRecord> {
        bounded(self.store.tasks(TaskFilter::first(100))).await.expect("the tasks are listed")
    }

    /// The dead letters of a job, newest first.
    pub async fn letters(&self, job_id: &str) -> Vec<DeadLetterRecord> {
        let filter = DeadLetterFilter { limit: 100, ..DeadLetterFilter::of_job(&job_id.into()) };
        bounded(self.store.dead_letters(filter)).await.expect("the dead letters are listed")
    }

    /// How much waits at a stage of the sample pipeline.
    pub async fn depth(&self, stage: &str) -> Depth {
        bounded(self.queue.depth(&sample::queue(stage))).await.expect("the depth is told")
    }
}

/// A request for deliveries of a stage of the sample pipeline.
pub(super) fn request(stage: &str, max: usize, wait: Duration) -> Receive {
    Receive {
        queue: sample::queue(stage),
        max,
        wait,
        lease: LEASE,
        purpose: Purpose::Work,
        together: 1,
    }
}

/// The job that a delivery is about.
pub(super) fn job_id_of(delivery: &Delivery) -> String {
    let contract = waystation_core::contract::Contract::parse(&delivery.body);
    contract.expect("the delivery holds a contract").job_id.to_string()
}
