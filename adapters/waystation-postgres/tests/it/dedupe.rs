//! Two processes that submit jobs with the same keys.

use std::sync::Arc;

use waystation_core::clock::SystemClock;
use waystation_core::port::{Queue, Store};
use waystation_core::settlement::{NewJob, OnDuplicate, Submitted};
use waystation_core::state::JobState;
use waystation_postgres::{Options, Postgres};
use waystation_testing::sample;

use crate::conformance::server;

const ROUNDS: usize = 50;
const KEYS: [&str; 3] = ["red", "green", "blue"];

/// Each of them replaces what the other has just submitted: whoever comes second aborts the first,
/// and in the end one job of each key is left.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_replace_each_others_jobs_one_after_the_other() {
    let schema = format!("test_{}", uuid::Uuid::now_v7().simple());
    let options = Options::parse(&format!("{}?schema={schema}", server())).expect("a good URL");
    let open = || Postgres::open(options.clone(), Arc::new(SystemClock));
    let (one, other) = (open().await.expect("it opens"), open().await.expect("it opens"));
    let jobs = |process: &str, round: usize| -> Vec<NewJob> {
        let job = |key: &&str| {
            let job = sample::job(&format!("{process}-{round}-{key}")).dedupe_key(key);
            job.on_duplicate(OnDuplicate::Replace).build()
        };
        KEYS.iter().map(job).collect()
    };
    let mut answers = Vec::new();
    for round in 0..ROUNDS {
        let mut reversed = jobs("other", round);
        reversed.reverse();
        let both = tokio::join!(one.submit(jobs("one", round), None), other.submit(reversed, None));
        answers.extend(both.0.expect("submitted"));
        answers.extend(both.1.expect("submitted"));
    }
    let created = answers.iter().filter(|answer| matches!(answer, Submitted::Created(_)));
    assert_eq!(created.count(), KEYS.len(), "the first of each key");
    let mut left = 0;
    for answer in answers {
        let job_id = answer.accepted().expect("none is rejected");
        let job = one.job(&job_id).await.expect("readable").expect("it is there");
        match job.state {
            JobState::Queued => left += 1,
            state => assert_eq!(state, JobState::Aborted, "{job_id}"),
        }
    }
    assert_eq!(left, KEYS.len(), "the last of each key");
}
