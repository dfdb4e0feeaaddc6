//! Two connections to one schema, as two processes have them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use waystation_core::clock::SystemClock;
use waystation_core::port::{Ledger, Projected, Purpose, Queue, Receive, Store};
use waystation_core::settlement::Settled;
use waystation_core::state::JobState;
use waystation_postgres::{Options, Postgres};
use waystation_testing::sample;

use crate::conformance::server;

const ROUNDS: usize = 10;
const JOBS: usize = 200;
/// When the server looks for deadlocks, unless it is told another time.
const DEADLOCK_TIMEOUT: Duration = Duration::from_secs(1);
/// So many rounds may be as slow as a deadlock is: the machine may have more to do.
const SLOW_MAX: usize = 2;

/// A worker may be so quick that the tracker of one process tells of a job while the courier of
/// another still hands it over: whoever comes first, both are answered and the job runs.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn courier_and_tracker_of_two_processes_meet_at_the_same_jobs() {
    let schema = format!("test_{}", uuid::Uuid::now_v7().simple());
    let options = Options::parse(&format!("{}?schema={schema}", server())).expect("a good URL");
    let open = || Postgres::open(options.clone(), Arc::new(SystemClock));
    let (courier, tracker) = (open().await.expect("it opens"), open().await.expect("it opens"));
    let mut slow = 0;
    for round in 0..ROUNDS {
        let id = |number: usize| format!("job-{round}-{number}");
        let jobs = (0..JOBS).map(|number| sample::job(&id(number)).build()).collect();
        courier.submit(jobs, None).await.expect("submitted");
        let (queue, lease) = (sample::queue(sample::STAGE), Duration::from_mins(1));
        let request = Receive {
            queue,
            max: JOBS,
            wait: Duration::ZERO,
            lease,
            purpose: Purpose::Work,
            together: 1,
        };
        let deliveries = courier.receive(request).await.expect("received");
        assert_eq!(deliveries.len(), JOBS);
        let over: Vec<_> = deliveries.iter().map(|one| sample::end(one).hand_over()).collect();
        let begun: Vec<_> =
            deliveries.iter().map(|one| sample::running(one, one.enqueued_at)).collect();
        let started = Instant::now();
        let (settled, told) =
            tokio::join!(courier.settle(over.into()), tracker.project(begun.into()));
        slow += usize::from(started.elapsed() >= DEADLOCK_TIMEOUT);
        let settled = settled.expect("settled");
        assert!(settled.iter().all(|one| *one != Settled::Aborted), "{settled:?}");
        assert_eq!(told.expect("projected"), vec![Projected::Applied; JOBS]);
        for number in 0..JOBS {
            let job = tracker.job(&id(number).as_str().into()).await.expect("readable");
            assert_eq!(job.expect("it is there").state, JobState::Running);
        }
    }
    assert!(slow <= SLOW_MAX, "they locked each other out in {slow} of {ROUNDS} rounds");
}
