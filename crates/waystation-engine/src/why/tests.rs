//! Facts and the words that follow from them.

use std::time::Duration;

use serde_json::{Value, json};
use waystation_core::Params;
use waystation_core::clock::Timestamp;
use waystation_core::event::{Event, EventKind};
use waystation_core::failure::{ErrorKind, Failure};
use waystation_core::job::{Awaited, Behind, JobRecord, TaskRecord};
use waystation_core::key::Key;
use waystation_core::pipeline::StageKind;
use waystation_core::port::Depth;
use waystation_core::settlement::{Quorum, Tally};
use waystation_core::state::JobState;

use super::{Facts, StageFacts, why};
use crate::control::{InHand, Mode, Pause, Pauses, Serving, Target, WorkerKind, WorkerPresence};

/// 2023-11-14T22:13:20Z.
const NOW: Timestamp = Timestamp(1_700_000_000_000);

fn ago(seconds: u64) -> Timestamp {
    NOW.minus(Duration::from_secs(seconds))
}

fn within(seconds: u64) -> Timestamp {
    NOW.plus(Duration::from_secs(seconds))
}

/// A job in this state at stage `work` of pipeline `p`, which an engine serves.
fn facts(state: JobState) -> Facts {
    let job = JobRecord {
        job_id: "j".into(),
        pipeline: "p".into(),
        pipeline_version: 1,
        state,
        stage: "work".into(),
        created_at: ago(600),
        updated_at: ago(60),
        not_before: None,
        running_since: None,
        leased_until: None,
        deliveries: 1,
        failure: None,
        parent: None,
        progress: None,
        params: Params::new(),
        body: br#"{"job_id":"j","retry_count":1}"#.to_vec(),
    };
    let stage = StageFacts { kind: StageKind::Worker, queue: "p.work".into(), attempts_max: 4 };
    Facts {
        now: NOW,
        job,
        events: Vec::new(),
        stage: Some(stage),
        workers: vec![worker("host-7-abc", WorkerKind::Engine)],
        pauses: Pauses::default(),
        task: None,
        awaited: None,
        behind: None,
        depth: Some(Depth { ready: 90, ..Depth::default() }),
        per_minute: None,
        is_brokered: false,
        abort_wanted: None,
        has_letter: true,
    }
}

fn worker(name: &str, kind: WorkerKind) -> WorkerPresence {
    let serving = Serving {
        pipeline: "p".into(),
        stage: "work".into(),
        queue: "p.work".into(),
        concurrency: Some(4),
        in_flight: 0,
        partitions: <_>::default(),
    };
    WorkerPresence {
        discovers: Vec::new(),
        faults: Vec::new(),
        worker_id: name.into(),
        kind,
        host: "host".into(),
        pid: Some(7),
        version: "0".into(),
        started_at: ago(900),
        told_at: ago(1),
        draining: false,
        serves: vec![serving],
        in_flight: 0,
        jobs: Vec::new(),
        memory_bytes: None,
        cpu_seconds: None,
        settled: 0,
        settled_batches: 0,
        settled_lately: 0,
        interval_ms: 5_000,
    }
}

fn event(kind: EventKind, attempt: u32, detail: Value) -> Event {
    Event {
        job_id: "j".into(),
        kind,
        stage: "work".into(),
        visit: 1,
        attempt,
        at: ago(60),
        detail: Some(detail),
    }
}

/// What follows from the facts of a job in this state after this change of them.
fn check(state: JobState, change: impl FnOnce(&mut Facts), expected: &[&str]) {
    let mut facts = facts(state);
    change(&mut facts);
    let reasons = why(&facts);
    let words: Vec<_> = reasons.iter().map(|reason| reason.words(NOW)).collect();
    assert_eq!(words, expected, "{reasons:?}");
    let read = serde_json::from_value(json!(reasons));
    assert_eq!(read.ok(), Some(reasons), "reasons survive JSON");
}

#[test]
fn running_jobs_tell_who_has_them_and_until_when() {
    let running = |facts: &mut Facts| {
        facts.job.running_since = Some(ago(65));
        facts.job.leased_until = Some(within(20));
    };
    check(
        JobState::Running,
        running,
        &["attempt 2 at stage `work` runs for 1 min 5 s; its lease lasts 20 s unless renewed"],
    );
    let told = |facts: &mut Facts| {
        facts.job.running_since = Some(ago(5));
        let (job_id, stage) = ("j".into(), "work".into());
        facts.workers[0].jobs.push(InHand {
            job_id,
            stage,
            attempt: 3,
            since: ago(5),
            until: None,
        });
    };
    let expected = "attempt 3 at stage `work` runs on host-7-abc for 5 s";
    check(JobState::Running, told, &[expected]);
    let missed = |facts: &mut Facts| facts.job.running_since = Some(ago(65));
    let expected = "attempt 2 at stage `work` runs for 1 min 5 s; no worker tells that it has it: \
                    if its worker died, the broker hands it out again";
    check(JobState::Running, missed, &[expected]);
    let many = |facts: &mut Facts| {
        missed(facts);
        facts.workers[0].in_flight = 300;
    };
    check(JobState::Running, many, &["attempt 2 at stage `work` runs for 1 min 5 s"]);
}

#[test]
fn retries_tell_when_and_what_failed_before() {
    let retried = |detail: Value| {
        move |facts: &mut Facts| {
            facts.job.not_before = Some(within(12));
            facts.events.push(event(EventKind::Retried, 2, detail));
        }
    };
    check(
        JobState::Retrying,
        retried(json!({ "failure": Failure::transient("busy") })),
        &["attempt 3 at stage `work` is due in 12 s (attempt 2 of 4 failed: transient: busy)"],
    );
    check(
        JobState::Retrying,
        retried(json!({ "postponed": "job is on version 2 of its pipeline" })),
        &["was put back uncounted and comes up in 12 s: job is on version 2 of its pipeline"],
    );
}

#[test]
fn jobs_in_line_tell_what_is_before_them() {
    check(
        JobState::Delayed,
        |facts| facts.job.not_before = Some(within(7_200)),
        &["is not to begin before 2023-11-15T00:13:20.000Z (in 2 h)"],
    );
    check(JobState::Queued, |_| {}, &["waits its turn in queue `p.work` with 90 ready"]);
    check(
        JobState::Queued,
        |facts| facts.per_minute = Some(30.0),
        &["waits its turn in queue `p.work` with 90 ready; of late 30.0 begin a minute, at which \
           all of them take 3 min"],
    );
    check(
        JobState::Queued,
        |facts| (facts.is_brokered, facts.per_minute) = (true, Some(30.0)),
        &["waits its turn at the broker, in queue `p.work` with 90 ready; of late 30.0 begin a \
           minute, at which all of them take 3 min"],
    );
    let behind = |ahead| {
        move |facts: &mut Facts| {
            let key = Key::new("ip:10.0.0.1").expect("a key");
            facts.behind = Some(Behind { key, first: "a".into(), ahead });
        }
    };
    let expected = "waits for job `a` before it with the same key `ip:10.0.0.1`";
    check(JobState::Queued, behind(1), &[expected]);
    let expected = "waits for job `a` and 2 more before it with the same key `ip:10.0.0.1`";
    check(JobState::Queued, behind(3), &[expected]);
    check(
        JobState::Queued,
        |facts| facts.abort_wanted = Some("not wanted".into()),
        &[
            "is to be aborted (not wanted): its worker is told, or the next one that meets it ends \
             it",
            "waits its turn in queue `p.work` with 90 ready",
        ],
    );
    // Due, and nobody took it yet.
    check(
        JobState::Retrying,
        |facts| facts.job.not_before = Some(ago(1)),
        &["waits its turn in queue `p.work` with 90 ready"],
    );
}

#[test]
fn what_is_in_the_way_comes_first() {
    let turn = "waits its turn in queue `p.work` with 90 ready";
    let pause = |text: &str| {
        let target = Target::parse(text).expect("a target");
        let (by, reason) = ("ann".to_owned(), "disk full".to_owned());
        Pauses::new(vec![Pause { target, mode: Mode::Pause, by, reason, at: ago(180) }])
    };
    for (text, words) in [
        ("stage/p/work", "stage `work` of pipeline `p`"),
        ("pipeline/p", "pipeline `p`"),
        ("queue/p.work", "queue `p.work`"),
    ] {
        let expected = format!("{words} is paused by ann, 3 min ago: disk full");
        check(JobState::Queued, |facts| facts.pauses = pause(text), &[&expected, turn]);
    }
    let nobody = "no running process serves stage `work` (hint: start one)";
    check(JobState::Queued, |facts| facts.workers.clear(), &[nobody, turn]);
    check(JobState::Queued, |facts| facts.workers[0].draining = true, &[nobody, turn]);
    check(
        JobState::Queued,
        |facts| facts.workers[0].serves[0].queue = "other".into(),
        &[nobody, turn],
    );
    let of_kind = |facts: &mut Facts, kind| {
        facts.stage.as_mut().expect("known").kind = kind;
    };
    check(
        JobState::Queued,
        |facts| of_kind(facts, StageKind::Remote),
        &["no remote worker asked for work of stage `work` in the last 15 s", turn],
    );
    check(
        JobState::Queued,
        |facts| {
            of_kind(facts, StageKind::Remote);
            facts.workers.push(worker("far", WorkerKind::Remote));
        },
        &[turn],
    );
    check(
        JobState::Queued,
        |facts| of_kind(facts, StageKind::Foreign),
        &["a foreign program does stage `work`, and does not tell whether it runs", turn],
    );
}

#[test]
fn tasks_tell_whose_they_are_and_whether_they_are_late() {
    let task = |assignee: Option<&str>, due_at: Option<Timestamp>| {
        let task = TaskRecord {
            task_id: 12,
            job_id: "j".into(),
            pipeline: "p".into(),
            stage: "work".into(),
            created_at: ago(3_600),
            assignee: assignee.map(str::to_owned),
            claimed_until: None,
            due_at,
            body: Vec::new(),
        };
        move |facts: &mut Facts| facts.task = Some(task)
    };
    let waits = "waits for a person at stage `work` for 1 h (task 12, ";
    for (change, rest) in [
        (task(None, None), "held by nobody)"),
        (task(Some("ann"), Some(within(60))), "held by ann, due in 1 min)"),
        (task(Some("ann"), Some(ago(60))), "held by ann, overdue for 1 min)"),
    ] {
        check(JobState::Waiting, change, &[&format!("{waits}{rest}")]);
    }
}

#[test]
fn joins_tell_how_many_more_they_need() {
    let join = |tally: Tally| {
        move |facts: &mut Facts| {
            facts.events.push(event(EventKind::Waiting, 1, json!({ "children": 10 })));
            let quorum = Quorum { visit: 1, completed: 7, failed: 11, ended: 10 };
            facts.awaited = Some(Awaited { visit: 1, quorum, tally });
        }
    };
    let waits = "waits for its children at stage `work`: ";
    check(
        JobState::Waiting,
        join(Tally { completed: 3, failed: 0 }),
        &[&format!("{waits}3 of 10 have ended, and 4 more must")],
    );
    check(
        JobState::Waiting,
        join(Tally { completed: 3, failed: 5 }),
        &[&format!("{waits}8 of 10 have ended, 5 of them failed, and 2 more must")],
    );
    let moving = "on its way to its next stage just now: look again";
    check(JobState::Waiting, |_| {}, &[moving]);
}

#[test]
fn ended_jobs_tell_how_and_what_can_be_done() {
    let failure = Failure::new(ErrorKind::Permanent, "no page");
    let failed = |has_letter| {
        let failure = failure.clone();
        move |facts: &mut Facts| {
            facts.job.failure = Some(failure);
            facts.has_letter = has_letter;
        }
    };
    check(
        JobState::Failed,
        failed(true),
        &["failed at stage `work` 1 min ago: permanent: no page; nothing happens until somebody \
           retries it or drops it"],
    );
    check(
        JobState::Failed,
        failed(false),
        &["failed at stage `work` 1 min ago: permanent: no page; its dead letter was dropped: \
           submit it again as a new job"],
    );
    check(
        JobState::Aborted,
        |facts| {
            let detail = json!({ "reason": "not wanted (by ann)" });
            facts.events.push(event(EventKind::Aborted, 1, detail));
        },
        &["aborted 1 min ago: not wanted (by ann)"],
    );
    check(JobState::Completed, |_| {}, &["completed 1 min ago"]);
    check(JobState::Skipped, |_| {}, &["ended 1 min ago without work to do"]);
}
