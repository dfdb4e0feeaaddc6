use std::collections::HashMap;

use super::{Birth, Place, project};
use crate::clock::Timestamp;
use crate::contract::Contract;
use crate::failure::{ErrorKind, Failure};
use crate::journal::{Change, Entry, Step};
use crate::port::{Error, Projected};
use crate::settlement::{Message, Next, Task};
use crate::state::JobState;

fn body() -> Vec<u8> {
    Contract { visit: 2, ..Contract::new("a".into(), crate::Params::new()) }.to_bytes()
}

fn entry(change: Change) -> Entry {
    Entry {
        job_id: "a".into(),
        origin: Some(("scans".into(), 4)),
        step: Step { stage: "detect".into(), visit: Some(1), attempt: 3, at: Timestamp(7) },
        events: Vec::new(),
        log: Vec::new(),
        change,
        children: Vec::new(),
    }
}

fn landed(state: JobState, next: Next) -> Entry {
    entry(Change::Landed { state, stage: "next".into(), next })
}

fn hop() -> Next {
    Next::Enqueue(Message {
        queue: "scans.next".into(),
        stage: "next".into(),
        priority: 0,
        not_before: None,
        turn: None,
        body: body(),
    })
}

/// The state in which a job is that is told to be there in this one.
fn check(told: JobState, next: Next, expect: JobState) {
    let projection = project(&[landed(told, next)], HashMap::new()).expect("it is taken");
    let moved = projection.effects[0].moved.as_ref().map(|(state, _)| *state);
    assert_eq!(moved, Some(expect), "{told}");
}

#[test]
fn state_fits_the_place_whatever_somebody_wrote() {
    let park = || Next::Park(Task { stage: "next".into(), body: body() });
    let failure = Failure::new(ErrorKind::Error, "no such page");
    let end = |failure: Option<&Failure>| Next::End { body: body(), failure: failure.cloned() };
    check(JobState::Retrying, hop(), JobState::Retrying);
    check(JobState::Completed, hop(), JobState::Queued);
    check(JobState::Running, Next::HandBack, JobState::Queued);
    check(JobState::Completed, park(), JobState::Waiting);
    check(JobState::Skipped, end(None), JobState::Skipped);
    check(JobState::Queued, end(None), JobState::Completed);
    check(JobState::Queued, end(Some(&failure)), JobState::Failed);
}

#[test]
fn unknown_job_begins_with_the_least_of_a_contract() {
    let projection = project(&[entry(Change::Running)], HashMap::new()).expect("it is taken");
    let [effect] = &projection.effects[..] else { panic!("one job, one effect") };
    let birth = Birth { pipeline: "scans".into(), pipeline_version: 4, at: Timestamp(7) };
    assert_eq!(effect.birth, Some(birth));
    let Some(Place::Away(shadow)) = &effect.place else { panic!("it is away: {effect:?}") };
    let contract = Contract::parse(&shadow.message.body).expect("it is a contract");
    assert_eq!((contract.visit, contract.retry_count), (1, 2));
    assert_eq!(shadow.message.queue.as_str(), "scans.detect");
    assert_eq!(shadow.running_since, Some(Timestamp(7)));
}

#[test]
fn batch_writes_each_job_once() {
    let entries = [entry(Change::Running), landed(JobState::Queued, hop()), entry(Change::Running)];
    let projection = project(&entries, HashMap::new()).expect("it is taken");
    let answers = [Projected::Applied, Projected::Applied, Projected::Repeated];
    assert_eq!(projection.answers, answers);
    let [effect] = &projection.effects[..] else { panic!("one job, one effect") };
    let Some(Place::Away(shadow)) = &effect.place else { panic!("it is away: {effect:?}") };
    assert_eq!((&shadow.message.body, shadow.running_since), (&body(), None));
}

#[test]
fn nobody_can_place_a_new_job_without_its_pipeline() {
    let stray = Entry { origin: None, ..entry(Change::Running) };
    let error = project(&[stray], HashMap::new()).expect_err("it is refused");
    assert!(matches!(error, Error::Broken { .. }));
    assert_eq!(
        error.to_string(),
        "journal entry of job a: the job is not known, and its pipeline is not told"
    );
}
