use serde_json::{Value, json};

use super::super::{Change, Entry, Step, decode, encode};
use crate::clock::Timestamp;
use crate::event::{Event, EventKind, Level, LogLine};
use crate::failure::{ErrorKind, Failure};
use crate::key::Key;
use crate::settlement::{Message, NewJob, Next, Parent, Quorum, Start, Task, Turn};
use crate::state::JobState;

const NOW: Timestamp = Timestamp(1_700_000_000_123);

fn event(kind: EventKind, detail: Option<Value>) -> Event {
    let (job_id, stage) = ("a".into(), "detect".into());
    Event { job_id, kind, stage, visit: 2, attempt: 3, at: NOW, detail }
}

fn entry(events: Vec<Event>, change: Change) -> Entry {
    Entry {
        job_id: "a".into(),
        origin: Some(("scans".into(), 4)),
        step: Step { stage: "detect".into(), visit: Some(2), attempt: 3, at: NOW },
        events,
        log: Vec::new(),
        change,
        children: Vec::new(),
    }
}

fn landed(state: JobState, next: Next) -> Change {
    Change::Landed { state, stage: "next".into(), next }
}

/// The list that a batch of entries becomes.
fn post(entries: &[Entry]) -> Vec<u8> {
    let events: Vec<Vec<u8>> = entries.iter().flat_map(encode).collect();
    let mut body = b"[".to_vec();
    body.extend(events.join(&b","[..]));
    body.push(b']');
    body
}

fn body() -> Vec<u8> {
    br#"{"job_id":"a","entry_stage":null,"exit_stage":null,"retry_count":0,"params":{"n":1}}"#
        .to_vec()
}

#[test]
fn every_settlement_survives_the_wire_in_its_place() {
    let started = || event(EventKind::Started, None);
    let failure = Failure::new(ErrorKind::NotFound, "no such page");
    let hop = Message {
        queue: "scans.next".into(),
        stage: "next".into(),
        priority: 5,
        not_before: Some(Timestamp(99)),
        turn: Some(Turn::last(Key::new("ip:10.0.0.1").expect("a key"))),
        body: body(),
    };
    let failed = Next::End { body: body(), failure: Some(failure.clone()) };
    let mut log = entry(vec![started()], landed(JobState::Queued, Next::HandBack));
    let (stage, level) = ("detect".into(), Level::Warn);
    log.log.push(LogLine { at: NOW, stage, attempt: 3, level, line: "dim".into() });
    let answer = json!({ "label": "ko", "response": { "n": 1 } });
    let retried = json!({ "failure": failure, "not_before": "then" });
    let entries = [
        entry(
            vec![started(), event(EventKind::Completed, Some(answer))],
            landed(JobState::Queued, Next::Enqueue(hop)),
        ),
        entry(
            vec![started(), event(EventKind::Failed, Some(json!(failure)))],
            landed(JobState::Failed, failed),
        ),
        entry(
            vec![event(EventKind::Retried, Some(retried))],
            landed(JobState::Waiting, Next::Park(Task { stage: "next".into(), body: body() })),
        ),
        entry(
            vec![event(EventKind::Created, None), event(EventKind::Waiting, None)],
            Change::Created { next: Next::Park(Task { stage: "detect".into(), body: body() }) },
        ),
        log,
        fanned_out(),
    ];
    let read = decode(&post(&entries), Timestamp(0)).expect("it is readable");
    assert_eq!(read.len(), entries.len());
    for (read, written) in read.iter().zip(&entries) {
        assert_eq!(read, written);
    }
    // One event a post says the same, in more entries.
    let posts = entries[0].events.len();
    let each: Vec<Entry> = encode(&entries[0])
        .iter()
        .flat_map(|event| decode(event, Timestamp(0)).expect("it is readable"))
        .collect();
    assert_eq!(each.len(), posts);
    // An event that does not tell what became of the job is not taken for a foreign stage's.
    let parts = entry(
        vec![started(), event(EventKind::Completed, None), event(EventKind::Waiting, None)],
        landed(JobState::Waiting, Next::Park(Task { stage: "next".into(), body: body() })),
    );
    let part = decode(&encode(&parts)[1], Timestamp(0)).expect("it is readable");
    assert_eq!(part[0].change, Change::Part);
    assert_eq!(decode(&post(std::slice::from_ref(&parts)), NOW).expect("it is readable"), [parts]);
    assert_eq!(each[0].change, Change::Running);
    assert_eq!(each[1].change, entries[0].change);
}

/// A job that waits for two children: one in a queue, one in the inbox.
fn fanned_out() -> Entry {
    let child = |position, start| NewJob {
        job_id: format!("a.2-{position}").into(),
        pipeline: "scans".into(),
        pipeline_version: 4,
        dedupe: None,
        parent: Some(Parent { job_id: "a".into(), visit: 2, position }),
        start,
        events: vec![event(EventKind::Created, None)],
    };
    let message = |priority| Message {
        queue: "scans.next".into(),
        stage: "next".into(),
        priority,
        not_before: None,
        turn: Some(Turn::last(Key::new("ip:10.0.0.2").expect("a key"))),
        body: body(),
    };
    let quorum = Quorum { visit: 2, completed: 2, failed: 1, ended: u32::MAX };
    let mut entry = entry(
        vec![event(EventKind::Completed, None), event(EventKind::Waiting, None)],
        landed(JobState::Waiting, Next::Await(message(0), quorum)),
    );
    let task = Task { stage: "ask".into(), body: body() };
    entry.children = vec![child(0, Start::Queue(message(5))), child(1, Start::Inbox(task))];
    entry
}

#[test]
fn events_have_the_fields_that_all_speakers_share() {
    let failure = Failure::new(ErrorKind::NotFound, "no such page");
    let failed = Next::End { body: body(), failure: Some(failure.clone()) };
    let entry = entry(
        vec![
            event(EventKind::Started, None),
            event(EventKind::Completed, Some(json!({ "response": { "detection_run_id": "d" } }))),
            event(EventKind::Failed, Some(json!(failure))),
        ],
        landed(JobState::Failed, failed),
    );
    let events: Vec<Value> =
        encode(&entry).iter().map(|event| serde_json::from_slice(event).expect("JSON")).collect();
    assert_eq!(
        events[0],
        json!({
            "event": "started", "job_id": "a", "stage": "detect", "attempt": 3, "visit": 2,
            "timestamp": "2023-11-14T22:13:20.123Z", "pipeline": "scans", "pipeline_version": 4,
        })
    );
    assert_eq!(events[1]["response"], json!({ "detection_run_id": "d" }));
    assert_eq!(events[1].get("job"), None);
    assert_eq!(
        events[2]["error"],
        json!({ "type": "not_found", "message": "no such page", "retryable": false })
    );
    assert_eq!(events[2].get("detail"), None);
    assert_eq!(events[2]["job"]["contract"]["params"], json!({ "n": 1 }));
}

#[test]
fn events_of_foreign_stages_are_read() {
    let post = br#" {"event":"completed","job_id":"a","stage":"classify",
        "timestamp":"2023-11-14T22:13:20.123456","attempt":1,"response":{"kind":"cat"}}"#;
    let read = decode(post, Timestamp(0)).expect("it is readable");
    let [entry] = &read[..] else { panic!("one entry, not {read:?}") };
    assert_eq!((entry.step.visit, entry.step.at), (None, NOW));
    assert_eq!(entry.origin, None);
    let Change::Told { kind: EventKind::Completed, response, failure: None } = &entry.change else {
        panic!("told, not {:?}", entry.change);
    };
    assert_eq!(response["kind"], "cat");

    let post = br#"{"event":"failed","job_id":"a","stage":"classify",
        "error":{"type":"ValueError","message":"bad","retryable":false}}"#;
    let read = decode(post, NOW).expect("it is readable");
    let Change::Told { failure: Some(failure), .. } = &read[0].change else { panic!("a failure") };
    assert_eq!(failure.message, "ValueError: bad");
    assert_eq!(read[0].step.at, NOW);

    let post = br#"{"event":"progress","job_id":"a","stage":"classify","progress":40}"#;
    assert_eq!(decode(post, NOW).expect("it is readable"), []);
}

#[test]
fn part_of_a_post_is_what_its_entry_was_read_from() {
    let first = r#"{"event":"failed","job_id":"b","stage":"s","own":1}"#;
    let last = r#"{"event":"failed","job_id":"a","stage":"t"}"#;
    let settled = entry(
        vec![event(EventKind::Completed, None), event(EventKind::Waiting, None)],
        landed(JobState::Waiting, Next::Park(Task { stage: "next".into(), body: body() })),
    );
    let ours = encode(&settled).into_iter().map(|one| String::from_utf8(one).expect("a text"));
    let ours: Vec<String> = ours.collect();
    let list = format!(
        r#"[{first}, {}, {},{{"event":"progress","job_id":"a"}} , {last}]"#,
        ours[0], ours[1]
    );
    let part = |post: &str, place| {
        let part = super::part(post.as_bytes(), place).expect("it is readable");
        String::from_utf8(part).expect("a text")
    };
    assert_eq!(part(&list, 0), first);
    assert_eq!(part(&list, 1), format!("[{},{}]", ours[0], ours[1]));
    assert_eq!(part(&list, 2), last);
    assert_eq!(part(first, 0), first);
}

#[test]
fn what_is_no_event_is_refused_by_name() {
    for (post, part) in [
        ("", "EOF"),
        ("{}", "missing field `event`"),
        ("[1]", "invalid type: integer"),
        (r#"{"event":"eaten","job_id":"a","stage":"s"}"#, "`event` is `eaten`"),
        (r#"{"event":"failed","job_id":"","stage":"s"}"#, "`job_id` is ``"),
        (r#"{"event":"failed","job_id":"a"}"#, "`stage` is ``"),
        (
            r#"{"event":"failed","job_id":"a","stage":"s","timestamp":"noon"}"#,
            "`timestamp` is `noon`",
        ),
    ] {
        let error = decode(post.as_bytes(), NOW).expect_err(post).to_string();
        assert!(error.contains(part), "{post}: {error}");
    }
}

#[test]
fn a_body_that_is_no_json_is_kept_as_text() {
    let next = Next::End { body: b"<xml/>".to_vec(), failure: None };
    let written = [entry(vec![event(EventKind::Failed, None)], landed(JobState::Failed, next))];
    let read = decode(&post(&written), NOW).expect("it is readable");
    let Change::Landed { next: Next::End { body, .. }, .. } = &read[0].change else { panic!() };
    assert_eq!(body, b"<xml/>");
}
