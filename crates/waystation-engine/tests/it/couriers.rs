//! What waits in a ledger is carried to the broker beside it.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use waystation_core::clock::SystemClock;
use waystation_core::contract::Contract;
use waystation_core::id::{JobId, QueueName, StageId};
use waystation_core::pipeline::{Catalog, Executor, Stage, StageKind};
use waystation_core::port::{Error, Journal, Post, Purpose, Queue, Receive};
use waystation_engine::{Backend, Books, Buses, Client, Engine, Options, Registry, Submission};
use waystation_memory::Memory;
use waystation_testing::sample;

use crate::world::end;

/// No wait of a test is longer.
const WAIT_MAX: Duration = Duration::from_secs(20);

/// Every stage is somebody else's: of this kind.
struct All(StageKind);

impl Catalog for All {
    fn kind(&self, _stage_type: &str) -> Option<StageKind> {
        Some(self.0)
    }

    fn names(&self) -> Vec<String> {
        vec!["x".to_owned()]
    }

    fn build(&self, _stage: &Stage) -> Result<Executor, Vec<String>> {
        Ok(if self.0 == StageKind::Remote { Executor::Remote } else { Executor::Foreign })
    }
}

/// Nobody writes it.
struct Empty;

#[async_trait]
impl Journal for Empty {
    async fn read(&self, _max: usize, wait: Duration) -> Result<Vec<Post>, Error> {
        tokio::time::sleep(wait).await;
        Ok(Vec::new())
    }

    async fn done(&self, _receipts: &[u64]) -> Result<(), Error> {
        Ok(())
    }

    async fn leave(&self) -> Result<(), Error> {
        Ok(())
    }

    async fn refuse(&self, _receipt: u64, _why: &str) -> Result<(), Error> {
        Ok(())
    }

    async fn set_aside(&self, _part: &[u8], _why: &str) -> Result<(), Error> {
        Ok(())
    }
}

async fn submit(client: &Client, pipeline: &str, entry: &str) -> JobId {
    let definition = client.registry().install("test", pipeline).await.expect("installed");
    let entry = Some(StageId::from(entry));
    let job_id = JobId::generate();
    let submission = Submission { entry, job_id: Some(job_id.clone()), ..Submission::default() };
    client.submit(&definition, vec![submission]).await.expect("submitted");
    job_id
}

/// Waits until so many messages are in a queue of the broker.
async fn until_carried(broker: &Memory, queue: &str, count: u64) {
    let carried = async {
        while broker.depth(&QueueName::from(queue)).await.expect("it answers").ready < count {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(WAIT_MAX, carried).await.expect(queue);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn queues_that_only_an_older_version_has_get_a_courier() {
    let clock = Arc::new(SystemClock);
    let (broker, ledger) = (Memory::new(clock.clone()), Memory::new(clock.clone()));
    let books = Books::new(Arc::new(broker.clone()), Arc::new(Empty), Arc::new(ledger.clone()));
    let buses = Buses { live: Arc::new(broker.clone()), ledger: Arc::new(ledger.clone()) };
    let backend = Backend::brokered(books, buses, clock);
    let registry = Registry::new(
        Arc::clone(&backend.store),
        Arc::new(All(StageKind::Foreign)),
        Arc::new(|_| None),
    );
    let client = Client::new(backend.clone(), registry.clone());
    let old = "name: test\nstages: [{ id: a, type: x, queue: old }, { id: gone, type: x }]";
    submit(&client, old, "a").await;
    submit(&client, old, "gone").await;
    let new = "name: test\nstages: [{ id: a, type: x, queue: new }, { id: b, type: x }]";
    submit(&client, new, "a").await;
    let definition = registry.newest(&"test".into()).await.expect("the newer one");
    assert_eq!(definition.version, 2);
    let engine = Engine::start(backend, registry, definition, Options::default()).await;
    let engine = engine.expect("started");
    for queue in ["old", "test.gone", "new"] {
        until_carried(&broker, queue, 1).await;
    }
    end(engine).await;
}

/// Waits until so many messages of one key are in a queue of the broker, of which one is in reach.
async fn until_key_is_carried(broker: &Memory, queue: &QueueName, count: u64) {
    let carried = async {
        loop {
            let depth = broker.depth(queue).await.expect("it answers");
            if depth.ready + depth.behind == count {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(WAIT_MAX, carried).await.expect("all is carried");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn jobs_of_one_key_are_carried_together_in_their_order() {
    const JOBS: usize = 1_500;
    let clock = Arc::new(SystemClock);
    let (broker, ledger) = (Memory::new(clock.clone()), Memory::new(clock.clone()));
    let books = Books::new(Arc::new(broker.clone()), Arc::new(Empty), Arc::new(ledger.clone()));
    let buses = Buses { live: Arc::new(broker.clone()), ledger: Arc::new(ledger.clone()) };
    let backend = Backend::brokered(books, buses, clock);
    let registry = Registry::new(
        Arc::clone(&backend.store),
        Arc::new(All(StageKind::Remote)),
        Arc::new(|_| None),
    );
    let client = Client::new(backend.clone(), registry.clone());
    let pipeline = "name: test\nstages: [{ id: a, type: x, key: key }]";
    let definition = registry.install("test", pipeline).await.expect("installed");
    let submission = |number: usize| {
        let job_id = Some(JobId::from(format!("job-{number:04}")));
        let params = [("key".to_owned(), "k".into())].into_iter().collect();
        Submission { job_id, params, ..Submission::default() }
    };
    client.submit(&definition, (0..JOBS).map(submission).collect()).await.expect("submitted");
    let engine = Engine::start(backend, registry, definition, Options::default()).await;
    let engine = engine.expect("started");
    let queue = QueueName::from("test.a");
    until_key_is_carried(&broker, &queue, JOBS as u64).await;
    end(engine).await;
    let mut came = Vec::new();
    while came.len() < JOBS {
        let (wait, lease) = (Duration::ZERO, WAIT_MAX);
        let (queue, purpose) = (queue.clone(), Purpose::Carry);
        let request = Receive { queue, max: 1, together: 1_000, wait, lease, purpose };
        let run = broker.receive(request).await.expect("received");
        assert!(!run.is_empty());
        let ends = run.iter().map(|one| sample::end(one).complete()).collect();
        came.extend(run.iter().map(|one| Contract::parse(&one.body).expect("one").job_id));
        broker.settle(ends).await.expect("settled");
    }
    assert!(came.is_sorted(), "in the order of coming");
}
