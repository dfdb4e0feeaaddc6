//! The last progress of a job is kept, for as long as it says something.

use waystation_core::clock::Clock;
use waystation_core::progress::Progress;
use waystation_core::settlement::Settled;
use waystation_core::state::JobState;

use super::{Backend, Harness, bounded};
use crate::sample;

/// The last word holds while the job runs and when it has failed; the next stage begins with none.
pub async fn last_progress_is_kept_while_it_says_something(harness: &mut dyn Harness) {
    let backend = harness.open().await;
    for id in ["fails", "hops"] {
        backend.submit(sample::job(id)).await;
    }
    let taken = backend.take(sample::STAGE, 2).await;
    for percent in [40.0, 62.5] {
        let said = ["fails", "hops", "unknown"].map(|id| (id, progress(harness, percent)));
        keep(&backend, &said).await;
    }
    for id in ["fails", "hops"] {
        let job = backend.job(id).await;
        assert_eq!((job.state, job.progress), (JobState::Running, Some(progress(harness, 62.5))));
    }
    assert_eq!(backend.settle(sample::end(&taken[0]).fail("no page")).await, Settled::Applied);
    let hop = sample::end(&taken[1]).forward_to("second");
    assert_eq!(backend.settle(hop).await, Settled::Applied);
    let failed = backend.job("fails").await;
    assert_eq!(failed.progress, Some(progress(harness, 62.5)), "how far it came");
    assert_eq!(backend.job("hops").await.progress, None);
    backend.take_one("second").await;
    assert_eq!(backend.job("hops").await.progress, None, "the first stage said it");
}

/// What a job's attempts say when it has ended is not of interest.
pub async fn progress_of_an_ended_job_is_not_kept(harness: &mut dyn Harness) {
    let backend = harness.open().await;
    backend.submit(sample::job("a")).await;
    let delivery = backend.take_one(sample::STAGE).await;
    assert_eq!(backend.settle(sample::end(&delivery).fail("no page")).await, Settled::Applied);
    keep(&backend, &[("a", progress(harness, 99.0))]).await;
    assert_eq!(backend.job("a").await.progress, None);
    keep(&backend, &[]).await;
}

fn progress(harness: &dyn Harness, percent: f64) -> Progress {
    Progress::new(percent, "reading \"pages\"", sample::STAGE.into(), 1, harness.clock().now())
}

async fn keep(backend: &Backend, said: &[(&str, Progress)]) {
    let said: Vec<_> = said.iter().map(|(id, progress)| ((*id).into(), progress.clone())).collect();
    bounded(backend.store.keep_progress(&said)).await.expect("progress is kept");
}
