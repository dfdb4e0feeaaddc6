//! A store that keeps the books for a broker: what was handed over, and what the journal tells.

mod abort;
mod family;
mod looking_on;
mod random;

use std::time::Duration;

use waystation_core::clock::{Clock, Timestamp};
use waystation_core::event::EventKind;
use waystation_core::failure::{ErrorKind, Failure};
use waystation_core::job::{Count, DeadLetterFilter, JobFilter};
use waystation_core::journal::{Change, Entry, Step};
use waystation_core::port::{
    Abort, Error, Extended, Projected, Purpose, Receive, SETTLE_MAX, Signal,
};
use waystation_core::settlement::{Delivery, NewJob, Next, Settled, Start};
use waystation_core::state::JobState;

use super::listings::{EMPTY, counts};
use super::{Backend, Harness, LEASE, bounded};
use crate::{FakeClock, sample};

pub use abort::{
    abort_of_a_handed_over_job_is_a_mark, marked_delivery_is_handed_over_with_its_mark,
    marked_job_does_not_come_to_the_inbox, replaced_job_that_was_handed_over_is_marked,
};
pub use family::{
    child_that_fails_on_the_broker_is_counted,
    children_that_the_journal_tells_of_are_created_and_awaited,
    marked_job_does_not_wait_for_children,
};
pub use looking_on::{
    depths_tell_of_what_a_broker_has, end_of_a_foreign_job_is_counted,
    journal_is_counted_and_fed_once,
};
pub use random::journals_in_any_order_end_the_same;

/// Seconds after the clock's start.
fn at(seconds: u64) -> Timestamp {
    FakeClock::START.plus(Duration::from_secs(seconds))
}

/// Has the courier hand over what waits at a stage; gives what the broker then delivers.
async fn hand_over(backend: &Backend, stage: &str) -> Delivery {
    let delivery = backend.take_one(stage).await;
    let settled = backend.settle(sample::end(&delivery).hand_over()).await;
    assert_eq!(settled, Settled::Applied);
    sample::on_broker(stage, &delivery.body)
}

async fn submit_and_hand_over(backend: &Backend, job_id: &str) -> Delivery {
    backend.submit(sample::job(job_id).param("kept", true)).await;
    hand_over(backend, sample::STAGE).await
}

/// What the broker delivers when a worker on it forwarded a job so.
fn forwarded(entry: &Entry) -> Delivery {
    let Change::Landed { stage, next: Next::Enqueue(message), .. } = &entry.change else {
        panic!("the entry forwards nothing: {entry:?}");
    };
    sample::on_broker(stage.as_str(), &message.body)
}

fn one_in(state: JobState) -> Count {
    Count { pipeline: sample::PIPELINE.into(), stage: sample::STAGE.into(), state, jobs: 1 }
}

/// What a courier has is on its way, not worked on: neither while its lease lasts nor when it has
/// run out is there an attempt to tell of.
pub async fn carried_job_does_not_run(harness: &mut dyn Harness) {
    let backend = harness.open().await;
    backend.submit(sample::job("a")).await;
    let carry = Receive {
        queue: sample::queue(sample::STAGE),
        max: 1,
        wait: Duration::ZERO,
        lease: LEASE,
        purpose: Purpose::Carry,
        together: 1,
    };
    let carried = bounded(backend.queue.receive(carry.clone())).await.expect("received");
    assert_eq!(carried.len(), 1);
    let job = backend.job("a").await;
    assert_eq!((job.state, job.running_since), (JobState::Queued, None));
    assert_eq!(counts(&backend, None).await, [one_in(JobState::Queued)]);
    harness.clock().advance(LEASE * 2);
    let again = bounded(backend.queue.receive(carry)).await.expect("received");
    assert_eq!(again.len(), 1, "another courier takes it");
    assert_eq!(backend.kinds("a").await, [EventKind::Created]);
}

/// A job that a broker has is queued, is listed and counted with its params, and nobody can
/// receive it, now or later.
pub async fn handed_over_job_stays_queued_and_out_of_reach(harness: &mut dyn Harness) {
    let backend = harness.open().await;
    let later = harness.clock().now().plus(Duration::from_secs(1));
    backend.submit(sample::job("a").param("width", 640).not_before(later)).await;
    harness.clock().advance(Duration::from_secs(2));
    let delivery = backend.take_one(sample::STAGE).await;
    let hand_over = sample::end(&delivery).hand_over();
    assert_eq!(backend.settle(hand_over.clone()).await, Settled::Applied);
    assert_eq!(backend.settle(hand_over).await, Settled::Lost);

    let job = backend.job("a").await;
    assert_eq!((job.state, job.not_before, job.running_since), (JobState::Queued, None, None));
    assert_eq!((job.deliveries, job.stage.as_str()), (0, sample::STAGE));
    assert_eq!(job.params["width"], 640);
    assert_eq!(job.body, delivery.body);
    assert_eq!(backend.kinds("a").await, [EventKind::Created]);
    assert_eq!(backend.depth(sample::STAGE).await, EMPTY);
    assert_eq!(counts(&backend, None).await, [one_in(JobState::Queued)]);
    let filter = JobFilter { states: vec![JobState::Queued], limit: 9, ..JobFilter::default() };
    let listed = bounded(backend.store.jobs(filter)).await.expect("the jobs are listed");
    assert_eq!(listed.jobs, [job]);
    let live = bounded(backend.store.live_versions(&sample::PIPELINE.into())).await;
    assert_eq!(live.expect("the versions are listed"), [1]);

    let extended = bounded(backend.queue.extend(vec![delivery.lease.clone()], LEASE)).await;
    assert_eq!(extended.expect("it is asked"), [Extended::Lost]);
    assert_eq!(backend.settle(sample::end(&delivery).complete()).await, Settled::Lost);
    for _ in 0..2 {
        assert!(backend.take(sample::STAGE, 9).await.is_empty());
        harness.clock().advance(Duration::from_hours(1));
    }
    assert_eq!(backend.state("a").await, JobState::Queued);
}

/// A hop, a task, an answer that the courier takes to the broker, and the end.
pub async fn journal_walks_a_job_to_its_end(harness: &mut dyn Harness) {
    let backend = harness.open().await;
    let first = submit_and_hand_over(&backend, "a").await;
    let end = sample::end(&first).param("n", 1).log("measured");
    let hop = sample::journal(&end.forward_to("second"));
    assert_eq!(backend.project(vec![hop.clone()]).await, [Projected::Applied]);
    let job = backend.job("a").await;
    assert_eq!((job.state, job.stage.as_str()), (JobState::Queued, "second"));
    assert_eq!(job.params["n"], 1);
    assert!(backend.take("second", 9).await.is_empty());
    let log = bounded(backend.store.log(&"a".into())).await;
    assert_eq!(log.expect("the log is listed").len(), 1);

    let park = sample::journal(&sample::end(&forwarded(&hop)).park_at("review"));
    assert_eq!(backend.project(vec![park]).await, [Projected::Applied]);
    assert_eq!(backend.state("a").await, JobState::Waiting);
    let tasks = backend.tasks().await;
    assert_eq!(tasks.len(), 1);
    let answer = sample::answer(&tasks[0]).forward_to("third");
    assert_eq!(backend.settle(answer).await, Settled::Applied);

    // The answer lies in the outbox.
    let third = hand_over(&backend, "third").await;
    let done = sample::journal(&sample::end(&third).param("n", 2).complete());
    assert_eq!(backend.project(vec![done]).await, [Projected::Applied]);
    let job = backend.job("a").await;
    assert_eq!((job.state, job.stage.as_str()), (JobState::Completed, "third"));
    assert_eq!((&job.params["n"], &job.params["kept"]), (&2.into(), &true.into()));
    let expected = [
        EventKind::Created,
        EventKind::Completed,
        EventKind::Completed,
        EventKind::Waiting,
        EventKind::Completed,
        EventKind::Completed,
    ];
    assert_eq!(backend.kinds("a").await, expected);
    assert!(backend.tasks().await.is_empty());
}

/// An entry that comes again, or after those that follow it, moves nothing and is told once.
pub async fn repeated_and_late_entries_do_no_harm(harness: &mut dyn Harness) {
    let backend = harness.open().await;
    let first = submit_and_hand_over(&backend, "a").await;
    let begin = sample::running(&first, at(1));
    let hop = sample::end(&first).happening_at(at(2)).log("one line").forward_to("second");
    let hop = sample::journal(&hop);
    let second = forwarded(&hop);
    let again = sample::journal(&sample::end(&second).happening_at(at(3)).retry_at(at(60)));
    let all = vec![begin, hop, again];
    assert_eq!(backend.project(all.clone()).await, [Projected::Applied; 3]);
    let before = backend.job("a").await;
    assert_eq!(before.state, JobState::Retrying);
    let kinds = backend.kinds("a").await;

    for entry in &all {
        assert_eq!(backend.project(vec![entry.clone()]).await, [Projected::Repeated]);
    }
    assert_eq!(backend.project(all).await, [Projected::Repeated; 3]);
    assert_eq!(backend.job("a").await, before);
    assert_eq!(backend.kinds("a").await, kinds);
    let log = bounded(backend.store.log(&"a".into())).await;
    assert_eq!(log.expect("the log is listed").len(), 1);
}

/// An entry that says where the job is holds before those that led there.
pub async fn entry_that_runs_ahead_holds(harness: &mut dyn Harness) {
    let backend = harness.open().await;
    let first = submit_and_hand_over(&backend, "a").await;
    let hop = sample::journal(&sample::end(&first).forward_to("second"));
    let second = forwarded(&hop);
    let done = sample::journal(&sample::end(&second).complete());
    let begun = sample::running(&second, at(1));
    // That a later stage run began says nothing of where the job is here.
    assert_eq!(backend.project(vec![begun]).await, [Projected::Repeated]);
    assert_eq!(backend.job("a").await.stage.as_str(), sample::STAGE);
    assert_eq!(backend.project(vec![done]).await, [Projected::Applied]);
    assert_eq!(backend.project(vec![hop]).await, [Projected::Repeated]);
    assert_eq!(backend.state("a").await, JobState::Completed);
    assert_eq!(backend.kinds("a").await.len(), 4);
}

/// A job is running from the moment that a worker tells until it says what came of it.
pub async fn running_shows_and_clears(harness: &mut dyn Harness) {
    let backend = harness.open().await;
    let first = submit_and_hand_over(&backend, "a").await;
    backend.project(vec![sample::running(&first, at(5))]).await;
    let job = backend.job("a").await;
    assert_eq!((job.state, job.running_since), (JobState::Running, Some(at(5))));
    assert_eq!(counts(&backend, None).await, [one_in(JobState::Running)]);
    let filter = JobFilter { states: vec![JobState::Running], limit: 9, ..JobFilter::default() };
    let listed = bounded(backend.store.jobs(filter)).await.expect("the jobs are listed");
    assert_eq!(listed.jobs, [job]);
    // No lease tells that it does not: only the broker knows.
    harness.clock().advance(Duration::from_hours(1));
    assert_eq!(backend.state("a").await, JobState::Running);
    assert_eq!(backend.depth(sample::STAGE).await, EMPTY);

    let back = sample::end(&first).happening_at(at(6)).hand_back();
    assert_eq!(backend.project(vec![sample::journal(&back)]).await, [Projected::Applied]);
    let job = backend.job("a").await;
    assert_eq!((job.state, job.running_since), (JobState::Queued, None));
    assert_eq!(job.body, first.body);
    // What was told before it was given back comes again.
    let late = vec![sample::running(&first, at(5)), sample::journal(&back)];
    assert_eq!(backend.project(late).await, [Projected::Repeated; 2]);
    assert_eq!(backend.state("a").await, JobState::Queued);

    backend.project(vec![sample::running(&first, at(9))]).await;
    assert_eq!(backend.job("a").await.running_since, Some(at(9)));
    let hop = sample::end(&first).happening_at(at(10)).forward_to("second");
    backend.project(vec![sample::journal(&hop)]).await;
    assert_eq!(backend.state("a").await, JobState::Queued);
}

/// A job that waits with the broker for its next attempt shows until when, and is not due here.
pub async fn retry_shows_until_when_it_waits(harness: &mut dyn Harness) {
    let backend = harness.open().await;
    let first = submit_and_hand_over(&backend, "a").await;
    let moment = harness.clock().now().plus(Duration::from_mins(1));
    let retry = sample::journal(&sample::end(&first).retry_at(moment));
    backend.project(vec![sample::running(&first, at(0)), retry.clone()]).await;
    let job = backend.job("a").await;
    assert_eq!((job.state, job.not_before), (JobState::Retrying, Some(moment)));
    assert_eq!(backend.depth(sample::STAGE).await, EMPTY);
    harness.clock().advance(Duration::from_secs(61));
    assert!(backend.take(sample::STAGE, 9).await.is_empty());
    let job = backend.job("a").await;
    assert_eq!((job.state, job.not_before), (JobState::Retrying, None));

    let again = forwarded(&retry);
    backend.project(vec![sample::running(&again, at(61))]).await;
    let job = backend.job("a").await;
    assert_eq!((job.state, job.running_since), (JobState::Running, Some(at(61))));
    let done = sample::end(&again).happening_at(at(62)).complete();
    assert_eq!(backend.project(vec![sample::journal(&done)]).await, [Projected::Applied]);
    assert_eq!(backend.state("a").await, JobState::Completed);
}

/// A job that the ledger hears of from a worker alone is made known, at the stage it is at.
pub async fn foreign_job_becomes_known(harness: &mut dyn Harness) {
    let backend = harness.open().await;
    let delivery = |id: &str| sample::on_broker("predict", &sample::body(id));
    let told = Entry {
        change: Change::Told {
            kind: EventKind::Completed,
            response: waystation_core::Params::new(),
            failure: None,
        },
        ..sample::running(&delivery("told"), at(3))
    };
    let begun = sample::running(&delivery("begun"), at(4));
    let ended = sample::end(&delivery("ended")).param("n", 1).happening_at(at(5)).complete();
    let batch = vec![told.clone(), begun, sample::journal(&ended)];
    assert_eq!(backend.project(batch).await, [Projected::Applied; 3]);

    let job = backend.job("told").await;
    assert_eq!((job.state, job.stage.as_str()), (JobState::Queued, "predict"));
    assert_eq!((job.pipeline.as_str(), job.pipeline_version), (sample::PIPELINE, 1));
    assert_eq!((job.created_at, job.updated_at), (at(3), harness.clock().now()));
    assert_eq!(backend.kinds("told").await, [EventKind::Started]);
    let job = backend.job("begun").await;
    assert_eq!((job.state, job.running_since), (JobState::Running, Some(at(4))));
    let job = backend.job("ended").await;
    assert_eq!((job.state, job.params["n"].clone()), (JobState::Completed, 1.into()));
    assert!(backend.take("predict", 9).await.is_empty());

    // A foreign stage leaves to the pipeline what follows.
    assert_eq!(backend.project(vec![told]).await, [Projected::Repeated]);
    let hop = sample::journal(&sample::end(&delivery("told")).forward_to("second"));
    assert_eq!(backend.project(vec![hop]).await, [Projected::Applied]);
    assert_eq!(backend.job("told").await.stage.as_str(), "second");
}

fn created(job: &NewJob) -> Entry {
    let (stage, next) = match &job.start {
        Start::Queue(message) => (&message.stage, Next::Enqueue(message.clone())),
        Start::Inbox(task) => (&task.stage, Next::Park(task.clone())),
    };
    let step = Step { stage: stage.clone(), visit: Some(1), attempt: 1, at: FakeClock::START };
    Entry {
        job_id: job.job_id.clone(),
        origin: Some((job.pipeline.clone(), job.pipeline_version)),
        step,
        events: job.events.clone(),
        log: Vec::new(),
        change: Change::Created { next },
        children: Vec::new(),
    }
}

/// What was submitted straight to a broker is with the broker, and what waits for a person waits
/// here; what was submitted here as well is left alone.
pub async fn job_that_is_submitted_to_the_broker_becomes_known(harness: &mut dyn Harness) {
    let backend = harness.open().await;
    let jobs = [
        sample::job("queued").param("n", 1).version(3).build(),
        sample::job("delayed").not_before(at(60)).build(),
        sample::job("waiting").waiting_at("review").build(),
    ];
    let entries: Vec<Entry> = jobs.iter().map(created).collect();
    assert_eq!(backend.project(entries.clone()).await, [Projected::Applied; 3]);
    assert_eq!(backend.project(entries).await, [Projected::Repeated; 3]);
    for job in &jobs {
        let record = backend.job(job.job_id.as_str()).await;
        assert_eq!(record.state.as_str(), job.job_id.as_str());
        assert_eq!(record.created_at, FakeClock::START);
        assert_eq!(backend.kinds(job.job_id.as_str()).await, [EventKind::Created]);
    }
    let job = backend.job("queued").await;
    assert_eq!((job.pipeline_version, job.params["n"].clone()), (3, 1.into()));
    assert_eq!(backend.job("delayed").await.not_before, Some(at(60)));
    assert_eq!(backend.tasks().await.len(), 1);
    assert!(backend.take(sample::STAGE, 9).await.is_empty());
    // A worker may be quick, and its clock behind.
    let begun = sample::running(&sample::on_broker(sample::STAGE, &job.body), FakeClock::START);
    assert_eq!(backend.project(vec![begun]).await, [Projected::Applied]);
    assert_eq!(backend.state("queued").await, JobState::Running);
}

/// Where nobody can tell whose a new job is, nothing of the batch is written.
pub async fn unknown_job_without_a_pipeline_is_refused_whole(harness: &mut dyn Harness) {
    let backend = harness.open().await;
    let first = submit_and_hand_over(&backend, "a").await;
    let hop = sample::journal(&sample::end(&first).forward_to("second"));
    let stray = sample::running(&sample::on_broker("predict", &sample::body("stray")), at(1));
    let stray = Entry { origin: None, ..stray };
    let error = backend.project_error(vec![hop.clone(), stray]).await;
    assert!(matches!(error, Error::Broken { .. }), "{error:?}");
    assert!(error.to_string().contains("stray"), "{error}");
    assert_eq!(backend.job("a").await.stage.as_str(), sample::STAGE);
    assert_eq!(backend.find_job("stray").await, None);
    // Of a known job it need not be told.
    let hop = Entry { origin: None, ..hop };
    assert_eq!(backend.project(vec![hop]).await, [Projected::Applied]);
}

/// A job that failed on the broker lies with the dead letters once, whatever comes again.
pub async fn failed_entry_opens_one_dead_letter(harness: &mut dyn Harness) {
    let backend = harness.open().await;
    let first = submit_and_hand_over(&backend, "a").await;
    let failed = sample::journal(&sample::end(&first).param("page", 2).fail("no such page"));
    let batch = vec![failed.clone(), failed.clone()];
    assert_eq!(backend.project(batch).await, [Projected::Applied, Projected::Repeated]);
    assert_eq!(backend.project(vec![failed]).await, [Projected::Repeated]);
    let job = backend.job("a").await;
    assert_eq!((job.state, job.params["page"].clone()), (JobState::Failed, 2.into()));
    let failure = job.failure.expect("the job tells why it failed");
    assert_eq!(failure.message, "no such page");
    let letters = backend.letters("a").await;
    assert_eq!(letters.len(), 1);
    assert_eq!((letters[0].stage.as_str(), &letters[0].failure), (sample::STAGE, &failure));
    assert_eq!(letters[0].body, job.body);
    assert_eq!(backend.kinds("a").await, [EventKind::Created, EventKind::Failed]);
}

/// A person's retry lies in the outbox as a new stage run, which nothing of the old one touches.
pub async fn requeue_opens_a_new_stage_run(harness: &mut dyn Harness) {
    let backend = harness.open().await;
    let first = submit_and_hand_over(&backend, "a").await;
    let begun = sample::running(&first, at(1));
    let failed = sample::end(&first).happening_at(at(2)).fail("no such page");
    let failed = sample::journal(&failed);
    backend.project(vec![failed.clone()]).await;
    let letter = backend.letters("a").await.remove(0);
    assert_eq!(
        backend.settle(sample::resolve(&letter).happening_at(at(3)).requeue()).await,
        Settled::Applied
    );

    let late = vec![begun.clone(), failed];
    assert_eq!(backend.project(late).await, [Projected::Repeated; 2]);
    let job = backend.job("a").await;
    assert_eq!((job.state, job.failure), (JobState::Queued, None));
    assert!(backend.letters("a").await.is_empty());
    let kinds = backend.kinds("a").await;
    let expected = [EventKind::Created, EventKind::Started, EventKind::Failed, EventKind::Requeued];
    assert_eq!(kinds, expected);

    let again = hand_over(&backend, sample::STAGE).await;
    assert_eq!(backend.project(vec![begun]).await, [Projected::Repeated]);
    assert_eq!(backend.state("a").await, JobState::Queued);
    let done = sample::journal(&sample::end(&again).happening_at(at(3)).complete());
    assert_eq!(backend.project(vec![done]).await, [Projected::Applied]);
    assert_eq!(backend.state("a").await, JobState::Completed);
}

/// Nobody knows whose a delivery is that is no contract: it gets an id and lies with the dead
/// letters.
pub async fn unreadable_delivery_of_a_broker_is_a_dead_letter(harness: &mut dyn Harness) {
    let backend = harness.open().await;
    let body = b"no contract".to_vec();
    let failure = Failure::new(ErrorKind::Contract, "unreadable");
    let entry = |next| Entry {
        job_id: "".into(),
        change: Change::Landed { state: JobState::Failed, stage: "predict".into(), next },
        ..sample::running(&sample::on_broker("predict", &sample::body("x")), at(1))
    };
    let failed = entry(Next::End { body: body.clone(), failure: Some(failure) });
    let back =
        Change::Landed { state: JobState::Queued, stage: "predict".into(), next: Next::HandBack };
    let back = Entry { change: back, ..failed.clone() };
    let answers = backend.project(vec![back, failed]).await;
    assert_eq!(answers, [Projected::Repeated, Projected::Applied]);
    let letters = bounded(backend.store.dead_letters(DeadLetterFilter::newest(9))).await;
    let letters = letters.expect("the letters are listed");
    assert_eq!(letters.len(), 1);
    assert!(letters[0].job_id.as_str().starts_with("unreadable-"), "{}", letters[0].job_id);
    assert_eq!(letters[0].body, body);
    let job = backend.job(letters[0].job_id.as_str()).await;
    assert_eq!((job.state, job.stage.as_str()), (JobState::Failed, "predict"));
    let events = bounded(backend.store.events(&job.job_id)).await.expect("they are listed");
    assert_eq!((events.len(), &events[0].job_id), (1, &job.job_id));
}

/// The journal may be quicker than the courier's own settlement, which then has nothing to end.
pub async fn hand_over_after_the_journal_is_lost(harness: &mut dyn Harness) {
    let backend = harness.open().await;
    for id in ["begun", "hopped", "done", "back"] {
        backend.submit(sample::job(id)).await;
    }
    let held = backend.take(sample::STAGE, 4).await;
    let worker: Vec<_> =
        held.iter().map(|one| sample::on_broker(sample::STAGE, &one.body)).collect();
    let hop = sample::journal(&sample::end(&worker[1]).forward_to("second"));
    let batch = vec![
        sample::running(&worker[0], at(7)),
        hop,
        sample::journal(&sample::end(&worker[2]).complete()),
    ];
    assert_eq!(backend.project(batch).await, [Projected::Applied; 3]);
    let batch = held[..3].iter().map(|one| sample::end(one).hand_over());
    let answers = bounded(backend.queue.settle(batch.collect())).await;
    assert_eq!(answers.expect("the batch is taken"), [Settled::Lost; 3]);
    let job = backend.job("begun").await;
    assert_eq!((job.state, job.running_since), (JobState::Running, Some(at(7))));
    assert_eq!(backend.job("hopped").await.stage.as_str(), "second");
    assert_eq!(backend.state("done").await, JobState::Completed);

    // Also when the courier died after it had published: nothing is published again.
    harness.clock().advance(LEASE);
    assert_eq!(backend.take_ids(sample::STAGE, 9).await, ["back"]);
    harness.clock().advance(LEASE);
    let back = sample::journal(&sample::end(&worker[3]).hand_back());
    assert_eq!(backend.project(vec![back]).await, [Projected::Applied]);
    assert!(backend.take(sample::STAGE, 9).await.is_empty());
    assert_eq!(backend.state("back").await, JobState::Queued);
    assert_eq!(backend.job("back").await.deliveries, 0);
}

/// Entries of one batch follow each other as those of many would.
pub async fn batch_may_tell_of_a_job_several_times(harness: &mut dyn Harness) {
    let backend = harness.open().await;
    let first = submit_and_hand_over(&backend, "a").await;
    let other = submit_and_hand_over(&backend, "b").await;
    let hop = sample::journal(&sample::end(&first).happening_at(at(2)).forward_to("second"));
    let second = forwarded(&hop);
    let retry = sample::end(&second).happening_at(at(4)).retry_at(at(5)).clone();
    let retry = sample::journal(&retry);
    let third = forwarded(&retry);
    let batch = vec![
        sample::running(&first, at(1)),
        sample::running(&other, at(1)),
        hop.clone(),
        sample::running(&second, at(3)),
        hop,
        retry,
        sample::journal(&sample::end(&other).happening_at(at(5)).complete()),
        sample::running(&third, at(6)),
    ];
    let mut expected = [Projected::Applied; 8];
    expected[4] = Projected::Repeated;
    assert_eq!(backend.project(batch).await, expected);
    let job = backend.job("a").await;
    assert_eq!((job.state, job.running_since), (JobState::Running, Some(at(6))));
    assert_eq!((job.stage.as_str(), &job.body), ("second", &third.body));
    let expected = [
        EventKind::Created,
        EventKind::Started,
        EventKind::Completed,
        EventKind::Started,
        EventKind::Retried,
        EventKind::Started,
    ];
    assert_eq!(backend.kinds("a").await, expected);
    assert_eq!(backend.state("b").await, JobState::Completed);
    assert!(backend.project(Vec::new()).await.is_empty());
}

/// A batch larger than the port takes is refused.
pub async fn batch_of_too_many_entries_is_refused(harness: &mut dyn Harness) {
    let backend = harness.open().await;
    let first = submit_and_hand_over(&backend, "a").await;
    let entry = sample::running(&first, at(1));
    let error = backend.project_error(vec![entry; SETTLE_MAX + 1]).await;
    assert!(matches!(error, Error::BatchTooLarge { .. }), "{error:?}");
    assert_eq!(backend.state("a").await, JobState::Queued);
}

/// Who listens hears that the journal changed something.
pub async fn changes_by_the_journal_are_told_on_the_bus(harness: &mut dyn Harness) {
    let backend = harness.open().await;
    let first = submit_and_hand_over(&backend, "a").await;
    let mut signals = backend.bus.subscribe();
    backend.project(vec![sample::running(&first, at(1))]).await;
    assert_eq!(bounded(signals.next()).await, Some(Signal::Changed));
}

/// What was handed over and projected is there after a crash, marks and moments included.
pub async fn projected_jobs_survive_a_crash(harness: &mut dyn Harness) {
    let backend = harness.open().await;
    let mut deliveries = Vec::new();
    let ids = ["handed", "begun", "retries", "parks", "fails", "back"];
    for id in ids {
        deliveries.push(submit_and_hand_over(&backend, id).await);
    }
    assert_eq!(backend.abort("begun").await, Abort::Requested);
    let end = |place: usize| sample::end(&deliveries[place]).happening_at(at(5));
    let begun = sample::running(&deliveries[5], at(4));
    let back = sample::journal(&end(5).hand_back());
    let batch = vec![
        sample::running(&deliveries[1], at(4)),
        sample::journal(&end(2).retry_at(at(3_600))),
        sample::journal(&end(3).park_at("review")),
        sample::journal(&end(4).fail("no such page")),
        begun.clone(),
        back,
    ];
    backend.project(batch.clone()).await;
    let mut before = Vec::new();
    for id in ids {
        before.push((backend.job(id).await, backend.kinds(id).await));
    }
    let (tasks, letters) = (backend.tasks().await, backend.letters("fails").await);

    let backend = harness.crash_and_reopen(backend).await.expect("it can be opened again");
    assert_eq!(backend.project(batch).await, [Projected::Repeated; 6]);
    assert_eq!(backend.project(vec![begun]).await, [Projected::Repeated]);
    for (job, kinds) in before {
        assert_eq!(backend.job(job.job_id.as_str()).await, job);
        assert_eq!(backend.kinds(job.job_id.as_str()).await, kinds);
    }
    assert_eq!(backend.tasks().await, tasks);
    assert_eq!(backend.letters("fails").await, letters);
    assert_eq!(backend.abort_marks().await, ["begun: not wanted"]);
    assert!(backend.take(sample::STAGE, 9).await.is_empty());
}
