//! Remote workers where the queue is apart from the store: only the server that gave a claim can
//! take back what came of it.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::json;
use waystation_core::event::EventKind;
use waystation_core::handler::Handler;
use waystation_core::id::QueueName;
use waystation_core::job::Checkpoint;
use waystation_core::journal::Entry;
use waystation_core::port::{
    Capabilities, Depth, Error as PortError, Extended, Queue, Receive, Signal,
};
use waystation_core::settlement::{Delivery, Lease, NewJob, Settled, Settlement, Submitted};
use waystation_core::state::JobState;
use waystation_engine::Client;
use waystation_engine::remote::{ClaimRequest, Completed, Error, Extension, Options, Remote};
use waystation_testing::faults::NeverReturns;

use crate::world::World;

/// A queue that says it is apart from its store, and keeps what it is told of.
struct Apart {
    inner: Arc<dyn Queue>,
    began: Mutex<Vec<Entry>>,
    left: Mutex<Vec<QueueName>>,
}

#[async_trait]
impl Queue for Apart {
    fn capabilities(&self) -> Capabilities {
        Capabilities { atomic_settlement: false, ..self.inner.capabilities() }
    }

    async fn submit(
        &self,
        jobs: Vec<NewJob>,
        checkpoint: Option<Checkpoint>,
    ) -> Result<Vec<Submitted>, PortError> {
        self.inner.submit(jobs, checkpoint).await
    }

    async fn receive(&self, request: Receive) -> Result<Vec<Delivery>, PortError> {
        self.inner.receive(request).await
    }

    async fn extend(
        &self,
        leases: Vec<Lease>,
        lease: Duration,
    ) -> Result<Vec<Extended>, PortError> {
        self.inner.extend(leases, lease).await
    }

    async fn settle(&self, settlements: Arc<[Settlement]>) -> Result<Vec<Settled>, PortError> {
        self.inner.settle(settlements).await
    }

    async fn began(&self, entry: Entry) -> Result<(), PortError> {
        self.began.lock().expect("whole").push(entry);
        Ok(())
    }

    async fn leave(&self, queue: &QueueName) -> Result<(), PortError> {
        self.left.lock().expect("whole").push(queue.clone());
        Ok(())
    }

    async fn depth(&self, queue: &QueueName) -> Result<Depth, PortError> {
        self.inner.depth(queue).await
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn claims_are_the_servers_that_gave_them_and_go_back_when_it_stops() {
    let pipeline = "name: test\nstages: [{ id: far, type: remote }]";
    let unused: Arc<dyn Handler> = Arc::new(NeverReturns);
    let world = World::new(pipeline, [("x", unused)]).await;
    let mut backend = world.client.backend().clone();
    let inner = Arc::clone(&backend.queue);
    let apart = Arc::new(Apart { inner, began: Mutex::default(), left: Mutex::default() });
    backend.queue = Arc::clone(&apart) as Arc<dyn Queue>;
    let client = Client::new(backend, world.client.registry().clone());
    let serve = async || Remote::start(client.clone(), Options::default()).await.expect("started");
    let (remote, other) = (serve().await, serve().await);
    let job_id = world.submit(json!({})).await;
    let request = ClaimRequest {
        pipeline: "test".into(),
        stages: Vec::new(),
        max: 1,
        wait: Duration::from_secs(20),
        lease: None,
        worker: "w1".into(),
    };
    let claim = remote.claim(request.clone()).await.expect("answered").remove(0);
    assert_eq!(apart.began.lock().expect("whole").len(), 1, "the journal is told");
    let id = std::slice::from_ref(&claim.claim_id);
    assert_eq!(other.extend(id, None).await.expect("answered"), [Extension::Lost]);
    let told = other.complete(&claim.claim_id, Completed::default()).await;
    assert!(matches!(told, Err(Error::Lost)));
    assert_eq!(remote.claims_out(), 1);
    remote.stop().await;
    assert_eq!(remote.claims_out(), 0);
    assert_eq!(*apart.left.lock().expect("whole"), ["test.far".into()]);
    let job = world.job(&job_id).await;
    assert_eq!((job.state, job.deliveries), (JobState::Queued, 0), "uncounted");
    assert_eq!(world.kinds(&job_id).await.last(), Some(&EventKind::HandedBack));
    let claim = other.claim(request).await.expect("answered").remove(0);
    let reason = "not wanted".to_owned();
    let signal = Signal::Abort { job_id: job_id.clone(), reason: reason.clone() };
    client.backend().bus.publish(signal);
    let id = std::slice::from_ref(&claim.claim_id);
    let heard = async || {
        let extended = other.extend(id, None).await.expect("answered");
        extended == [Extension::AbortRequested { reason: reason.clone() }]
    };
    world.until("the worker hears what was announced", heard).await;
    let answer = other.complete(&claim.claim_id, Completed::default()).await.expect("taken");
    assert_eq!((answer.state, answer.instead.is_some()), (JobState::Aborted, true));
}
