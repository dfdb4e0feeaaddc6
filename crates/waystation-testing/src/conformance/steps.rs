//! What steps gave is kept once, apart from each other, and as long as it is of use.

use waystation_core::id::JobId;
use waystation_core::settlement::Settled;
use waystation_core::state::JobState;
use waystation_core::step::{FORGET_PAGE, StepKey};

use super::{Backend, Harness, bounded};
use crate::sample;

/// The first result holds, whoever comes second.
pub async fn first_result_of_a_step_holds(harness: &mut dyn Harness) {
    let backend = harness.open().await;
    let step = step("a", "fetch");
    assert_eq!(result(&backend, &step).await, None);
    assert_eq!(keep(&backend, &step, b"1").await, b"1");
    assert_eq!(keep(&backend, &step, b"2").await, b"1");
    assert_eq!(result(&backend, &step).await.as_deref(), Some(&b"1"[..]));
    let (second, third) = (self::step("a", "second"), self::step("a", "third"));
    let store = &backend.store;
    let racing = |result: &'static [u8]| store.keep_step(&second, result);
    let (one, other) = tokio::join!(bounded(racing(b"one")), bounded(racing(b"other")));
    assert_eq!(one.expect("it is kept"), other.expect("it is kept"), "both get the same");
    assert_eq!(keep(&backend, &third, b"").await, b"", "nothing is a result, too");
}

/// Steps of other jobs, stages, stage runs and names are others.
pub async fn steps_are_apart(harness: &mut dyn Harness) {
    let backend = harness.open().await;
    let mut steps: Vec<StepKey> =
        ["a", "b"].iter().flat_map(|job| ["x", "y"].map(|name| step(job, name))).collect();
    steps.push(StepKey { stage: "other".into(), ..steps[0].clone() });
    steps.push(StepKey { first_visit: 2, ..steps[0].clone() });
    for (number, step) in steps.iter().enumerate() {
        keep(&backend, step, number.to_string().as_bytes()).await;
    }
    for (number, step) in steps.iter().enumerate() {
        let kept = result(&backend, step).await;
        assert_eq!(kept, Some(number.to_string().into_bytes()), "{step:?}");
    }
}

/// Jobs that are done need their steps no more; those that go on do, those that failed, since
/// they may be tried again, and those that the store has not heard of yet.
pub async fn steps_of_ended_jobs_are_forgotten(harness: &mut dyn Harness) {
    let backend = harness.open().await;
    for id in ["completes", "fails", "aborts", "goes on"] {
        backend.submit(sample::job(id)).await;
        keep(&backend, &step(id, "x"), b"1").await;
        keep(&backend, &step(id, "y"), b"1").await;
    }
    keep(&backend, &step("unknown", "x"), b"1").await;
    let taken = backend.take(sample::STAGE, 3).await;
    let ends = [
        sample::end(&taken[0]).complete(),
        sample::end(&taken[1]).fail("no such page"),
        sample::end(&taken[2]).abort("not wanted"),
    ];
    for end in ends {
        assert_eq!(backend.settle(end).await, Settled::Applied);
    }
    forget(&backend).await;
    for (id, kept) in [("completes", false), ("fails", true), ("aborts", false), ("goes on", true)]
    {
        for name in ["x", "y"] {
            assert_eq!(result(&backend, &step(id, name)).await.is_some(), kept, "{id}");
        }
    }
    assert!(result(&backend, &step("unknown", "x")).await.is_some());
    assert_eq!(backend.state("fails").await, JobState::Failed);
}

/// Forgetting goes through all jobs that have steps, page by page.
pub async fn steps_are_forgotten_page_by_page(harness: &mut dyn Harness) {
    let backend = harness.open().await;
    for number in 0..=FORGET_PAGE {
        keep(&backend, &step(&format!("living-{number:04}"), "x"), b"1").await;
    }
    // The last one in any order of texts.
    backend.submit(sample::job("zz")).await;
    keep(&backend, &step("zz", "x"), b"1").await;
    let delivery = backend.take_one(sample::STAGE).await;
    assert_eq!(backend.settle(sample::end(&delivery).complete()).await, Settled::Applied);
    assert_eq!(forget(&backend).await, 2, "so many pages");
    assert_eq!(result(&backend, &step("zz", "x")).await, None);
    assert!(result(&backend, &step("living-0000", "x")).await.is_some());
}

fn step(job_id: &str, name: &str) -> StepKey {
    StepKey {
        job_id: JobId::from(job_id),
        stage: sample::STAGE.into(),
        first_visit: 1,
        name: name.to_owned(),
    }
}

async fn keep(backend: &Backend, step: &StepKey, result: &[u8]) -> Vec<u8> {
    bounded(backend.store.keep_step(step, result)).await.expect("the result is kept")
}

async fn result(backend: &Backend, step: &StepKey) -> Option<Vec<u8>> {
    bounded(backend.store.step_result(step)).await.expect("the step is looked up")
}

/// Forgets all that may be; tells how many pages that were.
async fn forget(backend: &Backend) -> usize {
    let mut pages = 1;
    let mut after = bounded(backend.store.forget_steps(None)).await.expect("a page");
    while let Some(last) = after {
        after = bounded(backend.store.forget_steps(Some(&last))).await.expect("a page");
        pages += 1;
    }
    pages
}
