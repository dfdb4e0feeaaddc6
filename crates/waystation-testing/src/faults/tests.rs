use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use waystation_core::id::QueueName;
use waystation_core::job::Checkpoint;
use waystation_core::port::{Capabilities, Depth, Error, Extended, Queue, Receive};
use waystation_core::settlement::{Delivery, Lease, NewJob, Settled, Settlement, Submitted};

use super::{Call, Flaky, Moment};

/// A queue that has nothing and agrees to everything.
struct Hollow;

#[async_trait]
impl Queue for Hollow {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            delay: false,
            priority: false,
            keys: false,
            partitions: false,
            atomic_settlement: false,
            durable: false,
            payload_bytes_max: 0,
        }
    }

    async fn submit(&self, _: Vec<NewJob>, _: Option<Checkpoint>) -> Result<Vec<Submitted>, Error> {
        Ok(Vec::new())
    }

    async fn receive(&self, _: Receive) -> Result<Vec<Delivery>, Error> {
        Ok(Vec::new())
    }

    async fn extend(&self, _: Vec<Lease>, _: Duration) -> Result<Vec<Extended>, Error> {
        Ok(Vec::new())
    }

    async fn settle(&self, _: Arc<[Settlement]>) -> Result<Vec<Settled>, Error> {
        Ok(Vec::new())
    }

    async fn depth(&self, _: &QueueName) -> Result<Depth, Error> {
        Ok(Depth::default())
    }
}

#[tokio::test]
async fn planned_faults_come_in_order_and_only_to_their_call() {
    let hollow: Arc<dyn Queue> = Arc::new(Hollow);
    let inner = Flaky::new(hollow);
    let outer = Flaky::new(Arc::new(inner.clone()));
    outer.pass(Call::Settle, 1);
    outer.fail(Call::Settle, Moment::Before, 1);
    outer.fail(Call::Settle, Moment::After, 1);

    let mut answers = Vec::new();
    for _ in 0..4 {
        let answer = outer.settle(Arc::default()).await;
        answers.push((answer.is_ok(), inner.calls(Call::Settle)));
    }
    // The second call never came through; the third did, and its caller does not know.
    assert_eq!(answers, [(true, 1), (false, 1), (false, 2), (true, 3)]);
    assert_eq!(outer.calls(Call::Settle), 4);
    assert!(outer.depth(&"any".into()).await.is_ok());

    outer.fail(Call::Depth, Moment::After, 1);
    let error = outer.depth(&"any".into()).await.expect_err("it was planned");
    assert!(error.retryable(), "{error}");
}
