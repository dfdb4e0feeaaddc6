//! Aborts, drains and lost leases.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use waystation_core::event::EventKind::{Abandoned, Aborted, Created, Failed, HandedBack, Started};
use waystation_core::failure::{ErrorKind, Failure};
use waystation_core::id::{JobId, QueueName};
use waystation_core::port::{Abort, Purpose, Receive, Signal};
use waystation_core::state::JobState;
use waystation_engine::Submission;
use waystation_testing::faults::{FailsAtFirst, IgnoresCancellation, NeverReturns};

use crate::world::{World, end};

const PIPELINE: &str = "name: test\nstages:\n  - { id: work, type: work }\n";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn running_job_is_aborted_although_its_handler_never_returns() {
    let world = World::new(PIPELINE, [("work", Arc::new(NeverReturns))]).await;
    let job_id = world.submit(json!({})).await;
    let engine = world.start().await;
    world.reach(&job_id, JobState::Running).await;
    let answer = world.client.abort(&job_id, "changed my mind").await.expect("asked");
    assert_eq!(answer, Abort::Requested);
    let job = world.reach(&job_id, JobState::Aborted).await;
    let failure = job.failure.expect("a reason");
    assert_eq!((failure.kind, failure.message.as_str()), (ErrorKind::Aborted, "changed my mind"));
    assert_eq!(world.kinds(&job_id).await, [Created, Started, Aborted]);
    assert_eq!(world.client.abort(&job_id, "again").await.expect("asked"), Abort::TooLate);
    end(engine).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn remembered_abort_is_not_for_a_job_that_was_tried_again_since() {
    let pipeline = "name: test\nstages: [{ id: work, type: work, retry: { max_retries: 0 } }]";
    let failing = FailsAtFirst::new(1, Failure::transient("not today"));
    let world = World::new(pipeline, [("work", Arc::new(failing))]).await;
    let job_id = world.submit(json!({})).await;
    let engine = world.start().await;
    world.reach(&job_id, JobState::Failed).await;
    let abort = |id: &JobId| {
        let reason = "changed my mind".to_owned();
        world.client.backend().bus.publish(Signal::Abort { job_id: id.clone(), reason });
    };
    abort(&job_id);
    until_heard(&world, abort).await;
    world.client.retry(&job_id).await.expect("requeued");
    world.reach(&job_id, JobState::Completed).await;
    end(engine).await;
}

/// Waits until the engine has heard an abort, and with it those before: until it meets a job of
/// which one was announced before it was there.
async fn until_heard(world: &World, abort: impl Fn(&JobId)) {
    for _ in 0..1_000 {
        let id = JobId::generate();
        abort(&id);
        let probe = Submission { job_id: Some(id.clone()), ..Submission::default() };
        world.client.submit(&world.definition, vec![probe]).await.expect("submitted");
        let mut signals = world.client.backend().bus.subscribe();
        while !world.job(&id).await.state.is_terminal() {
            signals.next().await.expect("the bus lives");
        }
        if world.job(&id).await.state == JobState::Aborted {
            return;
        }
    }
    panic!("no abort is heard");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn drain_hands_back_what_does_not_end_and_burns_no_attempt() {
    let world = World::new(PIPELINE, [("work", Arc::new(NeverReturns))]).await;
    let job_id = world.submit(json!({})).await;
    let engine = world.start().await;
    world.reach(&job_id, JobState::Running).await;
    end(engine).await;
    let job = world.job(&job_id).await;
    assert_eq!((job.state, job.deliveries), (JobState::Queued, 0));
    assert_eq!(world.kinds(&job_id).await, [Created, Started, HandedBack]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn drain_lets_work_end_that_ends_in_time() {
    let (handler, release) = IgnoresCancellation::new();
    let world = World::new(PIPELINE, [("work", Arc::new(handler))]).await;
    let job_id = world.submit(json!({})).await;
    let engine = world.start().await;
    release.attempt_began().await;
    engine.stop();
    engine.stop();
    release.one();
    end(engine).await;
    assert_eq!(world.job(&job_id).await.state, JobState::Completed);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lease_is_kept_for_as_long_as_the_handler_works() {
    let (handler, release) = IgnoresCancellation::new();
    let world = World::new(PIPELINE, [("work", Arc::new(handler))]).await;
    let job_id = world.submit(json!({})).await;
    let engine = world.start().await;
    release.attempt_began().await;
    // Somebody else waits for the delivery for more than two leases, in vain.
    let request = Receive {
        queue: QueueName::from("test.work"),
        max: 1,
        wait: world.options.lease * 5 / 2,
        lease: Duration::from_secs(1),
        purpose: Purpose::Work,
        together: 1,
    };
    let stolen = world.client.backend().queue.receive(request).await.expect("asked");
    assert!(stolen.is_empty(), "{stolen:?}");
    release.one();
    world.reach(&job_id, JobState::Completed).await;
    end(engine).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn job_that_takes_its_workers_down_is_quarantined() {
    let pipeline = "name: test\nstages:\n  - { id: work, type: work, max_deliveries: 2 }\n";
    let world = World::new(pipeline, [("work", Arc::new(NeverReturns))]).await;
    let job_id = world.submit(json!({})).await;
    for _ in 0..2 {
        // A worker that dies: it takes the delivery and is never heard of again.
        let request = Receive {
            queue: QueueName::from("test.work"),
            max: 1,
            wait: Duration::from_secs(5),
            lease: Duration::from_millis(20),
            purpose: Purpose::Work,
            together: 1,
        };
        let taken = world.client.backend().queue.receive(request).await.expect("received");
        assert_eq!(taken.len(), 1);
    }
    let engine = world.start().await;
    let failure = world.reach(&job_id, JobState::Failed).await.failure.expect("a failure");
    assert_eq!(failure.kind, ErrorKind::Poison);
    assert!(failure.message.starts_with("delivered 3 times without an end"), "{failure}");
    let expected = [Created, Abandoned, Abandoned, Started, Failed];
    assert_eq!(world.kinds(&job_id).await, expected);
    end(engine).await;
}
